"""From the MLflow store to one tidy table: one row per run, columns as `analysis.columns` documents them.

Reads through MLflow's public client alone and writes nothing to the store. `analysis.cache` keeps what was
read, so that an unchanged store costs neither a query nor the import of MLflow.
"""

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.columns import BY_NAME, COLUMNS, FLOAT, INT, TIME
from experiments import collector, names
from experiments.errors import TrackingError
from experiments.paths import project_root

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

PAGE = 500  # runs per query: larger pages sort the store less often, and hold more of it in memory
TERMINAL = ("FINISHED", "FAILED", "KILLED")
OURS = f"tags.`{names.TAG_SCHEMA}` != ''"  # any version of our names; other projects' runs lack the tag
_LARGEST_FLOAT = 1.797e308  # MLflow's databases keep infinity as the largest float
_HOW_TO_FILL = ("`python experiments/train.py task=mnist_mlp backend=jax` measures a run, "
                "`python -m analysis import-published` brings in the results of 2017")


@dataclass(frozen=True)
class Reading:
    """What was read: the runs of this project, and how many others were left out.

    frame: one row per run (kind "run", names of a version known here), oldest first.
    how: "unchanged" (cache alone), "updated" (cache and what had changed) or "read" (everything).
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
            (self.newer, f"written by a newer version of this program (names of version > {names.SCHEMA_VERSION}) "
                         "ignored: update the checkout"),
            (going, "still going (or their process died): not counted"),
        )
        return [f"{count} run{'s' if count > 1 else ''} {text}" for count, text in counts if count]


def resolve_uri(uri: str | None) -> str:
    """The store's address: the one given, MLFLOW_TRACKING_URI, or mlflow.db in the project's root."""
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_root() / 'mlflow.db'}"
    head = "sqlite:///"
    if uri.startswith(head) and not uri.startswith(head + "/"):
        return head + str(Path(uri.removeprefix(head)).resolve())
    return uri


def sqlite_path(uri: str) -> Path | None:
    """The file behind a SQLite address, None for every other kind of store."""
    head = "sqlite:///"
    return Path(uri.removeprefix(head).split("?")[0]) if uri.startswith(head) else None


def redacted(uri: str) -> str:
    """The address without a password."""
    return re.sub(r"://([^:/@]+):[^@]*@", r"://\1:***@", uri)


def read(
    uri: str | None = None, experiment: str | None = None, *, refresh: bool = False, cached: bool = True
) -> Reading:
    """Read the runs of an experiment.

    uri, experiment: as `resolve_uri`; None is names.EXPERIMENT. refresh: read all again, whatever the cache
    has. cached=False leaves the cache alone. Raises TrackingError, in one line, where there is no such store
    or experiment, or no run of this project in it.
    """
    address, name = resolve_uri(uri), experiment or names.EXPERIMENT
    path = sqlite_path(address)
    if path is not None and not path.is_file():
        raise TrackingError(f"no store at {path}; {_HOW_TO_FILL}")
    from analysis import cache

    frame, foreign, how = cache.runs(address, name, refresh=refresh, cached=cached)
    newer = frame["schema"] > names.SCHEMA_VERSION
    sweeps = ~newer & (frame["kind"] != "run")
    kept = frame[~newer & ~sweeps].sort_values(["start_time", "run_id"], ignore_index=True)
    if kept.empty:
        raise TrackingError(
            f"experiment {name!r} in {redacted(address)} holds no run {_but(foreign, int(newer.sum()))}")
    return Reading(_with_states(kept), address, name, foreign, int(sweeps.sum()), int(newer.sum()), how)


def _but(foreign: int, newer: int) -> str:
    """What an experiment without a run to read holds in their place, and the next step."""
    if newer:
        return f"that this program can read; {newer} written by a newer version of it: update the checkout"
    return f"of this project{f' ({foreign} of another project)' if foreign else ''}; {_HOW_TO_FILL}"


def load(uri: str | None = None, experiment: str | None = None, *, refresh: bool = False) -> "pd.DataFrame":
    """The tidy table itself, for a notebook: `analysis.load()`. See `read` for the arguments and errors."""
    return read(uri, experiment, refresh=refresh).frame


def _with_states(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Runs that MLflow calls failed or killed have that state, even if nobody could write the tag."""
    ended = {"FAILED": names.FAILED, "KILLED": names.KILLED}
    frame["state"] = frame["state"].fillna(frame["mlflow_status"].map(ended))
    return frame


