"""Journals that are not completely in the store: after a crash, a lost connection, no network."""

import json
from collections.abc import Callable
from pathlib import Path

from experiments.errors import TrackingError, UserError
from experiments.journal import journal
from experiments.sweeps import records
from experiments.system.paths import runs_root, sweeps_root
from experiments.tracking.ingest import ingest, pending, read_mark
from experiments.tracking.store import Store, redacted

Say = Callable[[str], None]


def waiting(store_uri: str | None, experiment: str) -> list[Path]:
    """Unfinished business under the runs folder that belongs to this store, oldest first.

    Runs that have not ended, and those meant for another store or experiment, are left alone.
    """
    return [path for path in pending(runs_root()) if _belongs(path, store_uri, experiment)]


def _belongs(path: Path, store_uri: str | None, experiment: str) -> bool:
    mark = read_mark(path.parent)
    if mark is not None and mark.get("uri") != redacted(store_uri or ""):
        return False
    try:
        with path.open("rb") as stream:
            job = json.loads(stream.readline())
    except (OSError, ValueError):
        return False
    if not isinstance(job, dict) or job.get("experiment", experiment) != experiment:
        return False
    sweep = records.load(sweeps_root() / str(job.get("sweep_id")) / records.FILE_NAME)
    return (
        sweep is None
        or mark is not None
        or sweep.store in (records.store_key(store_uri), "journal")
    )


def bring_in(store: Store, experiment: str, say: Say) -> int:
    """Ingest what waits; returns how many journals. One that fails is reported and skipped."""
    done = 0
    for path in waiting(store.uri, experiment):
        try:
            what = ingest(path, store)
            say(f"brought in {path.parent.name}, left by an earlier process: {what}")
            done += 1
        except TrackingError as error:
            say(f"{path.parent.name}: {error}")
            break  # the store is gone: the others would fail too
        except UserError as error:
            say(f"{path.parent.name}: {error}")
    return done


class Debts:
    """Journals of this sweep that the store did not take when their runs ended."""

    def __init__(self) -> None:
        self.paths: list[Path] = []

    def note(self, folder: Path) -> None:
        """Remember a run's folder if its journal is not completely in the store."""
        if not (read_mark(folder) or {}).get("complete"):
            self.paths.append(folder / journal.FILE_NAME)

    def settle(self, store: Store) -> bool:
        """Bring in what is owed; False as long as the store does not take it."""
        while self.paths:
            try:
                ingest(self.paths[0], store)
            except TrackingError:
                return False
            except UserError:
                pass  # in use or unreadable: left to `journal ingest`
            self.paths.pop(0)
        return True
