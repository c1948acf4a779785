"""JAX under Keras 3. Its CPU threads come with the environment."""

import os
from typing import Any, List, Optional

from experiments.worker.engines.device import PROOF_MATRIX, DeviceMismatch, Spec
from experiments.worker.engines.keras3 import Keras3


class Jax(Keras3):
    """JAX."""

    backend = "jax"
    distributions = ("jax", "jaxlib")

    def import_engine(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        if self.memory_growth:
            os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
        import jax

        self.jax = jax
        if not self.on_gpu:
            jax.config.update("jax_platforms", "cpu")
        elif not self.tf32:
            jax.config.update("jax_default_matmul_precision", "highest")
        try:
            jax.devices()
        except RuntimeError as error:
            raise DeviceMismatch(
                "jax finds no device: %s" % (str(error).splitlines()[0],)
            ) from error

    def barrier(self, model: Any) -> None:
        self.jax.block_until_ready([variable.value for variable in model.trainable_variables])

    def _gpus(self) -> List[Any]:
        return [
            device for device in self.jax.devices() if device.platform in ("gpu", "cuda", "rocm")
        ]

    def gpu_names(self) -> List[str]:
        return [str(gpu.device_kind) for gpu in self._gpus()]

    def gpu_memory(self) -> Optional[int]:
        statistics = self._gpus()[0].memory_stats() or {}
        limit = statistics.get("bytes_limit")
        return None if limit is None else int(limit)

    def report(self) -> str:
        return ", ".join("%s (%s)" % (device, device.device_kind) for device in self.jax.devices())

    def prove(self) -> Spec:
        matrix = self.jax.numpy.asarray(PROOF_MATRIX)
        result = self.jax.jit(lambda a: (a @ a).sum())(matrix)
        devices = result.devices()
        return {
            "value": float(result),
            "where": ", ".join("%s %s" % (d.platform, d) for d in devices),
        }

    def peak_device_bytes(self) -> Optional[int]:
        if not self.on_gpu:
            return None
        peak = (self._gpus()[0].memory_stats() or {}).get("peak_bytes_in_use")
        return None if peak is None else int(peak)


ENGINE = Jax
