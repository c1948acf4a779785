"""The measured part of a run: start the worker, follow its journal, and name how it ended."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from experiments import environments, names
from experiments.cli.console import View
from experiments.config import identity
from experiments.config.schema import RunConfig
from experiments.journal import figures, journal
from experiments.runs.params import worker_job
from experiments.runs.prepare import Ready
from experiments.runs.record import RunRecord
from experiments.system import energy, host, signals
from experiments.system.gpu import throttle_reasons
from experiments.system.process import LOG, LOG_LIMIT_BYTES, Exit, Worker

# What the worker does after each of its events, for the reason of a run that ended there.
_PHASE_AFTER = {
    "": "its start",
    "start": "importing Keras",
    "imported": "looking for its device",
    "device": "loading the data",
    "data": "building the model",
}


@dataclass(frozen=True)
class End:
    """A run's end state and its reason in one line, None for a finished run."""

    state: str
    reason: str | None = None


def supervise(ready: Ready, record: RunRecord, view: View, shared: Callable[[], bool]) -> End:
    """Run the worker to its end. `shared()` tells whether another run used the device meanwhile.

    KeyboardInterrupt passes through once the worker's process group is dead.
    """
    config, folder = record.config, record.folder
    (folder / "environment.txt").write_text(environments.freeze(ready.environment))
    if ready.device.kind == "cpu":
        record.observed(host.ceiling(ready.threads), [])
    worker = Worker(
        [str(ready.environment.python), "-m", "experiments.worker", str(folder / "job.json")],
        _variables(config, ready),
        folder,
        folder / "worker.log",
    )
    training = Training(record, view, config)
    try:
        job = {
            **worker_job(config, ready),
            "journal_id": record.journal.journal_id,
            "journal": str(record.journal.path),
            "first_sequence": record.journal.next_sequence,
            "folder": str(folder),
            "notify_fd": worker.notify_write,
        }
        (folder / "job.json").write_text(json.dumps(job, indent=1))
        before = _Machine(ready.device.index)
        signals.heed()
        worker.start(config.affinity)
        end = worker.follow(training.news, training.deadline)
    finally:
        worker.close()
        training.last_news()
    record.observed(*_observe(ready, training, before, shared))
    if training.follower.problems:
        record.keep_traceback("journal: " + "; ".join(training.follower.problems) + "\n")
    return training.state(end)


def _variables(config: RunConfig, ready: Ready) -> dict[str, str]:
    return environments.worker_variables(
        ready.environment,
        config.backend,
        ready.threads,
        ready.device.kind,
        ready.device.index,
        memory_growth=config.gpu.memory_growth,
        tf32=config.gpu.tf32,
    )


