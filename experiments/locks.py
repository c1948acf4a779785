"""One measured worker per device at a time. The kernel lets go of a lock when its holder dies."""

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from experiments.errors import UserError
from experiments.paths import cache_root

Say = Callable[[str], None]


@contextmanager
def device_lock(device: str, sharing: bool, say: Say) -> Iterator[bool]:
    """Hold the device while measuring; yields whether it is shared with another measured run.

    Waits for the other run to end, saying so. With `sharing` it does not wait, and the caller tags the run.
    """
    from filelock import FileLock, Timeout

    folder = cache_root() / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{platform.node()}-{device}.lock")
        lock.acquire(timeout=0)
    except Timeout:
        if sharing:
            yield True
            return
        say(f"another measured run uses this {device}; waiting for it (allow_sharing=true measures beside it)")
        lock.acquire()
    except OSError as error:
        raise UserError(f"{folder}: cannot hold the device's lock ({error.strerror or error})") from error
    try:
        yield False
    finally:
        lock.release()
