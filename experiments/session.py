"""One run's folder, journal and MLflow run, kept in step: the journal first, the store when it answers."""

import contextlib
import os
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import host, identity, journal, names, signals
from experiments.config import RunConfig
from experiments.errors import UserError
from experiments.live import View
from experiments.paths import runs_root

if TYPE_CHECKING:
    from experiments.datasets import Prepared
    from experiments.devices import Device
    from experiments.environments import CheckResult, Environment
    from experiments.tracking.recorder import Recorder


LONGEST_PAUSE_SECONDS = 300.0
PATIENCE_SECONDS = 2.0  # for a store that is being written to when a signal arrives


class Session:
    """Owns the run's folder while the run goes on; `close` writes its end and hands it to the store."""

    def __init__(self, config: RunConfig, view: View, folder: Path, journal_id: str) -> None:
        self.config, self.view, self.folder = config, view, folder
        self.journal = journal.Journal(folder / journal.FILE_NAME, journal_id)
        self.recorder: Recorder | None = None
        self.job: journal.Event = {}
        self.facts: dict[str, Any] = {}
        self.flags: list[str] = []
        self._held = contextlib.ExitStack()
        self._next_flush = 0.0
        self._pause = 0.0  # seconds that a store which did not answer is left alone
        self._unsent = False

    @classmethod
    def create(cls, config: RunConfig, view: View) -> "Session":
        """Make the run's folder and its first journal entry. UserError where the folder cannot be written."""
        from experiments.tracking.ingest import in_use

        journal_id = uuid.uuid4().hex
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        folder = runs_root() / f"{stamp}-{config.task.name}-{config.backend.name}-{journal_id[:8]}"
        session = cls(config, view, folder, journal_id)
        try:
            folder.mkdir(parents=True)
            session._held.enter_context(in_use(folder))
            (folder / "config.yaml").write_text(_yaml(config))
            session._first_entry()
        except OSError as error:
            session._held.close()
            raise UserError(f"{folder}: {error.strerror or error}; KBB_RUNS names another folder for runs") from error
        except BaseException:
            session._held.close()
            raise
        return session

    def _first_entry(self) -> None:
        config = self.config
        commit, dirty = host.git_commit()
        title = f"{config.task.title} · {config.backend.title} · {config.profile.name}"
        self.job = self.journal.write(
            "job",
            name=f"{config.task.name} {config.backend.name} {config.profile.name} #{config.repetition}",
            description=title, task=config.task.name, backend=config.backend.name, gpu=config.gpu.name,
            profile=config.profile.name, data=config.data.name, repetition=config.repetition,
            keras_generation=config.backend.keras_generation, quality_metric=config.task.quality.metric,
            sweep_id=config.sweep.id, block=config.sweep.block, cell=config.sweep.cell,
            git_commit=commit, git_dirty=dirty,
            host=host.facts(), mlflow_run_id=_inherited_run(), experiment=config.tracking.experiment,
        )
        self.view.start(title, config.budget().epochs)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *details: object) -> None:
        self._held.close()

    @property
    def mlflow_run_id(self) -> str | None:
        """The MLflow run, None as long as no store has it."""
        return self.recorder.run_id if self.recorder else None

    def record_into(self, store: Any) -> None:
        """Create or resume the MLflow run; without a store the journal alone is kept."""
        if store is None:
            return
        from experiments.tracking.ingest import mark
        from experiments.tracking.recorder import Recorder

        try:
            with signals.deferred(PATIENCE_SECONDS):
                self.recorder = Recorder(store, self.job, resume=self.job["mlflow_run_id"])
            self.flush(force=True)
        except Exception as error:
            self._lose_store(error)
            return
        with contextlib.suppress(OSError):  # found by its journal id otherwise
            mark(self.folder, store, self.recorder.run_id, complete=False)

    def write(self, event: str, **fields: Any) -> journal.Event:
        """Append an event of the parent to the journal and show it to the recorder."""
        record = self.journal.write(event, **fields)
        self.take(record)
        return record

    def take(self, event: journal.Event) -> None:
        """Show an event that is durable already to the recorder."""
        if self.recorder is not None:
            self.recorder.apply(event)
            self._unsent = True

    def flush(self, force: bool = False) -> None:
        """Send what was collected, at most every `tracking.flush_seconds`.

        A store that does not answer is said once and asked again after ever longer pauses: each attempt
        may take many seconds, during which nothing is shown.
        """
        now = time.monotonic()
        if self.recorder is None or not (force or (self._unsent and now >= self._next_flush)):
            return
        try:
            with signals.deferred(PATIENCE_SECONDS):
                self.recorder.flush()
        except Exception as error:
            self._lose_store(error)
        else:
            self._pause, self._unsent = 0.0, False
        self._next_flush = time.monotonic() + max(self._pause, self.config.tracking.flush_seconds)

    def _lose_store(self, error: Exception) -> None:
        from experiments.tracking.store import brief

        if not self._pause:
            self.view.warn(f"the tracking store does not answer ({brief(error)}); the journal goes on")
        self._pause = min(max(2 * self._pause, self.config.tracking.flush_seconds), LONGEST_PAUSE_SECONDS)

    def prepared(
        self, device: "Device", environment: "Environment", verdict: "CheckResult", threads: int,
        data: "Prepared",
    ) -> None:
        """Write the `prepared` event: from here on it is settled what will be measured."""
        from experiments.environments import compile_cache_state

        config = self.config
        if not verdict.sound:
            self.flags.append(names.FLAG_UNSOUND)
        self.write(
            "prepared",
            protocol_id=identity.protocol_id(config, data.digest, threads),
            work=identity.work(config, data.digest, threads),
            dataset=config.task.dataset.name, data_source=data.source, data_digest=data.digest,
            data_warning=data.warning, prepare_seconds=data.seconds,
            device_kind=device.kind, device_name=device.name,
            environment={"python": str(environment.python), "key": environment.key,
                         "manager": environment.manager, "build_seconds": environment.seconds},
            check={"sound": verdict.sound, "message": verdict.message, "cached": verdict.cached},
            params={**self._params(threads, data), "run.compile_cache": compile_cache_state(environment)},
            facts={"price_per_hour": config.gpu.price_per_hour, "target": config.task.quality.target,
                   **plan(config)},
        )
        self.flush(force=True)

    def _params(self, threads: int, data: "Prepared") -> dict[str, Any]:
        config, budget = self.config, self.config.budget()
        params: dict[str, Any] = {
            names.PARAM_THREADS: threads, names.PARAM_EPOCHS: budget.epochs,
            names.PARAM_SEED: identity.seed(config.task.name, config.repetition),
            names.PARAM_BATCH: config.batch_size(), names.PARAM_FRACTION: budget.fraction,
            names.PARAM_TRAIN_SAMPLES: data.train_samples,
            names.PARAM_VALIDATION_SAMPLES: data.validation_samples,
            "run.affinity": config.affinity, "run.tf32": config.gpu.tf32, "run.precision": "float32",
            "run.rnn_path": identity.rnn_path(config), "run.shuffle": config.task.shuffle,
        }
        if config.gpu.price_per_hour is not None:
            params[names.PARAM_PRICE] = config.gpu.price_per_hour
        if config.task.quality.target is not None:
            params[names.PARAM_TARGET] = config.task.quality.target
        hyper = {"model": config.model(), "optimizer": config.task.optimizer, "loss": config.task.loss,
                 "preparation": config.task.preparation, "augmentation": config.task.augmentation}
        params.update({names.PREFIX_HYPER + key: value for key, value in flat(hyper).items()})
        params.update({f"setting.{key}": value for key, value in backend_settings(config).items()})
        return params

    def keep_traceback(self, text: str) -> None:
        """Tracebacks go to the run's log, never to the terminal."""
        with contextlib.suppress(OSError), (self.folder / "worker.log").open("a") as log:
            log.write(text)

    def close(self, state: str, reason: str | None) -> None:
        """Write the end state, bring everything into the store, and tell where things are.

        Where the journal cannot take the end (a full disk), the store does not get it either: a later
        ingest finds it out from what the worker wrote. KeyboardInterrupt where Ctrl-C came just now.
        """
        with signals.shielded() as shield:
            kept, event = False, None
            self._catch_up()
            try:
                event = self.write("closed", state=state, reason=reason, flags=self.flags, facts=self.facts)
            except OSError as error:
                self.view.warn(f"{self.journal.path}: {error.strerror or error}; this run's end could not be written")
            try:
                with shield.lowered(), signals.deferred(PATIENCE_SECONDS):
                    if event is not None:
                        kept = self._hand_over(event)
                    else:
                        self.flush(force=True)
            except KeyboardInterrupt:
                shield.arrived.append(0)
                if not kept:
                    self.view.warn("interrupted while the run was sent to the tracking store")
            self._tell_end(state, reason, kept)
        if shield.arrived and state != names.KILLED:
            raise KeyboardInterrupt

    def _catch_up(self) -> None:
        """Show the recorder what is in the journal and never reached it, so that a replay comes to the same."""
        if self.recorder is not None:
            with contextlib.suppress(OSError):
                for event in journal.read(self.journal.path, self.journal.journal_id).events:
                    self.recorder.apply(event)

    def _tell_end(self, state: str, reason: str | None, kept: bool) -> None:
        where = f"MLflow run {self.mlflow_run_id}" if kept else (
            f"not in MLflow yet: python -m experiments.journal ingest {self.journal.path}")
        log = self.folder / "worker.log"
        details = f"\n  log: {log}" if state not in names.COMPLETE_STATES and log.exists() else ""
        self.view.end(state, reason, f"  {where}{details}")

    def _hand_over(self, closed: journal.Event) -> bool:
        from experiments.tracking.ingest import ARTIFACTS, mark

        if self.recorder is None:
            return False
        try:
            self.recorder.flush()
            self.recorder.artifacts([self.folder / name for name in ARTIFACTS])
            self.recorder.finish(closed)
        except Exception as error:
            self._lose_store(error)
            return False
        with contextlib.suppress(OSError):
            mark(self.folder, self.recorder.store, self.recorder.run_id)
        return True


