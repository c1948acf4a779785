"""A run's journal shown to the tracking store, as far as the store answers."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from experiments.journal.journal import Event
from experiments.system import signals
from experiments.tracking.ingest import ARTIFACTS, mark
from experiments.tracking.recorder import Recorder
from experiments.tracking.store import Store, brief

LONGEST_PAUSE_SECONDS = 300.0
PATIENCE_SECONDS = 2.0  # for a store that is being written to when a signal arrives


class StoreMirror:
    """Sends what the journal already has to MLflow, at most every `flush_seconds`.

    A store that does not answer is reported once and tried again after ever longer pauses, because
    nothing is shown during an attempt, which may take many seconds. The journal never waits for it.
    """

    def __init__(self, folder: Path, flush_seconds: float, warn: Callable[[str], None]) -> None:
        self._folder, self._flush_seconds, self._warn = folder, flush_seconds, warn
        self._recorder: Recorder | None = None
        self._next_flush = 0.0
        self._pause = 0.0  # seconds that a store which did not answer is left alone
        self._unsent = False

    @property
    def run_id(self) -> str | None:
        """The MLflow run, None as long as no store has it."""
        return self._recorder.run_id if self._recorder else None

    def open(self, store: Store | None, job: Event) -> None:
        """Create or resume the MLflow run; without a store only the journal is kept."""
        if store is None:
            return
        try:
            with signals.held(PATIENCE_SECONDS):
                self._recorder = Recorder(store, job, resume=job["mlflow_run_id"])
            self.flush(force=True)
        except Exception as error:
            self._lose_store(error)
            return
        with contextlib.suppress(OSError):  # found by its journal id otherwise
            mark(self._folder, store, self._recorder.run_id, complete=False)

    def take(self, event: Event) -> None:
        """Take in an event that is in the journal; nothing is sent before `flush`."""
        if self._recorder is not None:
            self._recorder.apply(event)
            self._unsent = True

    def flush(self, force: bool = False) -> None:
        """Send what was taken in, if it is time (or `force`)."""
        due = force or (self._unsent and time.monotonic() >= self._next_flush)
        if self._recorder is None or not due:
            return
        try:
            with signals.held(PATIENCE_SECONDS):
                self._recorder.flush()
        except Exception as error:
            self._lose_store(error)
        else:
            self._pause, self._unsent = 0.0, False
        self._next_flush = time.monotonic() + max(self._pause, self._flush_seconds)

    def close(self, closed: Event) -> bool:
        """Send the rest, the artifacts and the end; whether the store took all of it."""
        if self._recorder is None:
            return False
        try:
            with signals.held(PATIENCE_SECONDS):
                self._recorder.flush()
                self._recorder.artifacts([self._folder / name for name in ARTIFACTS])
                self._recorder.finish(closed)
        except Exception as error:
            self._lose_store(error)
            return False
        with contextlib.suppress(OSError):
            mark(self._folder, self._recorder.store, self._recorder.run_id)
        return True

    def _lose_store(self, error: Exception) -> None:
        if not self._pause:
            self._warn(f"the tracking store does not answer ({brief(error)}); the journal is kept")
        longer = max(2 * self._pause, self._flush_seconds)
        self._pause = min(longer, LONGEST_PAUSE_SECONDS)
