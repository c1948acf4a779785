"""TensorFlow 1 under Keras 2, with weight updates that wait for all gradients."""

import os
from typing import Any, List, Optional

from experiments.worker.engines.device import PROOF_MATRIX, Spec
from experiments.worker.engines.keras2 import Keras2


class TensorFlow1(Keras2):
    """TensorFlow 1.14."""

    backend = "tensorflow"
    distributions = ("tensorflow",)

    def import_engine(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import tensorflow

        logging = tensorflow.compat.v1.logging
        logging.set_verbosity(logging.ERROR)
        self.tf = tensorflow

    def configure(self) -> None:
        super(TensorFlow1, self).configure()
        self.keras.backend.set_session(self.tf.Session(config=self.session_config()))

    def session_config(self) -> Any:
        """Threads and memory growth, as a ConfigProto."""
        config = self.tf.ConfigProto(
            intra_op_parallelism_threads=self.threads,
            inter_op_parallelism_threads=self.threads,
            allow_soft_placement=True,
        )
        config.gpu_options.allow_growth = self.memory_growth
        return config

    def seed_engine(self) -> None:
        self.tf.set_random_seed(self.seed_value)

    def optimizer(self, spec: Spec) -> Any:
        """Orders what Keras 2 leaves unordered, where the setting gated_gradients is on.

        Without it an update may overwrite a weight that another gradient still has to read, and the
        step counter may be raised before Adam has read it (seen in 7 to 45 % of the steps, a first
        step of 0.74 of its size).
        """
        optimizer = super(TensorFlow1, self).optimizer(spec)
        if not self.settings.get("gated_gradients", True):
            return optimizer
        tf, gradients, updates = self.tf, optimizer.get_gradients, optimizer.get_updates

        def ordered_updates(*args: Any, **kwargs: Any) -> Any:
            operations = updates(*args, **kwargs)
            with tf.control_dependencies(optimizer.iterations.value().consumers()):
                operations[0] = tf.assign_add(optimizer.iterations, 1)  # in Keras' place for it
            return operations

        optimizer.get_gradients = lambda loss, params: tf.tuple(gradients(loss, params))
        optimizer.get_updates = ordered_updates
        return optimizer

    def _local_devices(self) -> List[Any]:
        from tensorflow.python.client import device_lib

        devices: List[Any] = device_lib.list_local_devices(session_config=self.session_config())
        return devices

    def _gpus(self) -> List[Any]:
        return [device for device in self._local_devices() if device.device_type == "GPU"]

    def gpu_names(self) -> List[str]:
        names = []
        for (
            gpu
        ) in self._gpus():  # "device: 0, name: Tesla K80, pci bus id: …, compute capability: 3.7"
            described = gpu.physical_device_desc
            fields = dict(part.split(": ", 1) for part in described.split(", ") if ": " in part)
            names.append(fields.get("name", described))
        return names

    def gpu_memory(self) -> Optional[int]:
        return int(self._gpus()[0].memory_limit)

    def report(self) -> str:
        return "; ".join(
            " ".join([device.name, device.physical_device_desc]).strip()
            for device in self._local_devices()
        )

    def prove(self) -> Spec:
        """Run in a session of its own; the run's step statistics name the device."""
        tf = self.tf
        metadata = tf.RunMetadata()
        with tf.Graph().as_default(), tf.Session(config=self.session_config()) as session:
            matrix = tf.placeholder("float32", shape=(4, 4))
            product = tf.reduce_sum(tf.matmul(matrix, matrix))
            options = tf.RunOptions(
                trace_level=tf.RunOptions.FULL_TRACE
                if self.on_gpu
                else tf.RunOptions.SOFTWARE_TRACE
            )
            value = session.run(
                product, {matrix: PROOF_MATRIX}, options=options, run_metadata=metadata
            )
        places = [
            stats.device
            for stats in metadata.step_stats.dev_stats
            if any("MatMul" in node.node_name for node in stats.node_stats)
        ]
        return {"value": float(value), "where": places[0] if places else "unknown"}

    def peak_device_bytes(self) -> Optional[int]:
        if not self.on_gpu:
            return None
        with self.tf.device("/gpu:0"):
            peak = self.tf.contrib.memory_stats.MaxBytesInUse()
        return int(self.keras.backend.get_session().run(peak))


ENGINE = TensorFlow1
