"""NVIDIA's driver (NVML), used here only: which GPUs are present, throttling, energy."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_THROTTLED = {
    "nvmlClocksThrottleReasonSwPowerCap": "power cap",
    "nvmlClocksThrottleReasonHwSlowdown": "hardware slowdown",
    "nvmlClocksThrottleReasonSwThermalSlowdown": "heat",
}


@dataclass(frozen=True)
class Gpu:
    """One GPU as the driver reports it."""

    index: int
    name: str
    memory_bytes: int
    capability: float  # compute capability, e.g. 7.0
    driver: str


@contextlib.contextmanager
def _nvml() -> Iterator[Any]:
    """NVML, ready for queries. ImportError without the library, NVMLError without a driver."""
    import pynvml

    pynvml.nvmlInit()
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def present_gpus() -> list[Gpu]:
    """The NVIDIA GPUs of this machine; empty without a driver."""
    found: list[Gpu] = []
    with contextlib.suppress(Exception), _nvml() as nvml:  # NVML's own hierarchy
        driver = str(nvml.nvmlSystemGetDriverVersion())
        found.extend(_gpu(nvml, index, driver) for index in range(nvml.nvmlDeviceGetCount()))
    return found


def _gpu(nvml: Any, index: int, driver: str) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    memory = int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
    return Gpu(index, str(nvml.nvmlDeviceGetName(handle)), memory, major + minor / 10, driver)


def throttle_reasons(index: int) -> list[str]:
    """Why the GPU's clock is held down at this moment; empty if it is not, or unknown."""
    with contextlib.suppress(Exception), _nvml() as nvml:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        mask = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
        return [word for name, word in _THROTTLED.items() if mask & getattr(nvml, name, 0)]
    return []


def energy_joules(index: int) -> float | None:
    """The GPU's energy counter in joules; None on GPUs without one."""
    with contextlib.suppress(Exception), _nvml() as nvml:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3
    return None
