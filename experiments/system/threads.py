"""How many threads an engine gets: the physical cores that this process may use, or a number.

loky.cpu_count(only_physical_cores=True) is not enough: under an affinity mask it counts hardware
threads, it reads one control group instead of all above this process, and it rounds a quota up.
"""

import math
import os
from pathlib import Path

from experiments.errors import ConfigError

_CPUS = Path("/sys/devices/system/cpu")
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def resolve_threads(value: str | int) -> int:
    """The number of threads for `value`: "auto", or 1 to the processors this process may use.

    Raises ConfigError for anything else. More threads than processors are refused: the engines'
    threads would wait for each other.
    """
    usable = usable_processors()
    if str(value).strip().lower() == "auto":
        return usable_cores()
    try:
        threads = int(str(value))
    except ValueError:
        raise ConfigError(
            f"threads={value} is not a number; choose auto or 1 to {usable}"
        ) from None
    if not 1 <= threads <= usable:
        raise ConfigError(f"threads={threads} is out of range; choose auto or 1 to {usable}")
    return threads


def affinity() -> set[int]:
    """The processors (hardware threads) that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def usable_processors() -> int:
    """Hardware threads that this process may use: its affinity within its control groups' quota."""
    quota = cgroup_quota()
    return len(affinity()) if quota is None else max(1, min(len(affinity()), math.ceil(quota)))


def usable_cores() -> int:
    """Physical cores that this process may use, within its control group's quota; at least 1.

    Two hardware threads of one core share its arithmetic units, so they count once.
    """
    processors = affinity()
    cores = {_core(processor) for processor in processors}
    count = len(processors) if None in cores else len(cores)
    quota = cgroup_quota()
    return max(1, min(count, int(quota)) if quota is not None else count)


def _core(processor: int) -> tuple[str, str] | None:
    topology = _CPUS / f"cpu{processor}" / "topology"
    try:
        return (topology / "physical_package_id").read_text().strip(), (
            topology / "core_id"
        ).read_text().strip()
    except OSError:
        return None


def cgroup_quota() -> float | None:
    """Processors that the control groups grant, such as 2.5; None if there is no limit."""
    quotas = [quota for folder in _own_groups() if (quota := _quota_of(folder)) is not None]
    return min(quotas, default=None)


def _own_groups() -> list[Path]:
    """The folders of this process's control groups, up to the root: each may set a limit."""
    try:
        lines = _OWN_CGROUP.read_text().splitlines()
    except OSError:
        return []
    folders: list[Path] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = _CGROUPS if not controllers else _CGROUPS / "cpu"
        own = root / path.lstrip("/")
        folders += [
            folder for folder in (own, *own.parents) if folder == root or root in folder.parents
        ]
    return folders


def _quota_of(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()  # version 2
    except (OSError, ValueError):
        try:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()  # version 1
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if quota in ("max", "-1"):
        return None
    return int(quota) / int(period)
