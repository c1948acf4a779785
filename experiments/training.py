"""The measured part of a run: hand the job to the worker, follow its journal, and name how it ended."""

import contextlib
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from experiments import devices, energy, environments, host, identity, journal, names, signals, summary
from experiments.process import LOG, LOG_LIMIT_BYTES, Exit, Worker
from experiments.session import Session, plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from experiments.datasets import Prepared
    from experiments.environments import Environment


def train(
    session: Session, device: devices.Device, environment: "Environment", threads: int,
    data: "Prepared", shared: "Callable[[], bool]",
) -> tuple[str, str | None]:
    """Run the worker to its end; returns the end state and its reason. KeyboardInterrupt passes through
    after the worker's process group is dead."""
    config = session.config
    (session.folder / "environment.txt").write_text(environments.freeze(environment))
    session.facts.update(host.ceiling(threads) if device.kind == "cpu" else {})
    variables = environments.worker_variables(
        environment, config.backend, threads, device.kind, device.index,
        memory_growth=config.gpu.memory_growth, tf32=config.gpu.tf32,
    )
    follower = Training(session, config.budget().epochs)
    worker = Worker(
        [str(environment.python), "-m", "experiments.worker", str(session.folder / "job.json")],
        variables, session.folder, session.folder / "worker.log",
    )
    try:
        job = _job(session, device, threads, data, worker.notify_write)
        (session.folder / "job.json").write_text(json.dumps(job, indent=1))
        before = _Machine(device.index)
        signals.heed()
        follower.pid = worker.start(config.affinity)
        end = worker.follow(follower.news, follower.deadline)
    finally:
        worker.close()
        follower.last_news()
    _observe(session, device, follower, before, shared)
    return follower.state(end)


def _job(
    session: Session, device: devices.Device, threads: int, data: "Prepared", notify: int
) -> dict[str, Any]:
    """All that the worker is told (job.json)."""
    config = session.config
    sample = config.task.sample
    return {
        "schema": 1, "journal_id": session.journal.journal_id,
        "task": config.task.name, "backend": config.backend.name,
        "keras_backend": config.backend.keras_backend, "keras_generation": config.backend.keras_generation,
        "model": config.model(), "optimizer": config.task.optimizer, "loss": config.task.loss,
        "batch": config.batch_size(), "epochs": config.budget().epochs, "shuffle": config.task.shuffle,
        "augmentation": config.task.augmentation,
        "arrays": {name: str(path) for name, path in data.arrays.items()}, "extra": data.extra,
        "sample": None if sample is None else
        {"characters": sample.characters, "temperature": sample.temperature},
        "seed": identity.seed(config.task.name, config.repetition), "threads": threads,
        "affinity": config.affinity,
        "device": {"kind": device.kind, "name": device.expected, "index": device.index,
                   "memory_growth": config.gpu.memory_growth, "tf32": config.gpu.tf32},
        "settings": config.backend.settings, "journal": str(session.journal.path),
        "first_sequence": session.journal.next_sequence, "folder": str(session.folder),
        "notify_fd": notify,
    }


PHASE_AFTER = {"": "its start", "start": "importing Keras", "imported": "looking for its device",
               "device": "loading the data", "data": "building the model"}  # fmt: skip


