"""Runs in a launcher's processes: submitted in block order, followed, resubmitted if lost."""

import logging
import subprocess
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from experiments import names
from experiments.sweeps.grid import Job, Request
from experiments.sweeps.launched import kinds
from experiments.sweeps.launched.follow import Watcher
from experiments.sweeps.launched.task import LEFT
from experiments.sweeps.progress import Progress
from experiments.sweeps.records import STOP, SweepRecord
from experiments.sweeps.results import Result
from experiments.tracking.store import Store, brief

if TYPE_CHECKING:
    from hydra.plugins.launcher import Launcher

_QUEUE_SECONDS = 5.0
_GRACE_SECONDS = 30.0  # between a job's end and its result on a shared file system
_ROUNDS = 3


class Launch:
    """Carries out jobs through one of Hydra's launchers."""

    def __init__(
        self,
        request: Request,
        how: kinds.Launching,
        record: SweepRecord,
        progress: Progress,
        store: Callable[[], Store | None],
        on_end: Callable[[Job, Result], None],
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
                if self._wait_for_queue():
                    watcher.settle_all(_GRACE_SECONDS)
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
            if (
                trouble is None
                or not left
                or len(left) == before
                or (self._record.folder / STOP).exists()
            ):
                break
            self._progress.warn(
                f"hydra/launcher={self._how.name}: {trouble}; launching the {len(left)} left again"
            )
        if trouble is not None and left:
            self._progress.warn(
                f"hydra/launcher={self._how.name}: {trouble}; see {self._record.folder}"
            )

    def _launch_once(self, jobs: list[Job], fail_fast: bool) -> tuple[str | None, list[Any]]:
        """Launch and wait; what went wrong with the launcher itself, and what each job returned."""
        if not jobs:
            return None, []
        switch = ["fail_fast=true"] if fail_fast else []
        id_ = self._record.id
        overrides = [kinds.without_address(job.overrides(id_)) + switch for job in jobs]
        # submitit warns of a cluster without accounting, and sets its logger's level itself.
        logging.getLogger("submitit").addFilter(_only_errors)
        try:
            launcher: Launcher = kinds.make(self._request, self._record)
            if self._how.name == "slurm":
                return self._launch_beside_queue(launcher, overrides)
            return None, list(launcher.launch(overrides, initial_job_idx=0))
        # Launchers raise their own errors: a pool that broke, a scheduler that refused.
        except Exception as error:
            return f"{type(error).__name__}: {brief(error)}", []

    def _launch_beside_queue(
        self, launcher: "Launcher", overrides: list[list[str]]
    ) -> tuple[str | None, list[Any]]:
        """Launch, and watch the queue as well: a job that was killed hard never returns a result.

        On a cluster without accounting the launcher would wait for its result forever.
        """
        answers: list[Any] = []
        errors: list[Exception] = []

        def work() -> None:
            try:
                answers.extend(launcher.launch(overrides, initial_job_idx=0))
            except Exception as error:
                errors.append(error)

        thread = threading.Thread(target=work, name="launcher", daemon=True)
        thread.start()
        empty_since: float | None = None
        while thread.is_alive():
            thread.join(_QUEUE_SECONDS)
            if _queued(kinds.queue_name(self._record)) != 0:
                empty_since = None
            elif empty_since is None:
                empty_since = time.monotonic()
            elif time.monotonic() - empty_since > _GRACE_SECONDS:
                return "jobs left Slurm's queue without a result", []
        if errors:
            return f"{type(errors[0]).__name__}: {brief(errors[0])}", []
        return None, answers

    def _unwatched(self, job: Job, answer: Any, watcher: Watcher) -> None:
        """Record a job without a journal: it failed before its run, or fail_fast left it out."""
        if job.key in watcher.ended:
            return
        try:
            value = answer.return_value
        except Exception as error:
            reason = f"{type(error).__name__}: {brief(error)}"
        else:
            if not isinstance(value, dict) or value.get("state") == LEFT:
                return
            reason = (
                value.get("reason") or "its journal did not appear in the folder of runs (KBB_RUNS)"
            )
        watcher.ended.add(job.key)
        result = Result(names.FAILED, reason)
        self._progress.end(job.key, job.name, result.state, reason, {}, "")
        self._on_end(job, result)

    def _wait_for_queue(self) -> bool:
        """Wait for the jobs that an earlier, killed process of this sweep has queued.

        Whether there were any.
        """
        if self._how.name != "slurm":
            return False
        told = False
        while count := _queued(kinds.queue_name(self._record)):
            if not told:
                self._progress.line(
                    f"{count} jobs of this sweep are in the queue already; following them"
                )
                told = True
            time.sleep(_QUEUE_SECONDS)
        return told

    def _cancel(self) -> None:
        if self._how.name == "slurm":
            _slurm("scancel", "--name", kinds.queue_name(self._record))


def _queued(name: str) -> int | None:
    """Jobs of that name which wait or run; None if the scheduler does not answer."""
    listed = _slurm("squeue", "--noheader", "--array", "--name", name, "--format", "%i")
    return None if listed is None else len(listed.split())


def _slurm(*command: str) -> str | None:
    """A Slurm command's output; None if it does not answer."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def _only_errors(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
