"""Which device a run is sent to."""

from dataclasses import dataclass

from experiments.config.schema import BackendConfig, GpuConfig
from experiments.errors import DeviceMismatch
from experiments.system import host
from experiments.system.gpu import Gpu, present_gpus


@dataclass(frozen=True)
class Device:
    """The device that a worker is sent to: kind "cpu" or "gpu", its name, and why this one."""

    kind: str
    name: str
    index: int | None
    expected: str | None  # part of the name that the worker must find there
    remark: str

    @property
    def lock_name(self) -> str:
        """The name of the lock that lets one measured worker at a time use the device."""
        return "cpu" if self.kind == "cpu" else f"gpu{self.index}"


def choose_device(gpu: GpuConfig, backend: BackendConfig, found: list[Gpu] | None = None) -> Device:
    """The device for a run.

    Raises DeviceMismatch for a GPU that is not present; its message names what was found instead.
    """
    cpu_name = host.cpu_model()
    if gpu.kind == "cpu":
        return Device("cpu", cpu_name, None, None, "the CPU, as asked")
    present = present_gpus() if found is None else found
    wanted = [
        g for g in present if gpu.device_name is None or gpu.device_name.lower() in g.name.lower()
    ]
    if gpu.index is not None:
        wanted = [g for g in wanted if g.index == gpu.index]
    usable = [g for g in wanted if backend.newest_gpu is None or g.capability <= backend.newest_gpu]
    if usable:
        chosen = usable[0]
        return Device(
            "gpu", chosen.name, chosen.index, gpu.device_name or chosen.name, "a GPU it can use"
        )
    if gpu.kind == "auto":
        why = (
            "no GPU here" if not present else f"{backend.title} has no build for {present[0].name}"
        )
        return Device("cpu", cpu_name, None, None, why)
    raise DeviceMismatch(_mismatch(gpu, backend, present, wanted, cpu_name))


def _mismatch(
    gpu: GpuConfig, backend: BackendConfig, present: list[Gpu], wanted: list[Gpu], cpu: str
) -> str:
    asked = gpu.device_name or "a GPU"
    if wanted:
        return (
            f"gpu={gpu.name}: {wanted[0].name} is here, but {backend.title} supports compute "
            f"capability {backend.newest_gpu} at most and this is {wanted[0].capability}; "
            "use gpu=cpu or another backend"
        )
    here = ", ".join(f"{g.index}: {g.name}" for g in present) or f"no NVIDIA GPU (CPU: {cpu})"
    return f"gpu={gpu.name}: {asked} is not here, found {here}; use gpu=auto or gpu=cpu"
