"""A cell is measured by one sweep at a time, however many sweeps hold it in their grids. Crashes let go."""

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING

from experiments.session import backend_settings
from experiments.sweeps.records import sweeps_root
from experiments.sweeps.survey import Prospect

if TYPE_CHECKING:
    from filelock import BaseFileLock


def take(prospect: Prospect, repetition: int, store: str, wait: bool) -> "contextlib.ExitStack | None":
    """Claim a cell's repetition; None where another sweep measures it now and `wait` is not wanted.

    Leaving the stack gives it back. A folder that takes no lock files lets every claim pass.
    """
    from filelock import FileLock, Timeout

    config = prospect.cell.config
    device = prospect.device.name if prospect.device else config.gpu.name
    identity = [config.task.name, config.backend.name, backend_settings(config), device, store,
                prospect.protocol_id or list(prospect.cell.overrides), repetition]
    name = hashlib.sha256(json.dumps(identity, default=str).encode()).hexdigest()[:24]
    folder = sweeps_root() / "claims"
    stack = contextlib.ExitStack()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock: BaseFileLock = FileLock(folder / f"{name}.lock", timeout=-1 if wait else 0, poll_interval=1.0)
        stack.enter_context(lock)
    except Timeout:
        return None
    except OSError:
        return stack
    return stack
