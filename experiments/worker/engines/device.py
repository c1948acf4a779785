"""What device is there, whether it is the one asked for, and a proof that it computes."""

import platform
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

Spec = Dict[str, Any]

# The tiny operation that proves a device: the sum of A·A for A = 0…15 as a 4×4 matrix, exact in
# float32.
PROOF_MATRIX = np.arange(16, dtype="float32").reshape(4, 4)
PROOF_VALUE = float(PROOF_MATRIX.dot(PROOF_MATRIX).sum())


class DeviceMismatch(Exception):  # noqa: N818  (named after the end state)
    """The device that the job asks for is not the one that is there, or it does not compute."""


class Device(object):
    """The part of an engine that knows its device."""

    backend = ""
    distributions: Sequence[
        str
    ] = ()  # importable modules whose __version__ is worth recording; the engine first
    versions: Dict[str, str]

    def device(self, job: Spec) -> Spec:
        """{kind, name, report, proof, memory_bytes} of the device in use; raises DeviceMismatch.

        The report is the engine's own; the proof is a tiny operation, carried out there.
        """
        wanted = dict(job.get("device") or {"kind": "cpu"})
        names = self.gpu_names()
        if wanted["kind"] == "gpu" and not names:
            raise DeviceMismatch(
                "a GPU was asked for, %s finds none (%s)" % (self.title(), self.report())
            )
        if wanted["kind"] == "cpu" and names:
            raise DeviceMismatch(
                "the CPU was asked for, %s would use %s" % (self.title(), ", ".join(names))
            )
        name = names[0] if names else cpu_name()
        asked = wanted.get("name")
        if asked and str(asked).lower() not in name.lower():
            raise DeviceMismatch(
                "%s was asked for, %s finds %s" % (asked, self.title(), ", ".join(names) or name)
            )
        proof = self.prove()
        if not proof["value"] == PROOF_VALUE:
            raise DeviceMismatch(
                "%s computes %r instead of %r on %s"
                % (self.title(), proof["value"], PROOF_VALUE, name)
            )
        if ("gpu" if self.is_gpu(proof["where"]) else "cpu") != wanted["kind"]:
            raise DeviceMismatch(
                "a tiny operation of %s ran on %s, not on a %s"
                % (self.title(), proof["where"], wanted["kind"].upper())
            )
        return {
            "kind": wanted["kind"],
            "name": name,
            "report": self.report(),
            "proof": proof,
            "memory_bytes": self.gpu_memory() if names else None,
        }

    def title(self) -> str:
        """The engine with its version, for messages."""
        version = self.versions.get(self.distributions[0], "") if self.distributions else ""
        return ("%s %s" % (self.backend, version)).strip()

    def gpu_names(self) -> List[str]:
        """Names of the GPUs that the engine itself sees."""
        raise NotImplementedError

    def gpu_memory(self) -> Optional[int]:
        """Bytes of memory of the GPU in use; None where the engine does not tell."""
        return None

    def report(self) -> str:
        """The engine's own list of its devices, in one line."""
        raise NotImplementedError

    def prove(self) -> Spec:
        """{value, where}: the proof's result and the device that the engine says it ran on."""
        raise NotImplementedError

    def is_gpu(self, where: str) -> bool:
        """Whether the engine's name of a device is a GPU's."""
        return "gpu" in where.lower() or "cuda" in where.lower()

    def peak_device_bytes(self) -> Optional[int]:
        """Peak bytes of GPU memory; None on a CPU or if the engine does not tell."""
        return None


def cpu_name() -> str:
    """The CPU's model name as the kernel tells it."""
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
