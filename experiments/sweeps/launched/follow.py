"""Follows the runs of a launcher's jobs by their journals, and ingests each when it ends.

Jobs on a cluster's nodes have no route to the store and share nothing with this process but the
folder of runs.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from experiments import names
from experiments.errors import TrackingError, UserError
from experiments.journal import journal
from experiments.sweeps.finished import from_journal
from experiments.sweeps.grid import Job
from experiments.sweeps.progress import Key, Progress
from experiments.sweeps.results import Result
from experiments.system.paths import runs_root
from experiments.tracking.ingest import in_use, ingest, read_mark
from experiments.tracking.store import Store

SECONDS = 1.0  # a look costs a directory listing


class _Run:
    """One run that is being followed."""

    def __init__(self, path: Path) -> None:
        self.path, self.follower = path, journal.Follower(path)
        self.key: Key | None = None
        self.epochs = 0
        self.closed = False


class Watcher:
    """A thread that watches from `start` to `finish`; `results` grows meanwhile."""

    def __init__(
        self,
        sweep_id: str,
        jobs: list[Job],
        progress: Progress,
        store: Callable[[], Store | None],
        on_end: Callable[[Job, Result], None],
    ) -> None:
        self._sweep_id, self._progress, self._store, self._on_end = (
            sweep_id,
            progress,
            store,
            on_end,
        )
        self._jobs = {job.key: job for job in jobs}
        self._seen = {path.name for path in _folders() if not self._goes_on(path)}
        self._runs: list[_Run] = []
        self._stop, self._looking = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self.ended: set[Key] = set()

    def _goes_on(self, folder: Path) -> bool:
        """Whether a run that an earlier process of this sweep submitted must still be followed."""
        if (read_mark(folder) or {}).get("complete"):
            return False
        try:
            job = journal.read(folder / journal.FILE_NAME).first("job")
            if job is None or job.get("sweep_id") != self._sweep_id:
                return False
            if self._store() is not None:
                return True  # not in the store, so it has ended only just now, if at all
            with in_use(folder):
                return False
        except OSError:
            return False
        except UserError:
            return True

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def finish(self) -> None:
        """The jobs are over: take in the rest, the runs whose process died included."""
        self._stop.set()
        self._thread.join()
        self._look()
        for run in self._runs:
            if run.key is not None and run.key not in self.ended:
                self._settle(run, last=True)

    def settle_all(self, seconds: float) -> None:
        """Wait until every run that began has ended here too.

        A job leaves its queue a moment before the end of its run can be read.
        """
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            self._look()
            if all(run.key is None or run.key in self.ended for run in list(self._runs)):
                return
            time.sleep(SECONDS)

    def _watch(self) -> None:
        while not self._stop.wait(SECONDS):
            self._look()

    def _look(self) -> None:
        with self._looking:
            self._look_once()

    def _look_once(self) -> None:
        for folder in _folders():
            path = folder / journal.FILE_NAME
            if folder.name not in self._seen and path.exists():
                self._seen.add(folder.name)
                self._runs.append(_Run(path))
        for run in list(self._runs):
            self._follow(run)

    def _follow(self, run: _Run) -> None:
        try:
            events = run.follower.new_events()
        except OSError:
            return
        for event in events:
            self._take(run, event)
        if run.closed and run.key is not None and run.key not in self.ended:
            self._settle(run, last=False)

    def _take(self, run: _Run, event: journal.Event) -> None:
        name = event["event"]
        if name == "job":
            if (
                event.get("sweep_id") != self._sweep_id
                or (event.get("cell"), event["repetition"]) not in self._jobs
            ):
                self._runs.remove(run)
                return
            run.key = (event["cell"], event["repetition"])
            job = self._jobs[run.key]
            self._progress.begin(run.key, job.name, job.cell.config.budget().epochs)
        elif run.key is None:
            return
        elif name == "prepared":
            run.epochs = event["params"].get("run.epochs", 0)
        elif name == "epoch":
            self._progress.epoch(run.key, event, run.epochs)
        elif name == "closed":
            run.closed = True

    def _settle(self, run: _Run, last: bool) -> None:
        """Bring an ended run into the store and tell how it ended."""
        assert run.key is not None
        store = self._store()
        try:
            if store is not None:
                ingest(run.path, store)
        except TrackingError as error:
            if not last:
                return  # tried again at the next look
            self._progress.warn(f"{run.path.parent.name}: {error}")
        except UserError:
            if not last:
                return  # its process has not let go of the folder yet
        past = from_journal(journal.read(run.path))
        if past is None:
            return
        self.ended.add(run.key)
        log = run.path.parent / "worker.log"
        died = None if past.state else "the process that followed this run died"
        result = Result(
            past.state or names.KILLED,
            past.reason or died,
            past.figures,
            folder=str(run.path.parent),
        )
        job = self._jobs[run.key]
        self._progress.end(
            run.key,
            job.name,
            result.state,
            result.reason,
            result.figures,
            str(log) if log.exists() else "",
        )
        self._on_end(job, result)


def _folders() -> list[Path]:
    try:
        return [path for path in runs_root().iterdir() if not path.name.startswith(".")]
    except OSError:
        return []
