"""PyTorch under Keras 3."""

from typing import Any, List, Optional

from experiments.worker.engines.device import PROOF_MATRIX, Spec
from experiments.worker.engines.keras3 import Keras3


class Torch(Keras3):
    """PyTorch."""

    backend = "torch"
    distributions = ("torch",)

    def import_engine(self) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(self.threads)
        torch.set_num_interop_threads(self.threads)
        torch.set_float32_matmul_precision("high" if self.tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = self.tf32

    def seed_engine(self) -> None:
        self.torch.manual_seed(self.seed_value)

    def barrier(self, model: Any) -> None:
        """On a CPU nothing is asynchronous."""
        del model
        if self.on_gpu:
            self.torch.cuda.synchronize()

    def gpu_names(self) -> List[str]:
        cuda = self.torch.cuda
        count = cuda.device_count() if cuda.is_available() else 0
        return [str(cuda.get_device_name(index)) for index in range(count)]

    def gpu_memory(self) -> Optional[int]:
        return int(self.torch.cuda.get_device_properties(0).total_memory)

    def report(self) -> str:
        cuda = self.torch.cuda
        if cuda.is_available():
            return "; ".join(
                str(cuda.get_device_properties(index)) for index in range(cuda.device_count())
            )
        return "cpu (%s, %d threads)" % (
            self.torch.backends.cpu.get_cpu_capability(),
            self.torch.get_num_threads(),
        )

    def prove(self) -> Spec:
        """Through Keras, so that the device is the one that Keras chose."""
        matrix = self.keras.ops.convert_to_tensor(PROOF_MATRIX)
        result = self.keras.ops.sum(self.keras.ops.matmul(matrix, matrix))
        return {"value": float(result.item()), "where": str(result.device)}

    def peak_device_bytes(self) -> Optional[int]:
        return int(self.torch.cuda.max_memory_allocated()) if self.on_gpu else None


ENGINE = Torch