class Training:
    """Follows the worker's journal: shows and records its events; knows the phase and its limit."""

    def __init__(self, record: RunRecord, view: View, config: RunConfig) -> None:
        self._record, self._view, self._config = record, view, config
        self._epochs = config.budget().epochs
        self.follower = journal.Follower(record.journal.path, record.journal.journal_id)
        self.follower.new_events()  # the parent's own
        self.done: list[journal.Event] = []
        self._end: journal.Event | None = None
        self._last_event = ""
        self._started = self._phase_started = time.monotonic()

    def news(self) -> None:
        """Take in what the worker has appended since, also what it appends during a slow flush."""
        self._take_new()
        self._record.flush()
        while self._take_new():
            self._record.flush()
        signals.heed()

    def last_news(self) -> None:
        """After the worker's death: take in what it wrote since the last look.

        A last line counts without its newline, so an interrupted run keeps its last epoch. A
        journal that is gone holds no news.
        """
        with contextlib.suppress(OSError):
            self._take_new()
            event = self.follower.finish()
            if event is not None:
                self._take(event)

    def _take_new(self) -> bool:
        events = self.follower.new_events()
        for event in events:
            self._phase_started = time.monotonic()
            if event["event"] != "end":
                self._last_event = event["event"]
            self._take(event)
        return bool(events)

    def _take(self, event: journal.Event) -> None:
        self._record.take(event)
        name = event["event"]
        if name == "epoch":
            self.done.append(event)
            self._view.epoch(event, self._epochs)
        elif name == "end":
            self._end = event
        elif name == "imported":
            shown = ("keras", self._config.backend.keras_backend, "python")
            versions = event["versions"]
            engine = ", ".join(f"{key} {versions[key]}" for key in shown if key in versions)
            seconds = event["import_seconds"]
            self._view.phase(f"worker: {engine} (imported in {seconds:.1f} s)")
        elif name == "built":
            parameters = f"{event['parameters']:,} parameters"
            self._view.phase(f"model built: {parameters}; the first epoch includes compilation")

    def deadline(self) -> tuple[float, str] | None:
        """The nearest limit as (time.monotonic(), name), None without one."""
        limits, found = self._config.timeouts, []
        if limits.total is not None:
            found.append((self._started + limits.total, "total"))
        phase = "epoch" if self.done else "first_epoch" if self._last_event == "built" else "build"
        seconds = getattr(limits, phase)
        if seconds is not None:
            found.append((self._phase_started + seconds, phase))
        return min(found, default=None)

    def state(self, end: Exit) -> End:
        """The run's end state, from the worker's last event and how its process ended."""
        # A worker that received SIGTERM reports `killed`; only this process knows why it was sent.
        killed = self._end is None or self._end["state"] == names.KILLED
        if end.timed_out == LOG and killed:
            size = f"{LOG_LIMIT_BYTES >> 30} GiB"
            return End(
                names.FAILED, f"the worker wrote more than {size} to its log in {self._where()}"
            )
        if end.timed_out is not None and killed:
            limit = getattr(self._config.timeouts, end.timed_out)
            return End(
                names.TIMEOUT, f"timeouts.{end.timed_out}={limit:g} s passed in {self._where()}"
            )
        if self._end is None:
            return End(names.FAILED, f"{_died(end.status)} in {self._where()}, without finishing")
        return End(*figures.verdict(self._end, self.done, identity.plan(self._config)))

    def _where(self) -> str:
        """The phase that the worker was in: what follows its last event."""
        if self._last_event == "epoch" and len(self.done) >= self._epochs:
            return "the phase after the last epoch"
        if self._last_event in ("built", "epoch"):
            return f"epoch {len(self.done) + 1}"
        return _PHASE_AFTER.get(self._last_event, f"the phase after {self._last_event}")


def _died(status: int) -> str:
    if status >= 0:
        return f"the worker ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    hint = " (usually the kernel's out-of-memory killer)" if name == "SIGKILL" else ""
    return f"the worker was killed by {name}{hint}"


class _Machine:
    """Processor time of the whole machine and of this process' tree at one moment, in seconds."""

    def __init__(self, gpu_index: int | None) -> None:
        import psutil

        times = psutil.cpu_times()
        # guest time is contained in user time already; iowait is idle.
        idle = [getattr(times, key, 0.0) for key in ("idle", "iowait", "guest", "guest_nice")]
        self.busy = sum(times) - sum(idle)
        self.own = sum(os.times()[:4])
        self.wall = time.monotonic()
        self.load = host.load_average()
        self.meter = energy.read(gpu_index)


def _observe(
    ready: Ready, training: Training, before: _Machine, shared: Callable[[], bool]
) -> tuple[dict[str, Any], list[str]]:
    """Facts and flags from around the measured time: noise is flagged, never repaired."""
    after = _Machine(ready.device.index)
    wall = max(after.wall - before.wall, 1e-9)
    others = ((after.busy - before.busy) - (after.own - before.own)) / wall
    facts = {
        "load_before": before.load,
        "load_after": after.load,
        "load_of_others": round(others, 3),
        "energy_joules": energy.used(before.meter, after.meter),
    }
    flags = figures.noise_flags(training.done)
    if others > (os.cpu_count() or 1) / 4:
        flags.append(names.FLAG_LOADED)
    if shared():
        flags.append(names.FLAG_SHARED)
    if ready.device.index is not None and throttle_reasons(ready.device.index):
        flags.append(names.FLAG_THROTTLED)
    return facts, flags
