"""Energy drawn while a worker ran, if the machine has a meter that this process may read."""

from dataclasses import dataclass
from pathlib import Path

from experiments.system.gpu import energy_joules

RAPL = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Meter:
    """A reading: joules since the meter's zero, and where it wraps round (None: never)."""

    joules: float
    wraps_at: float | None


def read(gpu_index: int | None, powercap: Path = RAPL) -> Meter | None:
    """The GPU's counter (NVML), or the sum over the CPU's packages (Linux powercap), or None."""
    if gpu_index is None:
        return _packages(powercap)
    joules = energy_joules(gpu_index)
    return None if joules is None else Meter(joules, None)


def used(before: Meter | None, after: Meter | None) -> float | None:
    """Joules between two readings, corrected for one wrap-around; None if nothing was read."""
    if before is None or after is None:
        return None
    joules = after.joules - before.joules
    if joules < 0:
        return joules + after.wraps_at if after.wraps_at is not None else None
    return joules


def _packages(powercap: Path) -> Meter | None:
    total, wraps = 0.0, 0.0
    found = sorted(powercap.glob("intel-rapl:[0-9]"))
    try:
        for package in found:
            total += int((package / "energy_uj").read_text()) / 1e6
            wraps += int((package / "max_energy_range_uj").read_text()) / 1e6
    except (OSError, ValueError):  # since 2020 the kernel lets root alone read it
        return None
    # With several packages it cannot be told which one wrapped.
    return Meter(total, wraps if len(found) == 1 else None) if found else None
