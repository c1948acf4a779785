"""TensorFlow 2 under Keras 3."""

import os
from typing import Any, List, Optional

from experiments.worker.engines.device import PROOF_MATRIX, Spec
from experiments.worker.engines.keras3 import Keras3


class TensorFlow2(Keras3):
    """TensorFlow 2."""

    backend = "tensorflow"
    distributions = ("tensorflow",)

    def import_engine(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import tensorflow

        self.tf = tensorflow
        config = tensorflow.config
        config.threading.set_intra_op_parallelism_threads(self.threads)
        config.threading.set_inter_op_parallelism_threads(self.threads)
        config.experimental.enable_tensor_float_32_execution(self.tf32)
        if not self.on_gpu:
            config.set_visible_devices([], "GPU")
        for gpu in config.list_physical_devices("GPU") if self.on_gpu else []:
            config.experimental.set_memory_growth(gpu, self.memory_growth)

    def seed_engine(self) -> None:
        self.tf.random.set_seed(self.seed_value)

    def optimizer(self, spec: Spec) -> Any:
        """Sums the gradients of a row that a batch uses several times (setting dense_gradients).

        An embedding's gradient is a list of rows. Keras 3 squares that list as it is, so that a
        repeated word adds its squares and not the square of its sum to Adam's second moment (8 %
        off after one step).
        """
        optimizer = super(TensorFlow2, self).optimizer(spec)
        if not self.settings.get("dense_gradients", True):
            return optimizer
        tf, plain = self.tf, type(optimizer)

        class DenseGradients(plain):  # type: ignore[misc, valid-type]
            """The optimizer on dense gradients, as all other engines have them."""

            def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
                dense = [
                    tf.convert_to_tensor(grad) if isinstance(grad, tf.IndexedSlices) else grad
                    for grad in grads
                ]
                return super().apply(dense, trainable_variables)

        return DenseGradients.from_config(optimizer.get_config())

    def barrier(self, model: Any) -> None:
        """Wait for the devices' streams, then read back the last weight."""
        if self.on_gpu:
            self.tf.test.experimental.sync_devices()
        model.trainable_weights[-1].numpy()

    def gpu_names(self) -> List[str]:
        details = self.tf.config.experimental.get_device_details
        return [str(details(gpu).get("device_name", gpu.name)) for gpu in self._gpus()]

    def _gpus(self) -> List[Any]:
        gpus: List[Any] = self.tf.config.get_visible_devices("GPU")
        return gpus

    def report(self) -> str:
        return ", ".join(device.name for device in self.tf.config.list_logical_devices())

    def prove(self) -> Spec:
        matrix = self.tf.constant(PROOF_MATRIX)
        result = self.tf.reduce_sum(self.tf.matmul(matrix, matrix))
        return {"value": float(result.numpy()), "where": result.device}

    def peak_device_bytes(self) -> Optional[int]:
        if not self.on_gpu:
            return None
        return int(self.tf.config.experimental.get_memory_info("GPU:0")["peak"])


ENGINE = TensorFlow2
