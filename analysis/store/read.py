"""From the MLflow store to one tidy table: one row per run, columns as in `analysis.store.columns`.

Reads only through MLflow's public client and writes nothing to the store. `analysis.store.cache`
keeps what was read, so that an unchanged store costs neither a query nor the import of MLflow.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.store import cache
from analysis.store.frame import TERMINAL, read_all
from experiments import names
from experiments.errors import TrackingError
from experiments.tracking import store

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Reading:
    """What was read: the runs of this project, and how many others were left out.

    frame: one row per run (kind "run", names of a version known here), oldest first.
    how: "unchanged" (the cache alone) or "read" (everything).
    """

    frame: "pd.DataFrame"
    uri: str
    experiment: str
    foreign: int
    sweeps: int
    newer: int
    how: str

    def remarks(self) -> list[str]:
        """One line for each kind of run that was left out."""
        going = int((~self.frame["mlflow_status"].isin(TERMINAL)).sum())
        counts = (
            (self.foreign, f"of another project (no {names.TAG_SCHEMA} tag) ignored"),
            (
                self.newer,
                "written by a newer version of this program "
                f"(names of version > {names.SCHEMA_VERSION}) ignored: update the checkout",
            ),
            (going, "still going (or their process died): not counted"),
        )
        return [f"{count} run{'s' if count > 1 else ''} {text}" for count, text in counts if count]


def read(
    uri: str | None = None,
    experiment: str | None = None,
    *,
    refresh: bool = False,
    cached: bool = True,
) -> Reading:
    """Read the runs of an experiment.

    uri: as for `store.address`. experiment: default: names.EXPERIMENT. refresh: read the store even
    if it has not changed. cached: whether to use the cache. Raises TrackingError in one line if
    there is no such store or experiment, or no run of this project in it.
    """
    address, name = store.address(uri), experiment or names.EXPERIMENT
    path = store.sqlite_path(address)
    if path is not None and not path.is_file():
        raise TrackingError(f"no store at {path}; {store.HOW_TO_FILL}")
    frame, foreign, how = _runs(address, name, refresh=refresh, cached=cached)
    newer = frame["schema"] > names.SCHEMA_VERSION
    sweeps = ~newer & (frame["kind"] != "run")
    kept = frame[~newer & ~sweeps].sort_values(["start_time", "run_id"], ignore_index=True)
    if kept.empty:
        where = f"experiment {name!r} in {store.redacted(address)}"
        raise TrackingError(f"{where} holds no run {_but(foreign, int(newer.sum()))}")
    return Reading(
        _with_states(kept), address, name, foreign, int(sweeps.sum()), int(newer.sum()), how
    )


def _runs(
    uri: str, experiment: str, *, refresh: bool, cached: bool
) -> tuple["pd.DataFrame", int, str]:
    """Every run of ours in the experiment, how many foreign ones, and how it was read.

    An unchanged SQLite file is answered from the cache, without MLflow. A changed one is read
    whole, which takes some seconds per thousand runs: MLflow cannot be asked for what has changed.
    """
    sign = cache.fingerprint(uri)
    kept = cache.read_file(cache.cache_file(uri, experiment)) if cached and not refresh else None
    if kept is not None and sign is not None and kept[1]["fingerprint"] == sign:
        return kept[0], kept[1]["foreign"], "unchanged"
    client = store.open_client(uri)
    experiment_id = store.experiment_id(client, uri, experiment)
    with store.one_line_errors(uri):
        frame, foreign = read_all(client, experiment_id)
    if cached:
        state = cache.state_of({"fingerprint": sign, "foreign": foreign})
        cache.write_file(cache.cache_file(uri, experiment), frame, state)
    return frame, foreign, "read"


def _but(foreign: int, newer: int) -> str:
    """The end of the message on an experiment without a run to read: what is in it, what to do."""
    if newer:
        return (
            f"that this program can read; {newer} written by a newer version of it: update the "
            "checkout"
        )
    others = f" ({foreign} of another project)" if foreign else ""
    return f"of this project{others}; {store.HOW_TO_FILL}"


def load(
    uri: str | None = None, experiment: str | None = None, *, refresh: bool = False
) -> "pd.DataFrame":
    """The tidy table itself, for a notebook: `analysis.load()`; arguments and errors as `read`."""
    return read(uri, experiment, refresh=refresh).frame


def _with_states(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Give runs that MLflow calls failed or killed that state if they lack the tag."""
    ended = {"FAILED": names.FAILED, "KILLED": names.KILLED}
    frame["state"] = frame["state"].fillna(frame["mlflow_status"].map(ended))
    return frame
