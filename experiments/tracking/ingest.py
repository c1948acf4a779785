"""Replay journals into the store: after a crash, a lost connection, or from another machine."""

import contextlib
import errno
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments import names
from experiments.config.schema import TrackingConfig
from experiments.errors import DONE, USER_MISTAKE, TrackingError, UserError
from experiments.journal import journal
from experiments.journal.events import VERSION
from experiments.journal.figures import noise_flags, verdict
from experiments.system.locks import Busy, file_lock
from experiments.system.paths import write_whole
from experiments.tracking.recorder import Recorder
from experiments.tracking.store import Store, brief, connect, redacted

MARK = "ingested.json"
UNTOLD = "its end was not written: the process that followed it died, or its disk was full"
ARTIFACTS = ("config.yaml", "environment.txt", "worker.log", journal.FILE_NAME, "sample.txt")


def ingest_files(files: list[Path], tracking: TrackingConfig | None = None) -> int:
    """Bring journals into the store; prints a line for each and returns the exit status."""
    import os

    if tracking is None:
        tracking = TrackingConfig(name="sqlite", uri=os.environ.get("MLFLOW_TRACKING_URI") or None)
    store = connect(tracking)
    status = DONE
    for path in files:
        try:
            print(f"{path}: {ingest(path, store)}")
        except (UserError, OSError) as error:
            print(f"error: {path}: {redacted(str(error))}", file=sys.stderr)
            status = max(status, USER_MISTAKE)
    return status


def ingest(path: Path, store: Store) -> str:
    """Replay one journal; returns what was done in a few words. Twice changes nothing.

    Raises UserError if the file contains no run, or if its run has not ended.
    """
    with in_use(path.parent):
        contents = journal.read(path)
        job = contents.first("job")
        if job is None:
            problem = f" ({contents.problems[0]})" if contents.problems else ""
            raise UserError(f"holds no run that this program can read{problem}")
        if contents.first("closed") is None:
            contents = _close(path, contents)
        try:
            run_id = _replay(contents, job, store, path.parent)
        except Exception as error:
            raise TrackingError(
                f"the store refused it ({brief(error)}); the journal is untouched"
            ) from error
        left_out = f", {contents.left_out} unreadable lines left out" if contents.left_out else ""
        return f"run {run_id}, {len(contents.all('epoch'))} epochs{left_out}"


def _close(path: Path, contents: journal.Contents) -> journal.Contents:
    """Write the end that a dead parent could not write: the worker's own last state, else `killed`.

    Its time is that of the last event, so that the run does not last until somebody ingests it. In
    a folder that cannot be written the end is only added to what was read; the next replay comes to
    the same.
    """
    job, prepared = contents.first("job"), contents.first("prepared")
    assert job is not None
    done, facts = contents.all("epoch"), (prepared or {}).get("facts") or {}
    state, reason = verdict(contents.first("end"), done, facts)
    fields = {
        "t": max(event["t"] for event in contents.events),
        "state": state,
        "flags": noise_flags(done),
        "facts": {},
        "reason": reason if state != names.KILLED else UNTOLD,
    }
    try:
        journal.Journal(path, job["id"]).write("closed", **fields)
        return journal.read(path, job["id"])
    except OSError:
        closed = {
            "v": VERSION,
            "seq": contents.last_sequence + 1,
            "id": job["id"],
            "event": "closed",
            **fields,
        }
        return replace(contents, events=[*contents.events, closed])


def _replay(contents: journal.Contents, job: journal.Event, store: Store, folder: Path) -> str:
    recorder = Recorder(store, job, resume=_resumable(store, job, folder))
    for event in contents.events:
        recorder.apply(event)
    recorder.flush()
    closed = contents.first("closed")
    assert closed is not None
    recorder.artifacts([folder / name for name in ARTIFACTS])
    recorder.finish(closed)
    # Without a mark, in a folder that cannot be written, it is replayed again, to no effect.
    with contextlib.suppress(OSError):
        mark(folder, store, recorder.run_id)
    return recorder.run_id


def _resumable(store: Store, job: journal.Event, folder: Path) -> str | None:
    """The MLflow run that this journal was being written to, unless that was in another store."""
    known = read_mark(folder)
    if known is not None and known.get("uri") != redacted(store.uri):
        return None
    return (known or {}).get("run_id") or job.get("mlflow_run_id")


def mark(folder: Path, store: Store, run_id: str, complete: bool = True) -> None:
    """Note beside the journal which run of which store it went to, and whether completely."""
    known = {"uri": redacted(store.uri), "run_id": run_id, "complete": complete}
    write_whole(folder / MARK, json.dumps(known))


def read_mark(folder: Path) -> dict[str, Any] | None:
    """What `mark` wrote, or None if nothing readable is there."""
    try:
        found = json.loads((folder / MARK).read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def pending(runs: Path) -> list[Path]:
    """Journals under `runs` that are not completely in a store, oldest first, without live runs."""
    found = []
    for path in runs.glob(f"*/{journal.FILE_NAME}"):
        if (read_mark(path.parent) or {}).get("complete"):
            continue
        with contextlib.suppress(UserError, OSError), in_use(path.parent):
            found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found)]


@contextlib.contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """The lock of a run's folder: its parent holds it while it runs, an ingest while it replays.

    UserError if another process holds it; OSError in a missing folder. A folder that cannot be
    written has no writer and needs no lock.
    """
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(folder))
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(file_lock(folder / "in-use.lock", wait=False))
        except Busy as error:
            raise UserError(
                "another process is writing this run; try again when it has ended"
            ) from error
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
                raise
        yield
