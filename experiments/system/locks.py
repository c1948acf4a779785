"""Locks between processes. The kernel releases a lock when its holder dies: none is ever stale."""

import contextlib
import fcntl
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.errors import UserError
from experiments.system.paths import cache_root

Say = Callable[[str], None]
_POLL_SECONDS = 0.2
_REMIND_SECONDS = 30.0


class Busy(Exception):
    """Another process holds the lock."""


@contextmanager
def file_lock(
    path: Path, *, wait: bool = True, waiting: Callable[[float], None] | None = None
) -> Iterator[int]:
    """Hold an exclusive lock on the file `path`; yields its descriptor.

    A child that inherits the descriptor keeps the lock after its parent's death: an installer that
    a killed run started still writes into the environment, and the next run must wait until it has
    ended.

    wait: False raises Busy at once if another process holds the lock. waiting: called with the
    seconds waited when waiting begins, and every half minute. Raises OSError if the file cannot be
    made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not _try(handle):
            if not wait:
                raise Busy(str(path))
            _await(handle, waiting)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield handle
    finally:
        os.close(handle)  # the file stays: removing it would let two holders in


def is_held(path: Path) -> bool:
    """Whether some process holds the lock now."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _try(handle)
    finally:
        os.close(handle)


def holder(path: Path) -> str:
    """The process id that a lock's holder wrote into it, "?" if unknown."""
    with contextlib.suppress(OSError):
        return path.read_text(encoding="ascii").strip() or "?"
    return "?"


def _await(handle: int, waiting: Callable[[float], None] | None) -> None:
    begin = time.monotonic()
    reminded = None
    while not _try(handle):
        now = time.monotonic()
        if waiting is not None and (reminded is None or now - reminded >= _REMIND_SECONDS):
            reminded = now
            waiting(now - begin)
        time.sleep(_POLL_SECONDS)


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def device_lock(device: str, sharing: bool, say: Say) -> Iterator[Callable[[], bool]]:
    """Hold the device while measuring; yields a function: was the device shared meanwhile?

    Waits for other runs to end, and says so. With `sharing` it does not wait, and the caller flags
    the run.
    """
    folder = cache_root() / "locks"
    name = f"{platform.node()}-{device}"

    def waiting(seconds: float) -> None:
        if not seconds >= _REMIND_SECONDS:
            say(
                f"another measured run uses this {device}; waiting for it "
                "(allow_sharing=true measures at the same time)"
            )

    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            users = _Users(folder / f"{name}.users")
            stack.callback(users.leave)
            if not sharing:
                stack.enter_context(file_lock(folder / f"{name}.lock", waiting=waiting))
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"{folder}: cannot lock the device ({reason})") from error
        if not sharing and users.crowded():
            say(f"runs that share this {device} are being measured; waiting for them")
            users.wait_until_alone()
        users.enter()
        yield users.were_there


class _Users:
    """Who measures on a device now. Each holds the file in shared mode.

    A meeting changes the file's time stamp, so that both sides see it, even after the other has
    left.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._met = False
        self._stamp = 0

    def crowded(self) -> bool:
        """Whether another run is on the device at this moment."""
        return not _try(self._file)

    def wait_until_alone(self) -> None:
        """Sleep in the kernel until no other run is on the device."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def enter(self) -> None:
        """Count as a user from now on."""
        self._met = self.crowded()
        fcntl.flock(self._file, fcntl.LOCK_SH)
        if self._met:
            os.utime(self._file)
        self._stamp = os.fstat(self._file).st_mtime_ns

    def were_there(self) -> bool:
        """Whether another run was on the device at any time since `enter`."""
        came = os.fstat(self._file).st_mtime_ns != self._stamp
        self._met = self._met or came or self.crowded()
        fcntl.flock(self._file, fcntl.LOCK_SH)
        return self._met

    def leave(self) -> None:
        """Stop counting as a user; closing the file releases it."""
        os.close(self._file)
