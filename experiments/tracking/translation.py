"""What a run's events are in MLflow: tags, parameters and metrics. Nothing is sent here.

What an event becomes depends on the event alone, with its own time, so that a live run and a
replayed journal give the same rows, and a journal can be read into a table without any store.
"""

import json
import math
from typing import Any

from experiments import names
from experiments.journal.events import Event
from experiments.journal.figures import steady_each, summarise
from experiments.tracking.work import work_id

# Measured anew for every run: they say how busy the machine was, not which machine it was.
_MOVING = ("load_average", "cpu_pressure")


class Translation:
    """The tags, parameters and metrics that events have become so far.

    metrics: (name, value, milliseconds since 1970, step). dataset: the `prepared` event whose data
    set has not been logged yet. A caller may take things out of these once it has sent them.
    """

    def __init__(self, job: Event) -> None:
        self.job = job
        self.tags = _job_tags(job)
        self.params = _job_params(job)
        self.metrics: list[tuple[str, float, int, int]] = []
        self.dataset: Event | None = None
        self._seen: set[int] = set()
        self._epochs: list[Event] = []
        self._facts: dict[str, Any] = {}

    def apply(self, event: Event) -> None:
        """Take in one event, each once."""
        if event["seq"] in self._seen:
            return
        self._seen.add(event["seq"])
        handler = getattr(self, f"_on_{event['event']}", None)
        if handler is not None:
            handler(event)

    def _on_prepared(self, event: Event) -> None:
        self.tags.update(
            {
                names.TAG_PROTOCOL: event["protocol_id"],
                names.TAG_DATA_SOURCE: event["data_source"],
                names.TAG_DATA_DIGEST: event["data_digest"],
                names.TAG_DEVICE_KIND: event["device_kind"],
                names.TAG_DEVICE_NAME: event["device_name"],
            }
        )
        params = {key: as_text(value) for key, value in event["params"].items()}
        self.tags.update(_identity_tags(self.job, event, params))
        if event.get("data_warning"):
            self.tags[names.TAG_DATA_WARNING] = event["data_warning"]
        self.params.update(params)
        self._facts.update(event.get("facts") or {})
        self.dataset = event

    def _on_imported(self, event: Event) -> None:
        self._facts["import_seconds"] = event["import_seconds"]
        for package, version in event["versions"].items():
            self.params[names.PREFIX_VERSION + package] = str(version)

    def _on_device(self, event: Event) -> None:
        if event["kind"] == "gpu" and event.get("name"):
            self.tags[names.TAG_DEVICE_NAME] = event["name"]
        self.tags["device_report"] = as_text(event.get("report"))

    def _on_data(self, event: Event) -> None:
        self._facts["data_load_seconds"] = event["load_seconds"]

    def _on_built(self, event: Event) -> None:
        self._facts.update(build_seconds=event["build_seconds"], parameters=event["parameters"])

    def _on_epoch(self, event: Event) -> None:
        self._epochs.append(event)
        when = milliseconds(event)
        for key in names.EPOCH_METRICS:
            value = event.get(key)
            if value is not None:
                self.metrics.append((key, float(value), when, event["epoch"]))

    def _on_end(self, event: Event) -> None:
        for key in ("total_seconds", "peak_rss_bytes", "peak_device_bytes", "cpu_seconds"):
            self._facts[key] = event.get(key)

    def _on_closed(self, event: Event) -> None:
        self.tags[names.TAG_STATE] = event["state"]
        self.tags[names.TAG_REASON] = event.get("reason") or ""
        self.tags[names.TAG_FLAGS] = ",".join(event.get("flags") or ())
        self._facts.update(event.get("facts") or {})
        if each := steady_each(self._epochs):
            self.tags[names.TAG_STEADY] = each
        when = milliseconds(event)
        for key, value in summarise(self._epochs, self._facts).items():
            self.metrics.append((key, value, when, 0))


def milliseconds(event: Event) -> int:
    """When an event was, in the range that stores take, whatever the machine's clock said."""
    return int(min(max(event["t"], 0.001), 253_402_300_799) * 1000)


def as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, default=str)


def _identity_tags(job: Event, prepared: Event, params: dict[str, str]) -> dict[str, str]:
    """Work, stack and place of a run: what is computed, by what, and where."""
    settings = {key: text for key, text in params.items() if key.startswith(names.PREFIX_SETTING)}
    stack = {
        "backend": job["backend"],
        "keras_generation": job["keras_generation"],
        "rnn_path": params.get(names.PARAM_RNN_PATH),
        **settings,
    }
    place = {
        "device": prepared["device_name"],
        "threads": params.get(names.PARAM_THREADS),
        "affinity": params.get(names.PARAM_AFFINITY),
        "host": job["host"].get("hostname"),
    }
    tags = {names.TAG_STACK: as_text(stack), names.TAG_PLACE: as_text(place)}
    work = work_id(job["task"], prepared["data_digest"], params)
    return tags if work is None else {**tags, names.TAG_WORK: work}


def _job_tags(job: Event) -> dict[str, str]:
    tags = {
        names.TAG_SCHEMA: str(names.SCHEMA_VERSION),
        names.TAG_KIND: "run",
        names.TAG_SOURCE: "measured",
        names.TAG_JOURNAL: job["id"],
        names.TAG_REPETITION: str(job["repetition"]),
        names.TAG_GENERATION: str(job["keras_generation"]),
        names.TAG_QUALITY_METRIC: job["quality_metric"],
        names.TAG_HOST: str(job["host"].get("hostname")),
        names.PARAM_TASK: job["task"],
        names.PARAM_BACKEND: job["backend"],
        "mlflow.note.content": job["description"],
    }
    optional = {
        names.TAG_SWEEP: job.get("sweep_id"),
        names.TAG_BLOCK: job.get("block"),
        names.TAG_COMMIT: job.get("git_commit"),
        names.TAG_DIRTY: job.get("git_dirty"),
        "mlflow.source.git.commit": job.get("git_commit"),
    }
    tags.update({key: str(value) for key, value in optional.items() if value is not None})
    tags.update({names.PREFIX_HOST + key: text for key, text in _host(job, moving=True).items()})
    return tags


def _job_params(job: Event) -> dict[str, str]:
    keys = (
        names.PARAM_TASK,
        names.PARAM_BACKEND,
        names.PARAM_GPU,
        names.PARAM_PROFILE,
        names.PARAM_DATA,
    )
    params = {key: str(job[key]) for key in keys}
    params.update({names.PREFIX_HOST + key: text for key, text in _host(job, moving=False).items()})
    return params


def _host(job: Event, moving: bool) -> dict[str, str]:
    """Facts of the machine: parameters if they describe it, tags if they change from run to run."""
    return {
        key: as_text(value)
        for key, value in job["host"].items()
        if value is not None and (key in _MOVING) == moving
    }
