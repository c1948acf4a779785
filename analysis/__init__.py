"""From the MLflow store to tables, findings and reports.

    import analysis
    runs = analysis.load()                      # one row per run; analysis.store.columns documents every column
    epochs = analysis.epochs(runs)              # one row per run and epoch, read when asked for

Importing this package costs nothing: pandas and MLflow are imported by the first call that needs them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["epochs", "load"]


def load(
    uri: str | None = None, experiment: str | None = None, *, refresh: bool = False
) -> "pd.DataFrame":
    """The runs of this project in an MLflow store, one row per run, oldest first.

    uri: the store; None takes MLFLOW_TRACKING_URI, else mlflow.db in the project's root. experiment: its name;
    None takes the project's own. refresh: read all again instead of what has changed since the last time.
    Columns, types and units are those of `analysis.store.columns.COLUMNS`. Raises experiments.errors.TrackingError, in
    one line, where there is no such store or experiment, or nothing in it.
    """
    from analysis.store.read import load as load_

    return load_(uri, experiment, refresh=refresh)


def epochs(
    runs: "pd.DataFrame", uri: str | None = None, experiment: str | None = None
) -> "pd.DataFrame":
    """The epochs of these runs (rows that `load` returned), one row per run and epoch.

    Columns are those of `analysis.store.columns.EPOCH_COLUMNS`. Eight short queries per run that was never asked for
    before; those of ended runs are kept. Errors as `load`.
    """
    from analysis.store.epochs import read

    return read(runs, uri, experiment)
