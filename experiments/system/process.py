"""Start a worker in its own process group, sleep until it reports, and make sure that it ends."""

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
# How long `follow` sleeps at most: to look at the log's size, and for news whose notice was lost.
TICK_SECONDS = 10.0
LOG_LIMIT_BYTES = 1 << 30
LOG = "log"  # the limit that a flood of output runs into

# Waits until the parent is gone (its end of the pipe closes without a word), then ends the worker's
# whole group: the kernel's own death signal reaches the worker alone, not a compiler that the
# worker started.
_GUARD = (
    'read -r group && test "$group" != over || exit 0; read -r word || kill -s KILL -- "-$group"'
)


class Guard:
    """Ends a process group should this process die: a shell of a megabyte that sleeps in a read."""

    def __init__(self) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """The group to end; until it is named nothing is."""
        self._tell(f"{group}\n")

    def release(self) -> None:
        """The group has ended in good order; safe to call twice."""
        self._tell("over\n")
        if self._shell.stdin is not None:
            with contextlib.suppress(OSError):
                self._shell.stdin.close()
        self._shell.wait()

    def _tell(self, words: str) -> None:
        if self._shell.stdin is not None and not self._shell.stdin.closed:
            with contextlib.suppress(OSError):
                self._shell.stdin.write(words.encode())
                self._shell.stdin.flush()


def output_of(
    command: list[str], variables: Mapping[str, str], seconds: float, folder: Path | None = None
) -> str:
    """The stdout of a short command, which ends with this process, as does all that it started.

    Raises OSError if it cannot be started, subprocess.SubprocessError if it fails or takes
    too long.
    """
    guard = Guard()
    try:
        with subprocess.Popen(
            command,
            env=dict(variables),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as child:
            guard.watch(child.pid)
            try:
                said, complained = child.communicate(timeout=seconds)
            except BaseException:
                _signal_group(child.pid, signal.SIGKILL)
                raise
    finally:
        guard.release()
    if child.returncode != 0:
        raise subprocess.CalledProcessError(child.returncode, command, said, complained)
    return said


@dataclass(frozen=True)
class Exit:
    """How a worker ended: its status (negative: the signal), and the limit it ran into, if any."""

    status: int
    timed_out: str | None


class Worker:
    """One worker process. `follow` blocks in the kernel: the parent uses no CPU meanwhile."""

    def __init__(
        self, command: list[str], variables: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        self._command, self._variables = command, dict(variables)
        self._folder, self._log = folder, log
        self.notify_read, self.notify_write = os.pipe()
        os.set_inheritable(self.notify_write, True)
        # A parent that waits for a slow store must not block its worker when the pipe is full.
        os.set_blocking(self.notify_write, False)
        self._wake_read, self._wake_write = os.pipe()
        self._open = {self.notify_read, self.notify_write, self._wake_read, self._wake_write}
        self.process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        self._waiter: threading.Thread | None = None

    def start(self, affinity: list[int] | None = None) -> int:
        """Start the worker, stdout and stderr into its log; returns its process id.

        Raises OSError if it cannot be started.
        """
        self._guard = Guard()
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._variables,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(self.notify_write,),
                preexec_fn=_guest(os.getpid(), affinity),  # noqa: PLW1509 - prctl and exec only
            )
        self._guard.watch(self.process.pid)
        self._close(self.notify_write)
        self._waiter = threading.Thread(
            target=self._await_exit, args=(self.process.pid,), daemon=True
        )
        self._waiter.start()
        return self.process.pid

    def _await_exit(self, pid: int) -> None:
        with contextlib.suppress(OSError):
            # WNOWAIT leaves the exit status for Popen.wait in the main thread.
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"x")

    def follow(
        self, on_news: Callable[[], None], deadline: Callable[[], tuple[float, str] | None]
    ) -> Exit:
        """Call `on_news` whenever the worker says so, until it is dead.

        `deadline()` gives (time.monotonic() limit, name of the limit) or None, asked again after
        each piece of news; past it the whole process group is ended.
        """
        timed_out = None
        with selectors.DefaultSelector() as selector:
            selector.register(self.notify_read, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select(_sleep(deadline()))}
                if self.notify_read in ready and not os.read(self.notify_read, 4096):
                    selector.unregister(self.notify_read)  # the worker closed its end
                on_news()
                if self._wake_read in ready:
                    break
                timed_out = self._passed(deadline())
                if timed_out is not None:
                    break
        status = self.end()
        on_news()
        return Exit(status, timed_out)

    def _passed(self, limit: tuple[float, str] | None) -> str | None:
        """The limit that the worker has run into, if any."""
        if limit is not None and time.monotonic() >= limit[0]:
            return limit[1]
        with contextlib.suppress(OSError):
            if self._log.stat().st_size > LOG_LIMIT_BYTES:
                return LOG
        return None

    def end(self) -> int:
        """End whatever is left of the worker's process group and reap it; safe to call twice."""
        process = self.process
        if process is None:
            return 0
        try:
            if process.poll() is None:
                _signal_group(process.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(GRACE_SECONDS)
        finally:
            # Also after an orderly exit, and when a second Ctrl-C cuts the grace short: a compiler
            # or helper that the worker left behind ends here.
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
        return process.returncode

    def close(self) -> None:
        """End the worker if it still runs and let go of the pipes."""
        try:
            self.end()
        finally:
            if self._guard is not None:
                self._guard.release()
            if self._waiter is not None:
                self._waiter.join()
            for descriptor in tuple(self._open):
                self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        self._open.discard(descriptor)
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _sleep(limit: tuple[float, str] | None) -> float:
    """Seconds to sleep at most."""
    return (
        TICK_SECONDS if limit is None else min(TICK_SECONDS, max(0.0, limit[0] - time.monotonic()))
    )


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _guest(parent: int, affinity: list[int] | None) -> Callable[[], None]:
    """What the child does before it becomes the worker: die with its parent, stay on its CPUs."""
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
