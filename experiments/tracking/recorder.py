"""A journal as MLflow sees it: events become tags, parameters and metrics of one run, in few calls.

The same code follows a live run and replays an old journal: what an event becomes depends on the event
alone, with its own time, so that writing it twice writes the same rows.
"""

import contextlib
import json
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments import names
from experiments.journal.events import Event
from experiments.journal.figures import steady_each, summarise
from experiments.tracking.store import Store, name_run, quiet
from experiments.tracking.work import work_id

MAX_METRICS = 800  # MLflow refuses more than 1,000 metrics, parameters and tags in one batch
MAX_PARAMS = 100
MAX_TAG = 5000
MAX_PARAM = 6000
MAX_ARTIFACT_BYTES = 8 << 20


class Recorder:
    """Collects what events say and writes it to one MLflow run, creating or resuming that run."""

    def __init__(self, store: Store, job: Event, resume: str | None = None) -> None:
        self.store = store
        self.job = job
        self._seen: set[int] = set()
        self.run_id = self._known(resume) or self._find() or self._create()
        run = store.client.get_run(self.run_id)
        name_run(store.client, run, job["name"])
        # `mlflow run` has written its -P values already, and MLflow refuses another value under a key.
        self._kept_params = set(run.data.params)
        self._started = int(run.info.start_time or 0)
        self._dataset: Event | None = None
        self._metrics: list[tuple[str, float, int, int]] = []
        self._params: dict[str, str] = {}
        self._tags: dict[str, str] = {}
        self._epochs: list[Event] = []
        self._facts: dict[str, Any] = {}
        self._tags.update(_job_tags(job))
        self._params.update(_job_params(job))

    def _known(self, run_id: str | None) -> str | None:
        """`run_id` if this store has that run; a store that does not answer raises its error."""
        from mlflow.exceptions import MlflowException

        if run_id is None:
            return None
        try:
            run = self.store.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return run_id if run.info.lifecycle_stage == "active" else None

    def _find(self) -> str | None:
        """The run that this journal has in the store already.

        There may be several: a request whose answer was lost is sent again by MLflow's own client. The one
        that holds the most is taken, and those that hold nothing are deleted.
        """
        found = self.store.client.search_runs(
            [self.store.experiment_id], f"tags.{names.TAG_JOURNAL} = '{self.job['id']}'"
        )
        if not found:
            return None
        best, *others = sorted(found, key=lambda run: (-len(run.data.metrics), run.info.run_id))
        for run in others:
            if not run.data.metrics:
                self.store.client.delete_run(run.info.run_id)
        return str(best.info.run_id)

    def _create(self) -> str:
        tags = {
            names.TAG_JOURNAL: self.job["id"],
            "mlflow.runName": self.job["name"],
            "mlflow.source.name": "experiments/train.py",
            "mlflow.source.type": "LOCAL",
            names.TAG_SCHEMA: str(names.SCHEMA_VERSION),
            names.TAG_KIND: "run",
        }
        self.store.client.create_run(
            self.store.experiment_id,
            start_time=_milliseconds(self.job),
            tags=tags,
            run_name=self.job["name"],
        )
        return str(self._find())  # the one run, should the request have been carried out twice

    def apply(self, event: Event) -> None:
        """Take in one event, each once; nothing is sent until `flush`."""
        if event["seq"] in self._seen:
            return
        self._seen.add(event["seq"])
        handler = getattr(self, f"_on_{event['event']}", None)
        if handler is not None:
            handler(event)

    def _on_prepared(self, event: Event) -> None:
        self._tags.update(
            {
                names.TAG_PROTOCOL: event["protocol_id"],
                names.TAG_DATA_SOURCE: event["data_source"],
                names.TAG_DATA_DIGEST: event["data_digest"],
                names.TAG_DEVICE_KIND: event["device_kind"],
                names.TAG_DEVICE_NAME: event["device_name"],
            }
        )
        params = {key: as_text(value) for key, value in event["params"].items()}
        self._tags.update(_identity_tags(self.job, event, params))
        if event.get("data_warning"):
            self._tags[names.TAG_DATA_WARNING] = event["data_warning"]
        self._params.update(params)
        self._facts.update(event.get("facts") or {})
        self._dataset = event

    def _on_imported(self, event: Event) -> None:
        self._facts["import_seconds"] = event["import_seconds"]
        for package, version in event["versions"].items():
            self._params[names.PREFIX_VERSION + package] = str(version)

    def _on_device(self, event: Event) -> None:
        if event["kind"] == "gpu" and event.get("name"):
            self._tags[names.TAG_DEVICE_NAME] = event["name"]
        self._tags["device_report"] = as_text(event.get("report"))

    def _on_data(self, event: Event) -> None:
        self._facts["data_load_seconds"] = event["load_seconds"]

    def _on_built(self, event: Event) -> None:
        self._facts.update(build_seconds=event["build_seconds"], parameters=event["parameters"])

    def _on_epoch(self, event: Event) -> None:
        self._epochs.append(event)
        when = _milliseconds(event)
        for key in names.EPOCH_METRICS:
            value = event.get(key)
            if value is not None:
                self._metrics.append((key, float(value), when, event["epoch"]))

    def _on_end(self, event: Event) -> None:
        for key in ("total_seconds", "peak_rss_bytes", "peak_device_bytes", "cpu_seconds"):
            self._facts[key] = event.get(key)

    def _on_closed(self, event: Event) -> None:
        self._tags[names.TAG_STATE] = event["state"]
        self._tags[names.TAG_REASON] = event.get("reason") or ""
        self._tags[names.TAG_FLAGS] = ",".join(event.get("flags") or ())
        self._facts.update(event.get("facts") or {})
        if each := steady_each(self._epochs):
            self._tags[names.TAG_STEADY] = each
        when = _milliseconds(event)
        for key, value in summarise(self._epochs, self._facts).items():
            self._metrics.append((key, value, when, 0))

    def flush(self) -> None:
        """Send what was collected. On an error nothing is forgotten: the next flush sends it again."""
        from mlflow.entities import Metric, Param, RunTag

        metrics = [Metric(key, value, when, step) for key, value, when, step in self._metrics]
        params = [
            Param(k, v[:MAX_PARAM]) for k, v in self._params.items() if k not in self._kept_params
        ]
        tags = [RunTag(key, value[:MAX_TAG]) for key, value in self._tags.items()]
        with quiet():
            while metrics or params or tags:
                batch = metrics[:MAX_METRICS], params[:MAX_PARAMS], tags[:MAX_PARAMS]
                self.store.client.log_batch(self.run_id, *batch, synchronous=True)
                metrics, params = metrics[MAX_METRICS:], params[MAX_PARAMS:]
                tags = tags[MAX_PARAMS:]
            self._send_dataset()
        self._kept_params.update(self._params)
        self._metrics, self._params, self._tags = [], {}, {}

    def _send_dataset(self) -> None:
        """Log the data set as MLflow's dataset input; MLflow keeps one of a name and digest."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        event = self._dataset
        if event is None:
            return
        source = json.dumps({"source": event["data_source"], "task": self.job["task"]})
        profile = json.dumps({key: event["params"].get(key) for key in
                              (names.PARAM_TRAIN_SAMPLES, names.PARAM_VALIDATION_SAMPLES)})  # fmt: skip
        data = Dataset(
            event["dataset"],
            event["data_digest"][:36],
            event["data_source"],
            source,
            profile=profile,
        )
        self.store.client.log_inputs(
            self.run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])]
        )
        self._dataset = None

    def artifacts(self, files: list[Path]) -> None:
        """Keep the run's files: journal, composed config, worker log, environment freeze, sample."""
        with quiet():
            for path in files:
                if path.is_file():
                    with _of_bearable_size(path) as kept:
                        self.store.client.log_artifact(self.run_id, str(kept))

    def finish(self, event: Event) -> None:
        """Set MLflow's own status from the end state, at the time that the run ended."""
        status = names.MLFLOW_STATUS.get(event["state"], "FAILED")
        end = max(_milliseconds(event), self._started)  # a clock that was set back
        with quiet():
            self.store.client.set_terminated(self.run_id, status, end_time=end)


@contextlib.contextmanager
def _of_bearable_size(path: Path) -> Iterator[Path]:
    """The file itself, or a copy of its beginning and end where a worker flooded its log."""
    size = path.stat().st_size
    if size <= MAX_ARTIFACT_BYTES:
        yield path
        return
    part = MAX_ARTIFACT_BYTES // 2
    with tempfile.TemporaryDirectory() as folder, path.open("rb") as whole:
        kept = Path(folder) / path.name
        with kept.open("wb") as copy:
            copy.write(whole.read(part))
            copy.write(f"\n… {size - 2 * part} bytes left out …\n".encode())
            whole.seek(-part, 2)
            copy.write(whole.read(part))
        yield kept


def _milliseconds(event: Event) -> int:
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
    params.update(
        {f"host.{key}": as_text(value) for key, value in job["host"].items() if value is not None}
    )
    return params
