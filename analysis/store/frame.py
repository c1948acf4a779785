"""MLflow's runs as the tidy table."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from analysis.store.columns import BY_NAME, COLUMNS, FLOAT, INT, TIME
from experiments import names
from experiments.tracking.collector import gc_paused
from experiments.tracking.store import pages
from experiments.tracking.work import work_id

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

TERMINAL = ("FINISHED", "FAILED", "KILLED")


_LARGEST_FLOAT = 1.797e308  # MLflow's databases keep infinity as the largest float


def read_all(client: "MlflowClient", experiment: str) -> tuple["pd.DataFrame", int]:
    """Every run of ours in the experiment, page by page, and how many others there are."""
    import pandas as pd

    frames, foreign = [], 0
    # Half of the time of a large search is Python's collector walking rows that will all be kept.
    with gc_paused():
        for page in pages(client, experiment):
            ours = [run for run in page if run.data.tags.get(names.TAG_SCHEMA)]
            foreign += len(page) - len(ours)
            frames.append(to_frame(ours))
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0], foreign


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
                if value is None and column.key == names.TAG_WORK:  # stored before it was logged
                    value = _work_id(tags, params)
            elif column.kind == "param":
                value = params.get(column.key)
            elif column.kind == "prefix":
                value = _under_prefix(params, column.key)
            else:
                value = getattr(info, column.key)
            cells[column.name].append(value)
    return pd.DataFrame(
        {name: typed(values, BY_NAME[name].dtype) for name, values in cells.items()}
    )


def _work_id(tags: dict[str, str], params: dict[str, str]) -> str | None:
    """The identity of a run's work from what it stored; None for published results."""
    if tags.get(names.TAG_SOURCE) == "published":
        return None
    task, digest = params.get(names.PARAM_TASK, ""), tags.get(names.TAG_DATA_DIGEST, "")
    return work_id(task, digest, params)


def finite_or_infinite(value: float | None) -> float | None:
    """A metric as it was logged: MLflow's databases give infinity back as the largest float."""
    if value is not None and abs(value) > _LARGEST_FLOAT:
        return float("inf") if value > 0 else float("-inf")
    return value


def _under_prefix(params: dict[str, str], prefix: str) -> str | None:
    found = {
        key.removeprefix(prefix): params[key] for key in sorted(params) if key.startswith(prefix)
    }
    return json.dumps(found) if found else None


def typed(values: list[Any], dtype: str) -> "pd.Series[Any]":
    """A column of the documented type; text that is no number becomes missing, never an error."""
    import pandas as pd

    if dtype == FLOAT:
        return pd.to_numeric(pd.Series(values, dtype="object"), errors="coerce").astype("float64")
    if dtype == INT:
        numbers = pd.to_numeric(pd.Series(values, dtype="object"), errors="coerce").astype(
            "float64"
        )
        return numbers.where(numbers % 1 == 0).astype("Int64")
    if dtype == TIME:
        return pd.to_datetime(pd.Series(values, dtype="Int64"), unit="ms", utc=True).astype(
            "datetime64[ms, UTC]"
        )
    return pd.Series(values, dtype="str")


def work_of(hyper: Any) -> str:
    """The name of a published run's work ("words and bi-grams"), "" if it is not known.

    hyper: its hyper-parameters as JSON.
    """
    if not isinstance(hyper, str):
        return ""
    return str(json.loads(hyper).get("work", ""))
