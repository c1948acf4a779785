"""Start a worker in a process group of its own, sleep until it has something to say, and end it for certain."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class Exit:
    """How a worker ended: its status (negative: the signal), and the limit it ran into, if any."""

    status: int
    timed_out: str | None
    cpu_seconds: float


class Worker:
    """One worker process. `follow` blocks in the kernel: the parent uses no CPU while nothing happens."""

    def __init__(self, command: list[str], variables: Mapping[str, str], folder: Path, log: Path) -> None:
        self._command, self._variables, self._folder, self._log = command, dict(variables), folder, log
        self.notify_read, self.notify_write = os.pipe()
        os.set_inheritable(self.notify_write, True)
        self._wake_read, self._wake_write = os.pipe()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, affinity: list[int] | None = None) -> int:
        """Start the worker, stdout and stderr into its log; returns its process id."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, env=self._variables, cwd=self._folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                pass_fds=(self.notify_write,), preexec_fn=_guest(os.getpid(), affinity),  # noqa: PLW1509 - prctl and exec only
            )
        os.close(self.notify_write)
        threading.Thread(target=self._await_exit, args=(self.process,), daemon=True).start()
        return self.process.pid

    def _await_exit(self, process: "subprocess.Popen[bytes]") -> None:
        with contextlib.suppress(OSError):
            # WNOWAIT leaves the exit status for Popen.wait in the main thread.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"x")

    def follow(self, on_news: Callable[[], None], deadline: Callable[[], tuple[float, str] | None]) -> Exit:
        """Call `on_news` whenever the worker says so, until it is dead.

        `deadline()` gives (time.monotonic() limit, name of the limit) or None, asked again after each
        piece of news; past it the whole process group is ended.
        """
        assert self.process is not None
        timed_out = None
        with selectors.DefaultSelector() as selector:
            selector.register(self.notify_read, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while True:
                limit = deadline()
                wait = None if limit is None else max(0.0, limit[0] - time.monotonic())
                ready = {key.fd for key, _ in selector.select(wait)}
                if self.notify_read in ready and not os.read(self.notify_read, 4096):
                    selector.unregister(self.notify_read)  # the worker closed its end
                on_news()
                if self._wake_read in ready:
                    break
                if not ready and limit is not None and time.monotonic() >= limit[0]:
                    timed_out = limit[1]
                    break
        status = self.end()
        on_news()
        usage = _children_cpu_seconds()
        return Exit(status, timed_out, usage)

    def end(self) -> int:
        """End whatever is left of the worker's process group and reap it; safe to call twice."""
        process = self.process
        if process is None:
            return 0
        if process.poll() is None:
            _signal_group(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
        # Also after an orderly exit: a compiler or helper that the worker left behind ends here.
        _signal_group(process.pid, signal.SIGKILL)
        return process.wait()

    def close(self) -> None:
        """End the worker if it still runs and let go of the pipes."""
        self.end()
        for descriptor in (self.notify_read, self._wake_read):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _children_cpu_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _guest(parent: int, affinity: list[int] | None) -> Callable[[], None]:
    """What the child does before it becomes the worker: die with its parent, stay on its processors."""
    prctl = None
    if sys.platform.startswith("linux"):
        import ctypes

        prctl = ctypes.CDLL(None, use_errno=True).prctl

    def prepare() -> None:
        if prctl is not None:
            prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
            if os.getppid() != parent:  # it died before the call above
                os._exit(1)
        if affinity:
            os.sched_setaffinity(0, affinity)

    return prepare
