"""The journal of a run: events.jsonl, one JSON object a line, durable before anything else knows of it.

One writer at a time: the parent writes `job` and `prepared`, the worker its own events, the parent
`closed` once the worker is dead. Readers take lines as they are found: torn, doubled, reordered or
foreign ones are left out and counted, never guessed at.

    python -m experiments.journal ingest FILE…      replay journals into the store; twice changes nothing
    python -m experiments.journal show FILE         what a journal holds
"""

import json
import math
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSION = 1
FILE_NAME = "events.jsonl"
Event = dict[str, Any]
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Journal:
    """Appends events of the parent; continues the sequence of what the file already holds."""

    def __init__(self, path: Path, journal_id: str) -> None:
        self.path = path
        self.journal_id = journal_id
        contents = read(path) if path.exists() else Contents()
        self.next_sequence = contents.last_sequence + 1
        self._torn = contents.torn_tail

    def write(self, event: str, **fields: Any) -> Event:
        """Append one event and fsync it; returns it as readers will see it. OSError where the disk refuses."""
        record: Event = {
            "v": VERSION, "seq": self.next_sequence, "id": self.journal_id, "t": time.time(), "event": event,
            **fields,
        }
        line = json.dumps(_encoded(record), ensure_ascii=False, separators=(",", ":"), default=str) + "\n"
        # A worker that died while writing leaves half a line: end it, so that this one stands alone.
        data = (b"\n" if self._torn else b"") + line.encode()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._torn = False
        self.next_sequence += 1
        return record


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data):]


@dataclass
class Contents:
    """What was read: events in sequence order, each once, and what was wrong with the rest."""

    events: list[Event] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
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


def read(path: Path) -> Contents:
    """Read a whole journal. Raises OSError where the file cannot be read."""
    follower = Follower(path)
    events = follower.new_events()
    torn = bool(follower.pending)
    problems = list(follower.problems)
    if torn:
        problems.append("last line is torn")
    return Contents(sorted(events, key=lambda event: event["seq"]), problems, torn)


class Follower:
    """Reads what was appended since the last call; half a line waits for its other half."""

    def __init__(self, path: Path, journal_id: str | None = None) -> None:
        self.path = path
        self.journal_id = journal_id
        self.offset = 0
        self.pending = b""
        self.seen: set[int] = set()
        self.problems: list[str] = []
        self._line_number = 0

    def new_events(self) -> list[Event]:
        """Events appended since the last call, in file order, each sequence number once."""
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            data = stream.read()
        self.offset += len(data)
        *lines, self.pending = (self.pending + data).split(b"\n")
        return [event for line in lines if (event := self._accept(line)) is not None]

    def _accept(self, line: bytes) -> Event | None:
        self._line_number += 1
        if not line.strip():
            return None
        problem, event = parse(line)
        if event is None:
            self.problems.append(f"line {self._line_number}: {problem}")
            return None
        self.journal_id = self.journal_id or event["id"]
        if event["id"] != self.journal_id:
            self.problems.append(f"line {self._line_number}: belongs to journal {event['id']}")
        elif event["seq"] in self.seen:
            self.problems.append(f"line {self._line_number}: sequence {event['seq']} again")
        else:
            self.seen.add(event["seq"])
            return event
        return None


def parse(line: bytes) -> tuple[str, Event | None]:
    """One line as (problem, event): the event is None where there is a problem."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return "not JSON", None
    if not isinstance(event, dict):
        return "not an object", None
    if event.get("v") != VERSION:
        return f"schema version {event.get('v')!r}, this program reads {VERSION}", None
    sequence, name, identity, when = (event.get(key) for key in ("seq", "event", "id", "t"))
    whole = isinstance(sequence, int) and not isinstance(sequence, bool) and sequence >= 0
    timed = isinstance(when, int | float) and not isinstance(when, bool)
    if not (whole and timed and isinstance(name, str) and isinstance(identity, str)):
        return "lacks seq, id, t or event", None
    decoded: Event = {key: _decoded(value) for key, value in event.items()}
    return "", decoded


def _encoded(value: Any) -> Any:
    """NaN and infinities as strings: JSON has no words for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {str(key): _encoded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(item) for item in value]
    return value


def _decoded(value: Any) -> Any:
    return _NON_FINITE.get(value, value) if isinstance(value, str) else value


def main(arguments: list[str]) -> int:
    """`ingest FILE…` and `show FILE`; returns the exit status."""
    if len(arguments) < 2 or arguments[0] not in ("ingest", "show"):
        print("usage: python -m experiments.journal ingest FILE… | show FILE", file=sys.stderr)
        return 0 if arguments and arguments[0] in ("-h", "--help") else 2
    files = [_journal_file(Path(name)) for name in arguments[1:]]
    for path in files:
        if not path.is_file():
            print(f"error: {path}: no such journal; a run keeps it as runs/*/{FILE_NAME}", file=sys.stderr)
            return 2
    if arguments[0] == "show":
        return _show(files)
    from experiments.command import guarded
    from experiments.tracking.ingest import ingest_files

    return guarded(lambda: ingest_files(files))


def _journal_file(path: Path) -> Path:
    return path / FILE_NAME if path.is_dir() else path


def _show(files: list[Path]) -> int:
    for path in files:
        contents = read(path)
        for event in contents.events:
            rest = {k: v for k, v in event.items() if k not in ("v", "seq", "id", "t", "event", "config")}
            print(f"{event['seq']:>4} {event['event']:<9} {json.dumps(rest, default=str)[:160]}")
        for problem in contents.problems:
            print(f"     problem   {problem}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