class Training:
    """Follows the worker's journal: shows and records its events, knows its phase and the phase's limit."""

    def __init__(self, session: Session, epochs: int) -> None:
        self.session, self.epochs = session, epochs
        self.follower = journal.Follower(session.journal.path, session.journal.journal_id)
        self.follower.new_events()  # the parent's own
        self.done: list[journal.Event] = []
        self.end: journal.Event | None = None
        self.pid = 0
        self.last_event = ""
        self.started = self.phase_started = time.monotonic()

    def news(self) -> None:
        """Take in what the worker appended since the last time, also while a slow store was waited for."""
        self._take()
        self.session.flush()
        while self._take():
            self.session.flush()
        signals.heed()

    def _take(self) -> bool:
        events = self.follower.new_events()
        for event in events:
            self.phase_started = time.monotonic()
            if event["event"] != "end":
                self.last_event = event["event"]
            self.session.take(event)
            self._show(event)
        return bool(events)

    def last_news(self) -> None:
        """The worker is dead: take what it wrote after the last look, be it without its newline.

        An interrupted run keeps its last epoch that way. A journal that is gone holds no news.
        """
        with contextlib.suppress(OSError):
            self._take()
            event = self.follower.finish()
            if event is not None:
                self.session.take(event)
                self._show(event)

    def _show(self, event: journal.Event) -> None:
        view, name = self.session.view, event["event"]
        if name == "epoch":
            self.done.append(event)
            view.epoch(event, self.epochs)
        elif name == "end":
            self.end = event
        elif name == "imported":
            engine = ", ".join(f"{key} {value}" for key, value in sorted(event["versions"].items())
                               if key in ("keras", "theano", "tensorflow", "cntk", "jax", "torch", "python"))
            view.phase(f"worker: {engine} (imported in {event['import_seconds']:.1f} s)")
        elif name == "built":
            view.phase(f"model built: {event['parameters']:,} parameters; the first epoch includes compilation")

    def deadline(self) -> tuple[float, str] | None:
        """The nearest limit as (time.monotonic(), name), None without one."""
        limits, found = self.session.config.timeouts, []
        if limits.total is not None:
            found.append((self.started + limits.total, "total"))
        phase = "epoch" if self.done else "first_epoch" if self.last_event == "built" else "build"
        seconds = getattr(limits, phase)
        if seconds is not None:
            found.append((self.phase_started + seconds, phase))
        return min(found, default=None)

    def state(self, end: Exit) -> tuple[str, str | None]:
        """The run's end state from what the worker said and how its process ended."""
        config = self.session.config
        # A worker that was told to end says so in its last event; why it was told is known here.
        cut_short = end.timed_out is not None and (self.end is None or self.end["state"] == names.KILLED)
        if cut_short and end.timed_out == LOG:
            return names.FAILED, f"the worker wrote more than {LOG_LIMIT_BYTES >> 30} GiB to its log in {self._where()}"
        if cut_short and end.timed_out is not None:
            limit = getattr(config.timeouts, end.timed_out)
            return names.TIMEOUT, f"timeouts.{end.timed_out}={limit:g} s passed in {self._where()}"
        if self.end is None:
            return names.FAILED, f"{_died(end.status)} in {self._where()}, without finishing"
        return summary.verdict(self.end, self.done, plan(config))

    def _where(self) -> str:
        """The phase that the worker was in: what follows upon its last event."""
        if self.last_event == "epoch" and len(self.done) >= self.epochs:
            return "the phase after the last epoch"
        if self.last_event in ("built", "epoch"):
            return f"epoch {len(self.done) + 1}"
        return PHASE_AFTER.get(self.last_event, f"the phase after {self.last_event}")


def _died(status: int) -> str:
    if status >= 0:
        return f"the worker ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    hint = " (the system ends processes so when memory runs out)" if name == "SIGKILL" else ""
    return f"the worker was ended by {name}{hint}"


class _Machine:
    """Processor time of the whole machine and of this process's tree at one moment, seconds."""

    def __init__(self, gpu_index: int | None) -> None:
        import psutil

        times = psutil.cpu_times()
        # guest time is contained in user time already; iowait is idle.
        self.busy = sum(times) - times.idle - sum(
            getattr(times, key, 0.0) for key in ("iowait", "guest", "guest_nice"))
        self.own = sum(os.times()[:4])
        self.wall = time.monotonic()
        self.load = host.load_average()
        self.meter = energy.read(gpu_index)


def _observe(
    session: Session, device: devices.Device, follower: Training, before: _Machine,
    shared: "Callable[[], bool]",
) -> None:
    """Flags and facts from around the measured time: noise is flagged, never repaired."""
    after = _Machine(device.index)
    wall = max(after.wall - before.wall, 1e-9)
    others = ((after.busy - before.busy) - (after.own - before.own)) / wall
    cores = os.cpu_count() or 1
    session.facts.update(
        load_before=before.load, load_after=after.load, load_of_others=round(others, 3),
        energy_joules=energy.used(before.meter, after.meter),
    )
    flags = summary.noise_flags(follower.done)
    if others > cores / 4:
        flags.append(names.FLAG_LOADED)
    if shared():
        flags.append(names.FLAG_SHARED)
    if device.index is not None and devices.throttle_reasons(device.index):
        flags.append(names.FLAG_THROTTLED)
    session.flags.extend(flags)
    if follower.follower.problems:
        session.keep_traceback("journal: " + "; ".join(follower.follower.problems) + "\n")
