"""One run's folder and journal, and its mirror in the store: the journal first, then the store."""

import contextlib
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from experiments import names
from experiments.cli.console import View
from experiments.config.schema import RunConfig
from experiments.errors import UserError
from experiments.journal import journal
from experiments.runs import params
from experiments.runs.mirror import StoreMirror
from experiments.runs.prepare import Ready
from experiments.system import signals
from experiments.system.paths import runs_root
from experiments.tracking.ingest import in_use
from experiments.tracking.store import Store, redacted


class RunRecord:
    """Owns the run's folder during the run; `close` writes the end and hands it to the store."""

    def __init__(self, config: RunConfig, view: View, folder: Path, journal_id: str) -> None:
        self.config, self.folder = config, folder
        self._view = view
        self.journal = journal.Journal(folder / journal.FILE_NAME, journal_id)
        self._mirror = StoreMirror(folder, config.tracking.flush_seconds, view.warn)
        self._job: journal.Event = {}
        self._facts: dict[str, Any] = {}
        self._flags: list[str] = []
        self._held = contextlib.ExitStack()

    @classmethod
    def create(cls, config: RunConfig, view: View) -> "RunRecord":
        """Make the run's folder and write its first event. UserError if it cannot be written."""
        journal_id = uuid.uuid4().hex
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        name = f"{stamp}-{config.task.name}-{config.backend.name}-{journal_id[:8]}"
        record = cls(config, view, runs_root() / name, journal_id)
        try:
            record._start()
        except OSError as error:
            record._held.close()
            reason = error.strerror or error
            raise UserError(
                f"{record.folder}: {reason}; set KBB_RUNS to another folder for runs"
            ) from error
        except BaseException:
            record._held.close()
            raise
        return record

    def _start(self) -> None:
        self.folder.mkdir(parents=True)
        self._held.enter_context(in_use(self.folder))
        (self.folder / "config.yaml").write_text(_yaml(self.config))
        self._job = self.journal.write("job", **params.job_fields(self.config))
        self._view.start(params.title(self.config), self.config.budget().epochs)

    def __enter__(self) -> "RunRecord":
        return self

    def __exit__(self, *details: object) -> None:
        self._held.close()

    @property
    def mlflow_run_id(self) -> str | None:
        """The MLflow run, None as long as no store has it."""
        return self._mirror.run_id

    def open_mirror(self, store: Store | None) -> None:
        """Show the run in the store from here on; without a store only the journal is kept."""
        self._mirror.open(store, self._job)

    def prepared(self, ready: Ready) -> None:
        """Write the `prepared` event: from here on it is settled what will be measured."""
        if not ready.verdict.sound:
            self._flags.append(names.FLAG_UNSOUND)
        event = self.journal.write("prepared", **params.prepared_fields(self.config, ready))
        self._mirror.take(event)
        self._mirror.flush(force=True)

    def take(self, event: journal.Event) -> None:
        """Take in an event of the worker, which is in the journal already."""
        self._mirror.take(event)

    def flush(self) -> None:
        """Send to the store what was taken in, when it is time."""
        self._mirror.flush()

    def observed(self, facts: dict[str, Any], flags: list[str]) -> None:
        """Add what was seen around the measured time; it is written with the end."""
        self._facts.update(facts)
        self._flags.extend(flags)

    def keep_traceback(self, text: str) -> None:
        """Append to the run's log: tracebacks never go to the terminal."""
        with contextlib.suppress(OSError), (self.folder / "worker.log").open("a") as log:
            log.write(redacted(text))

    def close(self, state: str, reason: str | None) -> None:
        """Write the end state, bring everything into the store, and say where things are.

        If the journal cannot take the end (a full disk), the store does not get it either: a later
        ingest derives it from what the worker wrote. Raises KeyboardInterrupt if Ctrl-C came
        meanwhile.
        """
        reason = redacted(reason) if reason else None
        with signals.held() as held:
            kept = False
            self._catch_up()
            event = self._write_end(state, reason)
            try:
                with held.released():
                    if event is not None:
                        kept = self._mirror.close(event)
                    else:
                        self._mirror.flush(force=True)
            except KeyboardInterrupt:
                held.arrived.append(0)
                if not kept:
                    self._view.warn("interrupted while the run was sent to the tracking store")
            self._say_end(state, reason, kept)
            interrupted, held.arrived = bool(held.arrived), []
        if interrupted and state != names.KILLED:
            raise KeyboardInterrupt

    def _write_end(self, state: str, reason: str | None) -> journal.Event | None:
        try:
            event = self.journal.write(
                "closed", state=state, reason=reason, flags=self._flags, facts=self._facts
            )
        except OSError as error:
            cause = error.strerror or error
            self._view.warn(f"{self.journal.path}: {cause}; this run's end could not be written")
            return None
        self._mirror.take(event)
        return event

    def _catch_up(self) -> None:
        """Show the store what is in the journal and never reached it, as a replay would."""
        with contextlib.suppress(OSError):
            for event in journal.read(self.journal.path, self.journal.journal_id).events:
                self._mirror.take(event)

    def _say_end(self, state: str, reason: str | None, kept: bool) -> None:
        if kept:
            where = f"MLflow run {self.mlflow_run_id}"
        else:
            where = f"not in MLflow yet: python -m experiments journal ingest {self.journal.path}"
        log = self.folder / "worker.log"
        show_log = state not in names.COMPLETE_STATES and log.exists()
        details = f"\n  log: {log}" if show_log else ""
        self._view.end(state, reason, f"  {where}{details}")


def _yaml(config: RunConfig) -> str:
    from omegaconf import OmegaConf

    shown = OmegaConf.structured(config)
    if shown.tracking.uri:
        shown.tracking.uri = redacted(shown.tracking.uri)
    return OmegaConf.to_yaml(shown)
