"""Replay journals into the store: after a lost connection, a dead parent, or from another machine."""

import json
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from experiments import journal, names
from experiments.config import TrackingConfig
from experiments.errors import TrackingError, UserError
from experiments.tracking.recorder import Recorder
from experiments.tracking.store import Store, brief, connect

MARK = "ingested.json"
ARTIFACTS = ("config.yaml", "environment.txt", "worker.log", journal.FILE_NAME, "sample.txt")


def ingest_files(files: list[Path], tracking: TrackingConfig | None = None) -> int:
    """Bring journals into the store; prints a line for each and returns the exit status."""
    import os

    if tracking is None:
        tracking = TrackingConfig(name="sqlite", uri=os.environ.get("MLFLOW_TRACKING_URI") or None)
    store = connect(tracking)
    status = 0
    for path in files:
        try:
            print(f"{path}: {ingest(path, store)}")
        except UserError as error:
            print(f"error: {path}: {error}", file=sys.stderr)
            status = 1
    return status


def ingest(path: Path, store: Store) -> str:
    """Replay one journal; returns what was done in a few words. Twice changes nothing.

    Raises UserError where the file holds no run, or its run is still going on.
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
            raise TrackingError(f"the store refused it ({brief(error)}); the journal is untouched") from error
        left_out = f", {len(contents.problems)} unreadable lines left out" if contents.problems else ""
        return f"run {run_id}, {len(contents.all('epoch'))} epochs{left_out}"


def _close(path: Path, contents: journal.Contents) -> journal.Contents:
    """Write the end that a dead parent could not write: what the worker said last, else `killed`."""
    job, end = contents.first("job"), contents.first("end")
    assert job is not None
    state, reason = names.KILLED, "the process that followed this run died"
    if end is not None:
        state, reason = end["state"], end.get("reason")
    journal.Journal(path, job["id"]).write("closed", state=state, reason=reason, flags=[], facts={})
    return journal.read(path)


def _replay(contents: journal.Contents, job: journal.Event, store: Store, folder: Path) -> str:
    recorder = Recorder(store, job, resume=_resumable(store, job, folder))
    for event in contents.events:
        recorder.apply(event)
    recorder.flush()
    prepared, closed = contents.first("prepared"), contents.first("closed")
    if prepared is not None:
        recorder.dataset(prepared)
    assert closed is not None
    recorder.artifacts([folder / name for name in ARTIFACTS])
    recorder.finish(closed)
    mark(folder, store, recorder.run_id)
    return recorder.run_id


def _resumable(store: Store, job: journal.Event, folder: Path) -> str | None:
    """The MLflow run that this journal was being written to, if this is the store that has it."""
    known = read_mark(folder)
    run_id: str | None = (known or {}).get("run_id") or job.get("mlflow_run_id")
    if run_id is None or (known is not None and known.get("uri") != store.uri):
        return None
    try:
        run = store.client.get_run(run_id)
    except Exception:  # not in this store: found by its journal id, or created
        return None
    return run_id if run.info.lifecycle_stage == "active" else None


def mark(folder: Path, store: Store, run_id: str, complete: bool = True) -> None:
    """Remember beside the journal which run of which store it went to, and whether all of it did."""
    fresh = folder / (MARK + ".new")
    fresh.write_text(json.dumps({"uri": store.uri, "run_id": run_id, "complete": complete}))
    fresh.replace(folder / MARK)


def read_mark(folder: Path) -> dict[str, str] | None:
    """What `mark` left, None where nothing readable is there."""
    try:
        found = json.loads((folder / MARK).read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def pending(runs: Path) -> list[Path]:
    """Journals under `runs` that no store has whole, oldest first; runs that are still going are left out."""
    from filelock import Timeout

    found = []
    for path in sorted(runs.glob(f"*/{journal.FILE_NAME}"), key=lambda p: p.stat().st_mtime):
        if (read_mark(path.parent) or {}).get("complete"):
            continue
        try:
            with in_use(path.parent):
                found.append(path)
        except (UserError, Timeout):
            continue
    return found


def in_use(folder: Path) -> AbstractContextManager[object]:
    """The lock of a run's folder: its parent holds it while the run goes on, an ingest while it replays."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "in-use.lock")
    try:
        return lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError("another process is writing this run; try again when it has ended") from error
