"""A SQLite store of planted runs, written in bulk into the tables that MLflow itself created.

Ten thousand runs take seconds instead of the quarter of an hour that the client would need.
"""

import math
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from experiments import names
from experiments.tracking.store import prepare_import, quiet
from tests.support.planted import Planted

_TABLES = {
    "runs": (
        "run_uuid",
        "name",
        "source_type",
        "source_name",
        "user_id",
        "status",
        "start_time",
        "end_time",
        "lifecycle_stage",
        "artifact_uri",
        "experiment_id",
    ),
    "tags": ("key", "value", "run_uuid"),
    "params": ("key", "value", "run_uuid"),
    "latest_metrics": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
    "metrics": ("key", "value", "timestamp", "step", "is_nan", "run_uuid"),
}


def create(path: Path, experiment: str = names.EXPERIMENT) -> str:
    """An empty MLflow store with one experiment; returns its address."""
    uri = f"sqlite:///{path}"
    prepare_import()
    with quiet():
        from mlflow import MlflowClient

        MlflowClient(tracking_uri=uri, registry_uri=uri).create_experiment(experiment)
    return uri


def write(path: Path, runs: Iterable[Planted], experiment: str = names.EXPERIMENT) -> list[str]:
    """Add runs to a store that `create` made; returns their ids. One transaction."""
    rows: dict[str, list[tuple[Any, ...]]] = {
        "runs": [],
        "tags": [],
        "params": [],
        "latest_metrics": [],
        "metrics": [],
    }
    ids = []
    with sqlite3.connect(path) as database:
        (home,) = database.execute(
            "SELECT experiment_id FROM experiments WHERE name = ?", (experiment,)
        ).fetchone()
        for planted in runs:
            _rows(planted, home, rows)
            ids.append(planted.run_id)
        for table, values in rows.items():
            if values:
                columns = ", ".join(_TABLES[table])
                marks = ", ".join("?" * len(_TABLES[table]))
                database.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)
    database.close()
    return ids


def _rows(planted: Planted, experiment: int, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    run_id = planted.run_id
    end = None if planted.status == "RUNNING" else planted.start_time + int(planted.seconds * 1000)
    rows["runs"].append(
        (
            run_id,
            planted.name,
            "LOCAL",
            "planted",
            "nobody",
            planted.status,
            planted.start_time,
            end,
            "deleted" if planted.deleted else "active",
            f"mlruns/{experiment}/{run_id}/artifacts",
            experiment,
        )
    )
    rows["tags"] += [
        (key, value, run_id)
        for key, value in {**planted.tags, "mlflow.runName": planted.name}.items()
    ]
    rows["params"] += [(key, value, run_id) for key, value in planted.params.items()]
    for key, value in planted.metrics.items():
        row = (*_sql_value(key, value, planted.start_time, 0), run_id)
        rows["latest_metrics"].append(row)
        rows["metrics"].append(row)
    for number, epoch in enumerate(planted.epochs, 1):
        for key, value in epoch.items():
            row = (*_sql_value(key, value, planted.start_time + number, number), run_id)
            rows["metrics"].append(row)
            if number == len(planted.epochs):
                rows["latest_metrics"].append(row)


def _sql_value(key: str, value: float, when: int, step: int) -> tuple[Any, ...]:
    """A metric as MLflow's SQL store writes it: NaN is 0 with a mark, infinity a huge float."""
    if math.isnan(value):
        return key, 0.0, when, step, 1
    if math.isinf(value):
        return key, 1.7976931348623157e308 * (1 if value > 0 else -1), when, step, 0
    return key, value, when, step, 0
