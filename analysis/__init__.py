"""From the MLflow store to tables, findings and reports.

    import analysis
    runs = analysis.load()           # one row per run; analysis.store.columns documents them
    epochs = analysis.epochs(runs)   # one row per run and epoch, read when asked for

Importing this package costs nothing: the first call that needs pandas or MLflow imports them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["epochs", "load"]


def load(
    uri: str | None = None, experiment: str | None = None, *, refresh: bool = False
) -> "pd.DataFrame":
    """The runs of this project in an MLflow store, one row per run, oldest first.

    uri: the store; default: MLFLOW_TRACKING_URI, else mlflow.db in the project's root. experiment:
    its name; default: the project's. refresh: read the store even if it has not changed. Columns,
    types and units are those of `analysis.store.columns.COLUMNS`. Raises
    experiments.errors.TrackingError in one line if there is no such store or experiment, or no run
    of this project in it.
    """
    # Here and below: pandas, for those who import the package for its name only.
    from analysis.store.read import load as load_

    return load_(uri, experiment, refresh=refresh)


def epochs(
    runs: "pd.DataFrame", uri: str | None = None, experiment: str | None = None
) -> "pd.DataFrame":
    """The epochs of these runs (rows that `load` returned), one row per run and epoch.

    Columns are those of `analysis.store.columns.EPOCH_COLUMNS`. Costs eight short queries for each
    run that was not asked for before; the epochs of ended runs are cached. Errors as `load`.
    """
    from analysis.store.epochs import read

    return read(runs, uri, experiment)
