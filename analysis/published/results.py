"""Results that others published in 2017, as runs like any other: tag `source` = published.

The numbers are in data/published.csv, their sources in data/sources.json, and what the page that
this project starts from prints and says in data/page_2017.json.
"""

import csv
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import names
from experiments.tracking.store import one_line_errors, open_or_create, pages

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATA = Path(__file__).resolve().parent / "data"

# The published name of a figure -> (quality metric, the summary metric that it is stored as).
_QUALITY = {
    "val_accuracy_last_epoch": ("val_accuracy", "last_val_accuracy"),
    "test_accuracy": ("val_accuracy", "last_val_accuracy"),
    "train_loss_last_epoch": ("loss", "last_loss"),
    "reported_validation_loss": ("val_loss", "last_val_loss"),
}


@dataclass(frozen=True)
class Result:
    """One line of data/published.csv, ready to be written: see `experiments.names` for the keys."""

    name: str
    date: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]

    @property
    def journal_id(self) -> str:
        """The result's identity; a second import finds it."""
        return self.tags[names.TAG_JOURNAL]

    @property
    def milliseconds(self) -> int:
        """The first of the month of its publication, UTC."""
        return int(datetime.strptime(self.date, "%Y-%m").replace(tzinfo=UTC).timestamp() * 1000)


@cache
def page() -> dict[str, Any]:
    """What the page of June 2017 prints: tables cell by cell, and its sentences as claims."""
    found: dict[str, Any] = json.loads((DATA / "page_2017.json").read_text(encoding="utf-8"))
    return found


@cache
def sources() -> dict[str, dict[str, str]]:
    """Where published figures are from: title, author, date, address, rounding."""
    found: dict[str, dict[str, str]] = json.loads(
        (DATA / "sources.json").read_text(encoding="utf-8")
    )
    return found


def results() -> list[Result]:
    """All published results, in the order of the file."""
    with (DATA / "published.csv").open(newline="", encoding="utf-8") as file:
        return [_result(row) for row in csv.DictReader(file)]


def _result(row: dict[str, str]) -> Result:
    params = {
        names.PARAM_TASK: row["task"],
        names.PARAM_BACKEND: row["backend"],
        names.PARAM_PROFILE: "published",
        names.PARAM_DATA: "official",
        names.PARAM_EPOCHS: row["epochs"],
        names.PREFIX_VERSION + "keras": row["keras_version"],
        names.PREFIX_VERSION + row["backend"]: row["backend_version"],
        names.PREFIX_HYPER + "work": row["work"],
    }
    quality, metric = _QUALITY.get(row["metric_name"], ("", ""))
    tags = {
        names.TAG_SCHEMA: str(names.SCHEMA_VERSION),
        names.TAG_KIND: "run",
        names.TAG_STATE: names.FINISHED,
        names.TAG_SOURCE: "published",
        names.TAG_PUBLISHED_SOURCE: row["source"],
        names.TAG_PROTOCOL: _digest(row["source"], row["task"], row["epochs"], row["work"])[:12],
        names.TAG_JOURNAL: _digest(
            "published",
            *(row[key] for key in ("source", "task", "backend", "hardware", "epochs", "work")),
        )[:32],
        names.TAG_DATA_SOURCE: "official",
        names.TAG_DEVICE_NAME: row["hardware"],
        names.TAG_DEVICE_KIND: "cpu" if row["hardware"].startswith("CPU") else "gpu",
        names.TAG_GENERATION: "2",
        names.TAG_QUALITY_METRIC: quality,
        names.TAG_NOTES: row["notes"],
        names.TAG_RESOLUTION: row["resolution_seconds"],
        names.TAG_FLAGS: names.FLAG_DEVICE_DOUBTFUL if row["device_doubtful"] else "",
        names.PARAM_TASK: row["task"],
        names.PARAM_BACKEND: row["backend"],
        "mlflow.note.content": f"Published: {sources()[row['source']]['url']}",
    }
    figures = {
        "mean_epoch_seconds": row["mean_epoch_seconds"],
        "first_epoch_seconds": row["first_epoch_seconds"],
        "epochs_done": row["epochs"],
        metric: row["metric_value"],
    }
    return Result(
        name=f"{row['task']} {row['backend']} {row['hardware']} ({row['source']})",
        date=sources()[row["source"]]["date"],
        params={key: value for key, value in params.items() if value},
        tags={key: value for key, value in tags.items() if value or key == names.TAG_FLAGS},
        metrics={key: float(value) for key, value in figures.items() if key and value},
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def import_published(uri: str | None = None, experiment: str | None = None) -> tuple[int, int]:
    """Write the published results into a store, creating it if needed; (added, already there).

    A second import changes nothing; an interrupted one is completed. Raises TrackingError in one
    line.
    """
    store = open_or_create(uri, experiment or names.EXPERIMENT)
    added = 0
    with one_line_errors(store.uri):
        present = _present(store.client, store.experiment_id)
        wanted = results()
        for result in wanted:
            run_id, finished = present.get(result.journal_id, (None, False))
            if not finished:
                _write(store.client, store.experiment_id, result, run_id)
                added += 1
    return added, len(wanted) - added


def _present(client: "MlflowClient", experiment_id: str) -> dict[str, tuple[str, bool]]:
    """journal id -> (run id, whether the run is complete) of the published results in the store."""
    found = {}
    for page_ in pages(client, experiment_id, f"tags.{names.TAG_SOURCE} = 'published'", 1000):
        for run in page_:
            journal_id = run.data.tags.get(names.TAG_JOURNAL)
            if journal_id is not None:
                found[journal_id] = (run.info.run_id, run.info.status == "FINISHED")
    return found


def _write(client: "MlflowClient", experiment_id: str, result: Result, run_id: str | None) -> None:
    from mlflow.entities import Metric, Param, RunTag

    when = result.milliseconds
    if run_id is None:
        run = client.create_run(
            experiment_id, start_time=when, tags=result.tags, run_name=result.name
        )
        run_id = run.info.run_id
    client.log_batch(
        run_id,
        metrics=[Metric(key, value, when, 0) for key, value in result.metrics.items()],
        params=[Param(key, value) for key, value in result.params.items()],
        tags=[RunTag(key, value) for key, value in result.tags.items()],
        synchronous=True,
    )
    client.set_terminated(run_id, "FINISHED", end_time=when)
