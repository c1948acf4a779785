"""One measured worker per device at a time. The kernel lets go of a lock when its holder dies."""

import fcntl
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.errors import UserError
from experiments.paths import cache_root

Say = Callable[[str], None]


@contextmanager
def device_lock(device: str, sharing: bool, say: Say) -> Iterator[Callable[[], bool]]:
    """Hold the device while measuring; yields a question to ask at the end: was it shared with another run?

    Waits for other runs to end, saying so. With `sharing` it does not wait, and the caller tags the run.
    """
    from filelock import FileLock, Timeout

    folder = cache_root() / "locks"
    name = f"{platform.node()}-{device}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        users = _Users(folder / f"{name}.users")
        lock = FileLock(folder / f"{name}.lock")
        if not sharing:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                say(f"another measured run uses this {device}; waiting for it (allow_sharing=true measures beside it)")
                lock.acquire(poll_interval=0.2)
    except OSError as error:
        raise UserError(f"{folder}: cannot hold the device's lock ({error.strerror or error})") from error
    try:
        if not sharing and users.crowded():
            say(f"runs that share this {device} are measured; waiting for them")
            users.wait_until_alone()
        users.enter()
        yield users.were_there
    finally:
        users.leave()
        lock.release()


class _Users:
    """Who measures on a device now: each holds the file in shared mode, and leaves a stamp if it was not alone."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._met = False
        self._stamp = 0

    def crowded(self) -> bool:
        """Whether anybody else is there at this moment."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False

    def wait_until_alone(self) -> None:
        """Sleep in the kernel until nobody else is there."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def enter(self) -> None:
        """Be there from now on."""
        self._met = self.crowded()
        fcntl.flock(self._file, fcntl.LOCK_SH)
        if self._met:
            os.utime(self._file)
        self._stamp = os.fstat(self._file).st_mtime_ns

    def were_there(self) -> bool:
        """Whether another was there at any time since `enter`."""
        came = os.fstat(self._file).st_mtime_ns != self._stamp
        self._met = self._met or came or self.crowded()
        fcntl.flock(self._file, fcntl.LOCK_SH)
        return self._met

    def leave(self) -> None:
        """Be gone; closing the file lets go of it."""
        os.close(self._file)
