"""What a sweep remembers of itself on disk: id, order seed, grid. The same command later goes on from there.

    runs/.sweeps/<sweep id>/sweep.json      and beside it what launchers write
    runs/.sweeps/<fingerprint>.lock         held while the sweep goes on
"""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from experiments.errors import UserError
from experiments.paths import runs_root
from experiments.sweeps.grid import Cell
from experiments.sweeps.order import new_seed

FILE_NAME = "sweep.json"
STOP = "stop"


@dataclass
class Record:
    """One sweep. `store` is what results go to, hashed: addresses may hold a password."""

    id: str
    fingerprint: str
    seed: int
    store: str
    command: list[str]
    created: str
    summary_run: str | None = None
    ended: bool = False
    cells: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Where the sweep's own files are."""
        return sweeps_root() / self.id

    def save(self) -> None:
        """Write it, whole or not at all. UserError where the folder cannot be written."""
        path = self.folder / FILE_NAME
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f"{FILE_NAME}.{os.getpid()}")
            fresh.write_text(json.dumps(asdict(self), indent=1))
            fresh.replace(path)
        except OSError as error:
            raise _unwritable(error) from error


def sweeps_root() -> Path:
    """Sweeps' own files; hidden, so that runs/* are runs."""
    return runs_root() / ".sweeps"


def store_key(uri: str | None) -> str:
    """A store's address without what it gives away; "journal" for none."""
    return "journal" if uri is None else hashlib.sha256(uri.encode()).hexdigest()[:16]


def fingerprint(cells: list[Cell], store: str, force: bool) -> str:
    """Equal for the same grid into the same store, in whatever order it was written."""
    grid = sorted([*sorted(cell.overrides), str(cell.repetitions)] for cell in cells)
    return hashlib.sha256(json.dumps([grid, store, force]).encode()).hexdigest()[:16]


def load(path: Path) -> Record | None:
    """The record in `path`; None where there is none that can be read."""
    try:
        return Record(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def latest(fingerprint: str) -> Record | None:
    """The newest sweep over the same grid into the same store."""
    found = [load(path) for path in sweeps_root().glob(f"*/{FILE_NAME}")]
    same = [record for record in found if record is not None and record.fingerprint == fingerprint]
    return max(same, key=lambda record: record.created, default=None)


def to_continue(fingerprint: str, force: bool) -> Record | None:
    """The sweep that the same command goes on with. With `force` only one that was broken off."""
    record = latest(fingerprint)
    return None if record is None or (force and record.ended) else record


def start(cells: list[Cell], fingerprint: str, store: str, command: list[str]) -> Record:
    """A new sweep, with an order seed of its own."""
    now = datetime.now()
    record = Record(
        id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}", fingerprint=fingerprint, seed=new_seed(), store=store,
        command=command, created=now.isoformat(), cells=[" ".join(cell.overrides) for cell in cells],
    )
    record.save()
    return record


@contextlib.contextmanager
def held(fingerprint: str) -> Iterator[None]:
    """Hold the sweep for this process; UserError where the same one goes on in another."""
    from filelock import FileLock, Timeout

    path = sweeps_root() / f"{fingerprint}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=0)
        lock.acquire()
    except Timeout:
        raise UserError("this very sweep is going on in another process; it measures these cells") from None
    except OSError as error:
        raise _unwritable(error) from error
    try:
        yield
    finally:
        lock.release()


def _unwritable(error: OSError) -> UserError:
    reason = error.strerror or error
    return UserError(f"{error.filename or sweeps_root()}: {reason}; KBB_RUNS names another folder for runs")
