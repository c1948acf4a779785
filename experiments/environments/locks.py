"""A lock between processes that also outlives its holder's death while a child of the holder still writes.

An installer that was started by a killed run writes into the environment until its guard has ended it. Its
processes inherit the locked file (see `process.run`), so the kernel keeps the lock until the last of them is gone:
the next run waits, and then rebuilds an environment that nobody else touches.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Say = Callable[[str], None]
_POLL_SECONDS = 0.5
_REMIND_SECONDS = 30.0


@contextmanager
def hold(path: Path, what: str, say: Say) -> Iterator[int]:
    """Hold the lock file `path`, waiting as long as it takes; gives the file descriptor for children to inherit.

    A waiter says once that it waits, and for whom, and reminds of it every half minute.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(handle, path, what, say)
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


def _take(handle: int, path: Path, what: str, say: Say) -> None:
    begin = time.monotonic()
    reminded = None
    while not _try(handle):
        now = time.monotonic()
        if reminded is None or now - reminded >= _REMIND_SECONDS:
            reminded = now
            say(f"{what}: waiting for process {_holder(path)} that builds it ({now - begin:.0f} s)")
        time.sleep(_POLL_SECONDS)


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip() or "?"
    except OSError:
        return "?"