def backend_settings(config: RunConfig) -> dict[str, Any]:
    """What tells two runs of one backend apart: its settings, its variables, and an interpreter that a user named."""
    backend = config.backend
    named = {"python": backend.python} if backend.python else {}
    return flat({**backend.settings, **named, **({"variables": backend.variables} if backend.variables else {})})


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, keys joined by dots; lists stay whole."""
    if not isinstance(tree, dict):
        return {prefix: tree}
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found.update(flat(value, f"{prefix}.{key}" if prefix else str(key)))
    return found


def plan(config: RunConfig) -> dict[str, Any]:
    """What decides whether a run that came to its end also did what was planned (summary.verdict)."""
    budget, quality = config.budget(), config.task.quality
    return {"epochs": budget.epochs, "floor": budget.floor, "quality_metric": quality.metric,
            "quality_better": quality.better}


def _inherited_run() -> str | None:
    """The run that `mlflow run` opened for this process. Taken once: no other run may resume it too."""
    return os.environ.pop("MLFLOW_RUN_ID", None)


def _yaml(config: RunConfig) -> str:
    from omegaconf import OmegaConf

    from experiments.tracking.store import redacted

    shown = OmegaConf.structured(config)
    if shown.tracking.uri:
        shown.tracking.uri = redacted(shown.tracking.uri)
    return OmegaConf.to_yaml(shown)
