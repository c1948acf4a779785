"""What a full or read-only disk says, and sizes for a person to read."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from experiments.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST)


def storage_advice(error: OSError, path: Path, variable: str = "KBB_CACHE") -> str:
    """One line for a write that failed, with the next step; `variable` names another folder."""
    if error.errno in FULL:
        return (
            f"no space left for {path}; free some, or set {variable} to a folder on a larger disk"
        )
    place = error.filename or path
    reason = error.strerror or error
    return f"cannot write to {place}: {reason}; set {variable} to a folder that can be written"


@contextlib.contextmanager
def writing(folder: Path, kind: type[UserError], variable: str = "KBB_CACHE") -> Iterator[None]:
    """Turn the OSError of a full or read-only disk into a `kind` of one line."""
    try:
        yield
    except OSError as error:
        if error.errno in (*FULL, *READ_ONLY):
            raise kind(storage_advice(error, folder, variable)) from None
        raise


def size(count: float) -> str:
    """Bytes for a person to read: 345 bytes, 1.2 MB."""
    from rich.filesize import decimal

    return decimal(round(count))
