"""What a sweep keeps on disk: id, order seed, grid; the same command resumes from it.

runs/.sweeps/<sweep id>/sweep.json      and beside it what launchers write
runs/.sweeps/<fingerprint>.lock         held while the sweep runs
"""

import contextlib
import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from experiments.config.identity import backend_settings
from experiments.errors import UserError
from experiments.sweeps.grid import Cell, new_seed
from experiments.sweeps.survey import Prospect
from experiments.system.locks import Busy, file_lock
from experiments.system.paths import sweeps_root, write_whole
from experiments.tracking.store import redacted

FILE_NAME = "sweep.json"
STOP = "stop"


@dataclass
class SweepRecord:
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
        """Write the file as a whole. Raises UserError if its folder cannot be written."""
        path = self.folder / FILE_NAME
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(asdict(self), indent=1))
        except OSError as error:
            raise _unwritable(error) from error


def store_key(uri: str | None) -> str:
    """A store's address without what it gives away; "journal" for none."""
    return "journal" if uri is None else hashlib.sha256(uri.encode()).hexdigest()[:16]


def fingerprint(cells: list[Cell], store: str, force: bool) -> str:
    """Equal for the same grid into the same store, in whatever order it was written."""
    grid = sorted([*sorted(cell.overrides), str(cell.repetitions)] for cell in cells)
    return hashlib.sha256(json.dumps([grid, store, force]).encode()).hexdigest()[:16]


def load(path: Path) -> SweepRecord | None:
    """The record in `path`, or None if it cannot be read."""
    try:
        return SweepRecord(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def latest(fingerprint: str) -> SweepRecord | None:
    """The newest sweep over the same grid into the same store."""
    found = [load(path) for path in sweeps_root().glob(f"*/{FILE_NAME}")]
    same = [record for record in found if record is not None and record.fingerprint == fingerprint]
    return max(same, key=lambda record: record.created, default=None)


def to_continue(fingerprint: str, force: bool) -> SweepRecord | None:
    """The sweep that the same command resumes; with `force` only one that was interrupted."""
    record = latest(fingerprint)
    return None if record is None or (force and record.ended) else record


def start(cells: list[Cell], fingerprint: str, store: str, command: list[str]) -> SweepRecord:
    """Start a new sweep with a fresh order seed."""
    now = datetime.now()
    record = SweepRecord(
        id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        fingerprint=fingerprint,
        seed=new_seed(),
        store=store,
        command=[redacted(word) for word in command],
        created=now.isoformat(),
        cells=[redacted(" ".join(cell.overrides)) for cell in cells],
    )
    record.save()
    return record


@contextlib.contextmanager
def held(fingerprint: str) -> Iterator[None]:
    """Hold the sweep for this process; UserError if the same sweep runs in another."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(file_lock(sweeps_root() / f"{fingerprint}.lock", wait=False))
        except Busy:
            raise UserError("this sweep is already running in another process") from None
        except OSError as error:
            raise _unwritable(error) from error
        yield


def claim_cell(
    prospect: Prospect, repetition: int, store: str, wait: bool
) -> contextlib.ExitStack | None:
    """Claim a cell's repetition, which one sweep measures at a time; None if another one has it.

    wait: wait for the other sweep instead. Closing the stack releases the claim, and so does the
    death of the process. A folder that takes no lock files lets every claim pass.
    """
    config = prospect.cell.config
    device = prospect.device.name if prospect.device else config.gpu.name
    identity = [
        config.task.name,
        config.backend.name,
        backend_settings(config),
        device,
        store,
        prospect.protocol_id or list(prospect.cell.overrides),
        repetition,
    ]
    name = hashlib.sha256(json.dumps(identity, default=str).encode()).hexdigest()[:24]
    stack = contextlib.ExitStack()
    try:
        stack.enter_context(file_lock(sweeps_root() / "claims" / f"{name}.lock", wait=wait))
    except Busy:
        return None
    except OSError:
        return stack
    return stack


def _unwritable(error: OSError) -> UserError:
    reason = error.strerror or error
    where = error.filename or sweeps_root()
    return UserError(f"{where}: {reason}; set KBB_RUNS to another folder for runs")
