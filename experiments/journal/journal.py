"""The journal of a run: events.jsonl, one JSON object per line, written before anything else.

One writer at a time: the parent writes `job` and `prepared`, the worker its own events, the parent
`closed` once the worker is dead. Readers take lines as they are found: torn, doubled, reordered or
foreign ones are left out and counted, never guessed at.
"""

import contextlib
import fcntl
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.journal.events import VERSION, Event, encoded, parse

__all__ = ["FILE_NAME", "Contents", "Event", "Follower", "Journal", "parse", "read"]

FILE_NAME = "events.jsonl"
MAX_LINE_BYTES = 1 << 20  # a longer line was not written by us
MAX_PROBLEMS = 20  # kept word for word; the rest are counted
_CHUNK_BYTES = 1 << 20


class Journal:
    """Appends events of the parent; continues the sequence of what the file already holds."""

    def __init__(self, path: Path, journal_id: str) -> None:
        self.path = path
        self.journal_id = journal_id
        self._size = -1  # bytes of the file when its sequence was last looked up
        self._next = 0
        self._torn = False

    @property
    def next_sequence(self) -> int:
        """The number that the next event gets. OSError if the file cannot be read."""
        self._catch_up(self.path.stat().st_size if self.path.exists() else 0)
        return self._next

    def write(self, event: str, **fields: Any) -> Event:
        """Append one event and fsync it; returns it as readers will see it. Raises OSError.

        `t` is the present moment unless `fields` says otherwise.
        """
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            # Two parents on one journal are kept out elsewhere; should they meet, each number is
            # given once.
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._catch_up(os.fstat(descriptor).st_size)
            record: Event = {
                "v": VERSION,
                "seq": self._next,
                "id": self.journal_id,
                "t": time.time(),
                "event": event,
                **fields,
            }
            line = (
                json.dumps(encoded(record), ensure_ascii=False, separators=(",", ":"), default=str)
                + "\n"
            )
            # A worker that died while writing leaves half a line: end it, so that this one stands
            # alone.
            data = (b"\n" if self._torn else b"") + line.encode("utf-8", "replace")
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if self._size == 0:
            _sync_folder(self.path.parent)
        self._size += len(data)
        self._next += 1
        self._torn = False
        return record

    def _catch_up(self, size: int) -> None:
        """Look the sequence up again when somebody else (the worker) has written since."""
        if size == self._size:
            return
        contents = read(self.path, self.journal_id) if size else Contents()
        self._next, self._torn, self._size = contents.last_sequence + 1, contents.torn_tail, size


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: Path) -> None:
    """Make a new file's name as durable as its first line."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@dataclass
class Contents:
    """What was read: events in sequence order, each once, and what was wrong with the rest."""

    events: list[Event] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left_out: int = 0  # lines that could not be used; `problems` tells of the first of them
    torn_tail: bool = False

    @property
    def last_sequence(self) -> int:
        """Highest sequence number seen, -1 for none."""
        return max((event["seq"] for event in self.events), default=-1)

    def first(self, name: str) -> Event | None:
        """The first event of that name."""
        return next((event for event in self.events if event["event"] == name), None)

    def all(self, name: str) -> list[Event]:
        """All events of that name, in order."""
        return [event for event in self.events if event["event"] == name]


def read(path: Path, journal_id: str | None = None) -> Contents:
    """Read a whole journal. Raises OSError if the file cannot be read.

    Without `journal_id` the journal is that of its first `job` event, else the one that most lines
    belong to.
    """
    follower = Follower(path, journal_id or _owner(path))
    events = follower.new_events()
    torn = bool(follower.pending)
    last = follower.finish()
    if last is not None:
        events.append(last)
    events.sort(key=lambda event: int(event["seq"]))
    return Contents(events, list(follower.problems), follower.left_out, torn)


def _owner(path: Path) -> str | None:
    counts: Counter[str] = Counter()
    with path.open("rb") as stream:
        for line in _lines(stream):
            _, event = parse(line)
            if event is not None and event["event"] == "job":
                return str(event["id"])
            if event is not None:
                counts[event["id"]] += 1
    return counts.most_common(1)[0][0] if counts else None


def _lines(stream: Any) -> Iterator[bytes]:
    while line := stream.readline(MAX_LINE_BYTES):
        yield line


class Follower:
    """Reads what was appended since the last call; half a line waits for its other half."""

    def __init__(self, path: Path, journal_id: str | None = None) -> None:
        self.path = path
        self.journal_id = journal_id
        self.offset = 0
        self.pending = b""
        self.seen: set[int] = set()
        self.epochs: set[int] = set()
        self.problems: list[str] = []
        self.left_out = 0
        self._overlong = False
        self._line_number = 0

    def new_events(self) -> list[Event]:
        """Events appended since the last call, in file order, each number and epoch once."""
        found: list[Event] = []
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            while data := stream.read(_CHUNK_BYTES):
                self.offset += len(data)
                found.extend(self._accept_all(data))
        return found

    def finish(self) -> Event | None:
        """The last line, if only its newline was lost. Call it when nothing more will follow."""
        line, self.pending = self.pending, b""
        if parse(line)[1] is not None:
            self._line_number += 1
            return self._accept(line)
        if line:
            self._problem("torn", ahead=1)
        return None

    def _accept_all(self, data: bytes) -> Iterator[Event]:
        *lines, self.pending = (self.pending + data).split(b"\n")
        for line in lines:
            self._line_number += 1
            if self._overlong:
                self._overlong = False
                continue
            event = self._accept(line)
            if event is not None:
                yield event
        if len(self.pending) > MAX_LINE_BYTES:  # nobody keeps a flood in memory
            if not self._overlong:
                self._problem(f"longer than {MAX_LINE_BYTES} bytes", ahead=1)
            self._overlong, self.pending = True, b""

    def _accept(self, line: bytes) -> Event | None:
        if not line.strip():
            return None
        problem, event = parse(line)
        if event is None:
            self._problem(problem)
            return None
        self.journal_id = self.journal_id or event["id"]
        if event["id"] != self.journal_id:
            self._problem(f"belongs to journal {event['id']}")
        elif event["seq"] in self.seen:
            self._problem(f"sequence {event['seq']} again")
        elif event["event"] == "epoch" and event["epoch"] in self.epochs:
            self._problem(f"epoch {event['epoch']} again")
        else:
            self.seen.add(event["seq"])
            if event["event"] == "epoch":
                self.epochs.add(event["epoch"])
            return event
        return None

    def _problem(self, text: str, ahead: int = 0) -> None:
        self.left_out += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"line {self._line_number + ahead}: {text}")
