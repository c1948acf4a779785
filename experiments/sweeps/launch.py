"""Runs that a launcher makes in other processes: submitted in block order, followed, and none lost with another."""

import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from experiments import names
from experiments.sweeps import launchers
from experiments.sweeps.grid import Job, Request
from experiments.sweeps.job import LEFT
from experiments.sweeps.progress import Progress
from experiments.sweeps.records import STOP, Record
from experiments.sweeps.results import Result
from experiments.sweeps.watch import Watcher
from experiments.tracking.store import Store, brief

if TYPE_CHECKING:
    from hydra.plugins.launcher import Launcher

_QUEUE_SECONDS = 5.0
_ROUNDS = 3


class Launch:
    """Carries out jobs through one of Hydra's launchers."""

    def __init__(
        self, request: Request, how: launchers.Launching, record: Record, progress: Progress,
        store: Callable[[], Store | None], on_end: Callable[[Job, Result], None],
    ) -> None:
        self._request, self._how, self._record = request, how, record
        self._progress, self._store, self._on_end = progress, store, on_end

    def carry_out(self, jobs: list[Job], fail_fast: bool) -> None:
        """Launch all jobs; those that a dying process took with it are launched again.

        KeyboardInterrupt passes through after a cluster's jobs were cancelled.
        """
        (self._record.folder / STOP).unlink(missing_ok=True)
        left = jobs
        for _ in range(_ROUNDS):
            watcher = Watcher(self._record.id, left, self._progress, self._store, self._on_end)
            watcher.start()
            try:
                self._wait_for_queue()
                done = [job for job in left if job.key not in watcher.ended]
                trouble, returned = self._launch_once(done, fail_fast)
            except KeyboardInterrupt:
                self._cancel()
                raise
            finally:
                watcher.finish()
            for job, answer in zip(done, returned, strict=False):
                self._unwatched(job, answer, watcher)
            before, left = len(left), [j for j in left if j.key not in watcher.ended]
            if trouble is None or not left or len(left) == before or (self._record.folder / STOP).exists():
                break
            self._progress.warn(f"hydra/launcher={self._how.name}: {trouble}; launching the {len(left)} left again")
        if trouble is not None and left:
            self._progress.warn(f"hydra/launcher={self._how.name}: {trouble}; see {self._record.folder}")

    def _launch_once(self, jobs: list[Job], fail_fast: bool) -> tuple[str | None, list[Any]]:
        """Launch and wait; what went wrong with the launcher itself, and what each job returned."""
        if not jobs:
            return None, []
        switch = ["fail_fast=true"] if fail_fast else []
        overrides = [job.overrides(self._record.id) + switch for job in jobs]
        try:
            launcher: Launcher = launchers.make(self._request, self._record)
            return None, list(launcher.launch(overrides, initial_job_idx=0))
        except Exception as error:  # each launcher has its own: a pool that broke, a scheduler that refused
            return f"{type(error).__name__}: {brief(error)}", []

    def _unwatched(self, job: Job, answer: Any, watcher: Watcher) -> None:
        """A job that ended without a journal: it failed before its run began, or was left after a fail_fast."""
        if job.key in watcher.ended:
            return
        try:
            value = answer.return_value
        except Exception as error:
            reason = f"{type(error).__name__}: {brief(error)}"
        else:
            if not isinstance(value, dict) or value.get("state") == LEFT:
                return
            reason = value.get("reason") or "its journal did not appear in the folder of runs (KBB_RUNS)"
        watcher.ended.add(job.key)
        result = Result(names.FAILED, reason)
        self._progress.end(job.key, job.name, result.state, reason, {}, "")
        self._on_end(job, result)

    def _wait_for_queue(self) -> None:
        """Jobs of this sweep that an earlier, killed process submitted go on; wait until none is queued."""
        if self._how.name != "slurm":
            return
        told = False
        while count := len(_queued(launchers.queue_name(self._record))):
            if not told:
                self._progress.line(f"{count} jobs of this sweep are in the queue already; following them")
                told = True
            time.sleep(_QUEUE_SECONDS)

    def _cancel(self) -> None:
        if self._how.name == "slurm":
            _slurm("scancel", "--name", launchers.queue_name(self._record))


def _queued(name: str) -> list[str]:
    return _slurm("squeue", "--noheader", "--name", name, "--format", "%i").split()


def _slurm(*command: str) -> str:
    """A Slurm command's output; empty where it does not answer."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
