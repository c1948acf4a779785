"""The second tidy table: one row per run and epoch, read when asked for.

Epochs of runs that have ended are cached.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.store import cache, frame
from analysis.store.columns import EPOCH_COLUMNS
from experiments import names
from experiments.tracking import store

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient


def read(
    runs: "pd.DataFrame",
    uri: str | None = None,
    experiment: str | None = None,
    *,
    cached: bool = True,
) -> "pd.DataFrame":
    """The epochs of `runs` (rows of the tidy table), in their order; see `analysis.epochs`."""
    import pandas as pd

    address, name = store.address(uri), experiment or names.EXPERIMENT
    path = _file(address, name)
    kept = _kept(path) if cached else None
    known = set(kept["run_id"]) if kept is not None else set()
    wanted = list(dict.fromkeys(runs["run_id"]))
    missing = [run_id for run_id in wanted if run_id not in known]
    frames = [kept] if kept is not None else []
    if missing:
        client = store.open_client(address)
        with store.one_line_errors(address):
            fresh = pd.concat([_epochs_of(client, run_id) for run_id in missing], ignore_index=True)
        ended = set(runs.loc[runs["mlflow_status"].isin(frame.TERMINAL), "run_id"])
        frames.append(fresh)
        if cached and ended:
            settled = fresh[fresh["run_id"].isin(ended)]
            state = cache.state_of({"epochs": True})
            cache.write_file(path, pd.concat([*frames[:-1], settled], ignore_index=True), state)
    both = pd.concat(frames, ignore_index=True) if frames else _empty()
    order = {run_id: i for i, run_id in enumerate(wanted)}
    both = both[both["run_id"].isin(order) & both["epoch"].notna()]
    return both.sort_values(
        ["run_id", "epoch"],
        key=lambda column: column.map(order) if column.name == "run_id" else column,
        ignore_index=True,
        kind="stable",
    )


def _file(uri: str, experiment: str) -> Path:
    runs = cache.cache_file(uri, experiment)
    return runs.with_name(runs.name.replace("runs-", "epochs-"))


def _kept(path: Path) -> "pd.DataFrame | None":
    found = cache.read_file(path)
    return found[0] if found is not None else None


def _empty() -> "pd.DataFrame":
    return _frame({column.name: [] for column in EPOCH_COLUMNS})


def _epochs_of(client: "MlflowClient", run_id: str) -> "pd.DataFrame":
    """A run's epochs; a run without any is one row without an epoch, so that the cache has it."""
    by_epoch: dict[int, dict[str, float]] = {}
    for key in names.EPOCH_METRICS:
        for metric in client.get_metric_history(run_id, key):
            value = frame.finite_or_infinite(metric.value)
            if value is not None:
                by_epoch.setdefault(metric.step, {})[key] = value
    rows: list[dict[str, Any]] = [
        {"epoch": epoch, **by_epoch[epoch]} for epoch in sorted(by_epoch)
    ] or [{}]
    return _frame(
        {
            column.name: [
                run_id if column.name == "run_id" else row.get(column.name) for row in rows
            ]
            for column in EPOCH_COLUMNS
        }
    )


def _frame(cells: dict[str, list[Any]]) -> "pd.DataFrame":
    import pandas as pd

    types = {column.name: column.dtype for column in EPOCH_COLUMNS}
    return pd.DataFrame({name: frame.typed(values, types[name]) for name, values in cells.items()})
