"""CNTK under Keras 2."""

import warnings
from typing import List, Optional

from experiments.worker.engines.device import PROOF_MATRIX, DeviceMismatch, Spec
from experiments.worker.engines.keras2 import Keras2


class Cntk(Keras2):
    """CNTK 2.7."""

    backend = "cntk"
    distributions = ("cntk",)

    def import_engine(self) -> None:
        """The device is chosen here: Keras takes CNTK's default device when it is imported."""
        import cntk

        cntk.logging.set_trace_level(cntk.logging.TraceLevel.Error)
        cntk.cntk_py.set_max_num_cputhreads(self.threads)
        chosen = cntk.device.gpu(0) if self.on_gpu and self.gpu_names() else cntk.device.cpu()
        if not cntk.device.try_set_default_device(chosen):
            raise DeviceMismatch("CNTK cannot take %s: another process holds it" % (chosen,))
        warnings.filterwarnings("ignore", message="CNTK backend warning: GPU is not detected")

    def seed_engine(self) -> None:
        import cntk

        cntk.cntk_py.set_fixed_random_seed(self.seed_value)

    def gpu_names(self) -> List[str]:
        import cntk

        gpus = [
            device
            for device in cntk.device.all_devices()
            if device.type() == cntk.device.DeviceKind.GPU
        ]
        return [str(cntk.device.get_gpu_properties(gpu).name) for gpu in gpus]

    def gpu_memory(self) -> Optional[int]:
        import cntk

        return int(cntk.device.get_gpu_properties(cntk.device.gpu(0)).total_memory) * 2**20

    def report(self) -> str:
        import cntk

        return "default %s; all: %s" % (
            cntk.device.use_default_device(),
            ", ".join(str(device) for device in cntk.device.all_devices()),
        )

    def prove(self) -> Spec:
        import cntk

        matrix = cntk.constant(PROOF_MATRIX)
        result = cntk.reduce_sum(cntk.times(matrix, matrix)).eval(as_numpy=False)
        return {"value": float(result.asarray()), "where": str(result.device)}


ENGINE = Cntk
