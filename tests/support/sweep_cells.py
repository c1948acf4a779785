"""Cells of a sweep, and runs of theirs that ended, for tests that start nothing."""

from dataclasses import replace
from typing import Any

from experiments.config import identity
from experiments.config.schema import RunConfig
from experiments.runs.device import Device
from experiments.sweeps.finished import Past
from experiments.sweeps.grid import Cell

CPU = Device("cpu", "Test CPU 9000", None, None, "as asked")
DIGEST = "0123456789abcdef"


def cell(config: RunConfig, index: int = 0, repetitions: int = 3) -> Cell:
    return Cell(index, (f"seed={index}",), config, repetitions, f"cell {index}")


def past(config: RunConfig, **changes: Any) -> Past:
    found = Past(
        config.task.name,
        config.backend.name,
        config.gpu.name,
        CPU.name,
        identity.protocol_id(config, DIGEST, 2),
        1,
        2,
        {"setting.jit_compile": "false"},
        "finished",
        None,
        "sweep",
        None,
        (0.02, 2),
        {"total_seconds": 40.0, "steady_epoch_seconds": 5.0},
    )
    return replace(found, **changes)
