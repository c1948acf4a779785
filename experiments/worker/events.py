"""Writes the worker's events to the journal, a line of strict JSON each.

An event is fsynced before the parent is notified.
"""

import json
import math
import os
import time
from typing import Any, Callable, Dict, Optional

import numpy as np

VERSION = 1
DURABLE = ("epoch", "end")  # events that reach the disk before the worker goes on
BEYOND_JSON = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


class Journal(object):
    """Appends events to a journal that has one writer at a time.

    `first_sequence` is the number of the first event; `notify_fd` an inherited pipe that gets one
    byte an event, so that a reader can block on it.
    """

    def __init__(
        self, path: str, journal_id: str, first_sequence: int, notify_fd: Optional[int] = None
    ) -> None:
        self._id = journal_id
        self._next = first_sequence
        self._notify_fd = notify_fd
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._busy = False
        self._waiting: Optional[Callable[[], None]] = None
        self.ended = False

    def write(self, event: str, **fields: Any) -> None:
        """Append one event. After `end` nothing more is written, so that a run has one end.

        Raises OSError where the disk does not take it.
        """
        if self.ended:
            return
        self._busy = True
        try:
            record = {
                "v": VERSION,
                "seq": self._next,
                "id": self._id,
                "t": time.time(),
                "event": event,
            }
            record.update(fields)
            self._append((to_json(record) + "\n").encode("utf-8"))
            self._next += 1
            self.ended = event == "end"
            if event in DURABLE:
                os.fsync(self._file)
            self._notify()
        finally:
            self._busy = False
        if self._waiting is not None:
            self._waiting()

    def when_idle(self, action: Callable[[], None]) -> None:
        """Call `action` now, or once the current event is written (for signal handlers)."""
        if self._busy:
            self._waiting = action
        else:
            action()

    def _append(self, line: bytes) -> None:
        """In one write; a short one (a full disk) is taken back, so that no half line stays."""
        written = os.write(self._file, line)
        if written != len(line):
            os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(
                "the journal took %d of %d bytes: is the disk full?" % (written, len(line))
            )

    def _notify(self) -> None:
        """Wake the reader; that it is gone is no reason to stop."""
        if self._notify_fd is None:
            return
        try:
            os.write(self._notify_fd, b".")
        except OSError:
            self._notify_fd = None


def to_json(record: Dict[str, Any]) -> str:
    """Strict JSON in one line; NaN and infinities become strings, NumPy's scalars plain numbers."""
    return json.dumps(plain(record), allow_nan=False, separators=(",", ":"))


def plain(value: Any) -> Any:
    """`value` in terms of JSON. Raises TypeError for what has none."""
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else BEYOND_JSON[repr(value)]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    raise TypeError("%s cannot be written to the journal" % (type(value).__name__,))


def one_line(text: str, limit: int = 500) -> str:
    """`text` with all white space runs as single blanks, cut to `limit` characters."""
    joined = " ".join(text.split())
    return joined if len(joined) <= limit else joined[: limit - 1] + "…"
