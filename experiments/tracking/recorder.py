"""A journal as MLflow sees it: events become tags, parameters and metrics of one run, in few calls.

The same code follows a live run and replays an old journal; what events become is in `translation`.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from experiments import names
from experiments.journal.events import Event
from experiments.tracking.store import Store, name_run, quiet
from experiments.tracking.translation import Translation, milliseconds

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
        self._said = Translation(job)
        self.run_id = self._known(resume) or self._find() or self._create()
        run = store.client.get_run(self.run_id)
        name_run(store.client, run, job["name"])
        # `mlflow run` has written its -P values already, and MLflow refuses another value under a
        # key.
        self._kept_params = set(run.data.params)
        self._started = int(run.info.start_time or 0)

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

        There may be several: a request whose answer was lost is sent again by MLflow's own client.
        The one that holds the most is taken, and those that hold nothing are deleted.
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
            start_time=milliseconds(self.job),
            tags=tags,
            run_name=self.job["name"],
        )
        return str(self._find())  # the one run, should the request have been carried out twice

    def apply(self, event: Event) -> None:
        """Take in one event, each once; nothing is sent until `flush`."""
        self._said.apply(event)

    def flush(self) -> None:
        """Send what was collected. After an error the next flush sends it again."""
        from mlflow.entities import Metric, Param, RunTag

        metrics = [Metric(key, value, when, step) for key, value, when, step in self._said.metrics]
        params = [
            Param(k, v[:MAX_PARAM])
            for k, v in self._said.params.items()
            if k not in self._kept_params
        ]
        tags = [RunTag(key, value[:MAX_TAG]) for key, value in self._said.tags.items()]
        with quiet():
            while metrics or params or tags:
                batch = metrics[:MAX_METRICS], params[:MAX_PARAMS], tags[:MAX_PARAMS]
                self.store.client.log_batch(self.run_id, *batch, synchronous=True)
                metrics, params = metrics[MAX_METRICS:], params[MAX_PARAMS:]
                tags = tags[MAX_PARAMS:]
            self._send_dataset()
        self._kept_params.update(self._said.params)
        self._said.metrics, self._said.params, self._said.tags = [], {}, {}

    def _send_dataset(self) -> None:
        """Log the data set as MLflow's dataset input; MLflow keeps one of a name and digest."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        event = self._said.dataset
        if event is None:
            return
        source = json.dumps({"source": event["data_source"], "task": self.job["task"]})
        profile = json.dumps(
            {
                key: event["params"].get(key)
                for key in (names.PARAM_TRAIN_SAMPLES, names.PARAM_VALIDATION_SAMPLES)
            }
        )
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
        self._said.dataset = None

    def artifacts(self, files: list[Path]) -> None:
        """Store the run's files: journal, composed config, logs, environment freeze, sample."""
        with quiet():
            for path in files:
                if path.is_file():
                    with _of_bearable_size(path) as kept:
                        self.store.client.log_artifact(self.run_id, str(kept))

    def finish(self, event: Event) -> None:
        """Set MLflow's own status from the end state, at the time that the run ended."""
        status = names.MLFLOW_STATUS.get(event["state"], "FAILED")
        end = max(milliseconds(event), self._started)  # a clock that was set back
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