def open_client(uri: str) -> "MlflowClient":
    """MLflow's client for a store that is there; never creates one. TrackingError in one line otherwise."""
    path = sqlite_path(uri)
    if path is not None:
        _require_mlflow_file(path)
    for key, value in (("MLFLOW_HTTP_REQUEST_TIMEOUT", "15"), ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2"),
                       ("MLFLOW_LOGGING_LEVEL", "ERROR"), ("GIT_PYTHON_REFRESH", "quiet")):
        os.environ.setdefault(key, value)
    with collector.paused(lasting=True), told_in_one_line(uri):
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _require_mlflow_file(path: Path) -> None:
    if not path.is_file():
        raise TrackingError(f"no store at {path}; {_HOW_TO_FILL}")
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        database.close()
    except sqlite3.DatabaseError as error:
        raise TrackingError(f"{path} is not a SQLite database that can be read ({error})") from error
    if not {"experiments", "runs"} <= tables:
        raise TrackingError(f"{path} is not an MLflow store; {_HOW_TO_FILL}")


class told_in_one_line:  # noqa: N801 (reads as a sentence in a with statement)
    """Turns whatever MLflow, SQLAlchemy or requests raise into a TrackingError; others' notices stay out."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def __enter__(self) -> None:
        import logging
        import warnings

        for logger in ("mlflow", "alembic", "sqlalchemy"):
            logging.getLogger(logger).setLevel(logging.ERROR)
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        self._warnings.__exit__(None, None, None)
        if error is None or isinstance(error, TrackingError) or not isinstance(error, Exception):
            return
        text = " ".join(str(error).split()) or type(error).__name__
        if "out-of-date database schema" in text or "Can't locate revision" in text:
            raise TrackingError(
                f"the store {redacted(self.uri)} was written by another version of MLflow: read it with that "
                "version, or bring an older store up to date with `mlflow db upgrade URI`") from error
        raise TrackingError(f"the store {redacted(self.uri)} does not answer ({text[:160]})") from error


def experiment_id(client: "MlflowClient", uri: str, name: str) -> str:
    """The id of an experiment; TrackingError that lists the others where it is not there."""
    with told_in_one_line(uri):
        found = client.get_experiment_by_name(name)
        if found is not None and found.lifecycle_stage == "active":
            return str(found.experiment_id)
        others = ", ".join(sorted(experiment.name for experiment in client.search_experiments(max_results=20)))
    what = "was deleted" if found is not None else "is not there"
    raise TrackingError(f"experiment {name!r} {what} in {redacted(uri)}; it holds: {others or 'none'}; {_HOW_TO_FILL}")


def read_all(client: "MlflowClient", experiment: str) -> "pd.DataFrame":
    """Every run of ours in the experiment, page by page."""
    import pandas as pd

    # Half of the time of a large search is Python's collector walking rows that will all be kept.
    with collector.paused():
        frames = [to_frame(page) for page in pages(client, experiment, OURS)]
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


def pages(client: "MlflowClient", experiment: str, filter_string: str) -> Iterator[list[Any]]:
    """Pages of MLflow's runs, newest first; at least one, which may be empty."""
    token: str | None = None
    while True:
        page = client.search_runs([experiment], filter_string, max_results=PAGE, page_token=token)
        yield list(page)
        token = page.token
        if not token:
            return


def to_frame(runs: Iterable[Any]) -> "pd.DataFrame":
    """MLflow's runs as rows of the tidy table; what a run lacks is missing there."""
    import pandas as pd

    cells: dict[str, list[Any]] = {column.name: [] for column in COLUMNS}
    for run in runs:
        data, info = run.data, run.info
        params, tags, metrics = data.params, data.tags, data.metrics
        for column in COLUMNS:
            value: Any
            if column.kind == "metric":
                value = finite_or_infinite(metrics.get(column.key))
            elif column.kind == "tag":
                value = tags.get(column.key)
            elif column.kind == "param":
                value = params.get(column.key)
            elif column.kind == "prefix":
                value = _under_prefix(params, column.key)
            else:
                value = getattr(info, column.key)
            cells[column.name].append(value)
    return pd.DataFrame({name: typed(values, BY_NAME[name].dtype) for name, values in cells.items()})


def finite_or_infinite(value: float | None) -> float | None:
    """A metric as it was logged: MLflow's databases give infinity back as the largest float."""
    if value is not None and abs(value) > _LARGEST_FLOAT:
        return float("inf") if value > 0 else float("-inf")
    return value


def _under_prefix(params: dict[str, str], prefix: str) -> str | None:
    found = {key.removeprefix(prefix): params[key] for key in sorted(params) if key.startswith(prefix)}
    return json.dumps(found) if found else None


def typed(values: list[Any], dtype: str) -> "pd.Series[Any]":
    """A column of the documented type; text that is no number becomes missing, never an error."""
    import pandas as pd

    if dtype == FLOAT:
        return pd.to_numeric(pd.Series(values, dtype="object"), errors="coerce").astype("float64")
    if dtype == INT:
        numbers = pd.to_numeric(pd.Series(values, dtype="object"), errors="coerce").astype("float64")
        return numbers.where(numbers % 1 == 0).astype("Int64")
    if dtype == TIME:
        return pd.to_datetime(pd.Series(values, dtype="Int64"), unit="ms", utc=True).astype("datetime64[ms, UTC]")
    return pd.Series(values, dtype="str")
