"""Pack the journals of one machine into a folder that can be published, and read such a folder.

    NAME/journals.jsonl.zst   every event of every run, one JSON object a line, scrubbed
    NAME/machine.json         the machine, the code, the period and the data, for programs
    NAME/NOTE.md              the same for people, and the licence

A packed folder may come from anybody: `read` takes a line only if a journal could hold it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.errors import ConfigError, DataError
from experiments.journal import journal
from experiments.journal.events import Event, encoded, parse
from experiments.sharing.note import About, note_text
from experiments.sharing.scrub import Secrets, changes, scrub
from experiments.system.paths import write_whole

JOURNALS, MACHINE, NOTE = "journals.jsonl.zst", "machine.json", "NOTE.md"
MAX_BYTES = 1 << 28  # decompressed; 180 short runs are about 1 MB
_LEVEL = 19
_IDENTITY = re.compile(r"[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True)
class Packed:
    """What `pack` did: runs written, bytes of the journals, runs left out and what was scrubbed."""

    runs: int
    size: int
    unfinished: list[Path]
    scrubbed: Counter[str]


def pack(run_folders: Iterable[Path], target: Path, about: About | None = None) -> Packed:
    """Write the closed runs of one machine to `target`; runs that were never closed are left out.

    Raises ConfigError if there is no such run or they come from several hosts, DataError if a name
    or a folder of this machine is still there after scrubbing.
    """
    runs, unfinished = _closed(sorted(run_folders))
    if not runs:
        raise ConfigError("none of these folders holds a closed run; name folders of runs/")
    originals = [event for events in runs for event in events]
    hosts = {str(e["host"].get("hostname")) for e in originals if e["event"] == "job"}
    if len(hosts) > 1:
        raise ConfigError(
            f"the runs come from {len(hosts)} hosts; pack each host's runs separately"
        )
    about = about or About()
    secrets = Secrets.of(originals)
    clean = scrub(originals, secrets)
    content = _lines(clean)
    machine = describe(clean, about.data)
    note = note_text(target.name, clean, machine, about)
    _guard([content.decode(), json.dumps(machine), note], secrets)
    packed = _compress(content)
    target.mkdir(parents=True, exist_ok=True)
    write_whole(target / JOURNALS, packed)
    write_whole(target / MACHINE, json.dumps(machine, indent=2, ensure_ascii=False) + "\n")
    write_whole(target / NOTE, note)
    return Packed(len(runs), len(packed), unfinished, changes(originals, clean))


def read(folder: Path) -> dict[str, list[Event]]:
    """The events of a packed folder by journal id, each journal in order of its sequence numbers.

    Raises DataError if the file is missing, is not zstd, or holds a line that is not a journal's.
    """
    journals: dict[str, dict[int, Event]] = {}
    for number, line in enumerate(_decompress(folder / JOURNALS).splitlines(), 1):
        problem, event = parse(line)
        if event is None or len(line) > journal.MAX_LINE_BYTES:
            raise DataError(f"{folder / JOURNALS}: line {number}: {problem or 'too long'}")
        if not _IDENTITY.fullmatch(event["id"]):
            raise DataError(f"{folder / JOURNALS}: line {number}: not a valid journal id")
        if event["seq"] in journals.setdefault(event["id"], {}):
            raise DataError(f"{folder / JOURNALS}: line {number}: sequence {event['seq']} again")
        journals[event["id"]][event["seq"]] = event
    return {identity: [events[n] for n in sorted(events)] for identity, events in journals.items()}


def unpack(folder: Path, target: Path) -> list[Path]:
    """Write each journal of a packed folder to target/ID/events.jsonl, for `journal ingest`."""
    paths = []
    for identity, events in read(folder).items():
        path = target / identity / journal.FILE_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _lines(events))
        paths.append(path)
    return paths


def describe(events: Sequence[Event], data: dict[str, str]) -> dict[str, Any]:
    """machine.json: machine, code, period (UTC) and data sets of scrubbed events."""
    jobs = [event for event in events if event["event"] == "job"]
    host = jobs[0]["host"]
    times = [event["t"] for event in events]
    return {
        "cpu_model": host.get("cpu_model"),
        "cpu_physical": host.get("cpu_physical"),
        "cpu_logical": host.get("cpu_logical"),
        "memory_bytes": host.get("memory_bytes"),
        "devices": sorted({e["device_name"] for e in events if e["event"] == "prepared"}),
        "system": host.get("system"),
        "python": host.get("python"),
        "host": host.get("hostname"),
        "git_commit": sorted({str(job["git_commit"]) for job in jobs if job.get("git_commit")}),
        "git_dirty": any(job.get("git_dirty") for job in jobs),
        "first_event": _moment(min(times)),
        "last_event": _moment(max(times)),
        "runs": len(jobs),
        "data": _data(events, data),
    }


def _data(events: Sequence[Event], described: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Source, digests and description per data set."""
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["event"] == "prepared":
            name = event["dataset"]
            about = found.setdefault(name, {"source": set(), "digest": set()})
            about["source"].add(event["data_source"])
            about["digest"].add(event["data_digest"])
    if unknown := sorted(set(described) - set(found)):
        choices = ", ".join(sorted(found))
        raise ConfigError(f"{unknown[0]} is not a data set of these runs; choose from {choices}")
    return {
        name: {
            "what": described.get(name, ""),
            "source": sorted(about["source"]),
            "digest": sorted(about["digest"]),
        }
        for name, about in sorted(found.items())
    }


def _closed(folders: Sequence[Path]) -> tuple[list[list[Event]], list[Path]]:
    """The journals with an end, oldest first, and the folders of the others."""
    runs, unfinished = [], []
    for folder in folders:
        try:
            contents = journal.read(folder / journal.FILE_NAME)
        except OSError as error:
            raise ConfigError(f"{folder}: not the folder of a run ({error.strerror})") from None
        if contents.first("job") is None or contents.first("closed") is None:
            unfinished.append(folder)
        else:
            runs.append(contents.events)
    return sorted(runs, key=lambda events: float(events[0]["t"])), unfinished


def _lines(events: Iterable[Event]) -> bytes:
    texts = (
        json.dumps(encoded(event), ensure_ascii=False, separators=(",", ":")) for event in events
    )
    return "".join(f"{text}\n" for text in texts).encode()


def _guard(texts: Sequence[str], secrets: Secrets) -> None:
    """Refuse to publish what the patterns of `scrub` have missed."""
    folders = Secrets(folders=secrets.folders)
    missed = {secret for text in texts for secret in folders.found_in(text)}
    missed |= {secret for text in texts[1:] for secret in secrets.found_in(text)}
    if missed:
        raise DataError(f"would be published: {', '.join(sorted(missed))}; nothing was written")


def _compress(content: bytes) -> bytes:
    import pyarrow

    codec = pyarrow.Codec("zstd", compression_level=_LEVEL)
    return bytes(codec.compress(content, asbytes=True))


def _decompress(path: Path) -> bytes:
    """The whole file. A small file can hold a flood: more than MAX_BYTES are refused."""
    import pyarrow

    try:
        with path.open("rb") as file, pyarrow.CompressedInputStream(file, "zstd") as stream:
            content = bytes(stream.read(MAX_BYTES + 1))
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    if len(content) > MAX_BYTES:
        raise DataError(f"{path}: more than {MAX_BYTES >> 20} MiB when decompressed")
    return content


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
