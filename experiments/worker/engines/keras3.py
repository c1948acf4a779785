"""Keras 3: what its three backends have in common, brought to Keras 2's arithmetic."""

from typing import Any, List, Sequence

import numpy as np

from experiments.worker.engines.base import Engine, Timer
from experiments.worker.engines.device import Spec


class Keras3(Engine):
    """Keras 3 (3.15)."""

    generation = 3

    def configure(self) -> None:
        super(Keras3, self).configure()
        self.keras.config.set_dtype_policy("float32")
        keras = self.keras

        # hard_sigmoid(x) of Keras 3 is clip(x/6 + 1/2, 0, 1); Keras 2's has the slope 1/5. The
        # operation is used, and not clip, because every backend has a kernel of its own for it.
        # Registered since Bidirectional copies its layer through the configuration.
        @keras.saving.register_keras_serializable(package="keras2")  # type: ignore[untyped-decorator]
        def hard_sigmoid_of_keras2(x: Any) -> Any:
            return keras.ops.hard_sigmoid(x * 1.2)

        self.hard_sigmoid = hard_sigmoid_of_keras2

    def sequential(
        self, input_shape: Sequence[int], layers: List[Any], dtype: str = "float32"
    ) -> Any:
        return self.Sequential(
            [self.keras.Input(shape=tuple(input_shape), dtype=dtype)] + list(layers)
        )

    def gate(self, name: str) -> Any:
        return self.hard_sigmoid if name == "hard_sigmoid" else name

    def lstm_options(self, spec: Spec) -> Spec:
        """cuDNN's LSTM knows sigmoid gates only; `auto` takes it for those where there is a GPU.

        For other gates it is ruled out, which also keeps torch on Keras' own loop: on a CPU that
        takes 0.7 times the time of the one that stands in for cuDNN.
        """
        return {
            "use_cudnn": "auto" if spec["recurrent_activation"] == "sigmoid" else False,
            "implementation": 2,
        }

    def optimizer(self, spec: Spec) -> Any:
        make = self.keras.optimizers
        rate = self._rate(spec)
        name = spec["name"]
        if name == "rmsprop":
            # Keras 3 adds epsilon inside the root: sqrt(v + e²) stands for Keras 2's sqrt(v) + e.
            return make.RMSprop(
                learning_rate=rate,
                rho=spec["rho"],
                momentum=0.0,
                centered=False,
                epsilon=spec["epsilon"] ** 2,
            )
        if name == "adadelta":
            return make.Adadelta(learning_rate=rate, rho=spec["rho"], epsilon=spec["epsilon"])
        if name == "adam":
            return make.Adam(
                learning_rate=rate,
                beta_1=spec["beta_1"],
                beta_2=spec["beta_2"],
                epsilon=spec["epsilon"],
                amsgrad=False,
            )
        if name == "sgd":
            return make.SGD(
                learning_rate=rate,
                momentum=spec.get("momentum", 0.0),
                nesterov=spec.get("nesterov", False),
            )
        raise ValueError("unknown optimizer %r; known: rmsprop, adadelta, adam, sgd" % (name,))

    def _rate(self, spec: Spec) -> Any:
        if not spec.get("decay"):
            return spec["learning_rate"]
        return self.keras.optimizers.schedules.InverseTimeDecay(
            spec["learning_rate"], decay_steps=1, decay_rate=spec["decay"], staircase=False
        )

    def compile(self, model: Any, optimizer_spec: Spec, loss: str) -> None:
        model.compile(
            optimizer=self.optimizer(optimizer_spec),
            loss=loss,
            metrics=["accuracy"],
            run_eagerly=False,
            steps_per_execution=1,
            jit_compile=self.settings.get("jit_compile", "auto"),
        )

    def sequence(self, batches: Any) -> Any:
        base = self.keras.utils.PyDataset

        class Batches(base):  # type: ignore[misc, valid-type]
            """Keras 3's view of our batches."""

            def __init__(self) -> None:
                super().__init__(workers=1, use_multiprocessing=False)

            def __len__(self) -> int:
                return len(batches)

            def __getitem__(self, index: int) -> Any:
                return batches[index]

        return Batches()

    def fit(self, model: Any, training: Any, job: Spec, timer: Timer) -> None:
        common = {
            "epochs": job["epochs"],
            "verbose": 0,
            "callbacks": [self._callback(timer)],
            "validation_data": timer.validation,
            "validation_batch_size": job["batch"],
        }
        if isinstance(training, tuple):
            model.fit(
                training[0], training[1], batch_size=job["batch"], shuffle=job["shuffle"], **common
            )
        else:
            model.fit(self.sequence(training), shuffle=False, **common)

    def _callback(self, timer: Timer) -> Any:
        """Hooks on epochs and validation only: one on batches would end asynchronous dispatch.

        Validation is left to fit, which keeps its pipeline from epoch to epoch (evaluate builds one
        a call: 0.1 s under TensorFlow).
        """

        class Epochs(self.keras.callbacks.Callback):  # type: ignore[misc, name-defined]
            """Tells the timer."""

            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                del logs
                timer.epoch_begins(epoch)

            def on_test_begin(self, logs: Any = None) -> None:
                del logs
                timer.training_ended()

            def on_test_end(self, logs: Any = None) -> None:
                del logs
                timer.validation_ended()

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                if not timer.epoch_ended(epoch, dict(logs or {})):
                    self.model.stop_training = True

        return Epochs()

    def parameters(self, model: Any) -> int:
        return int(sum(np.prod(tuple(weight.shape)) for weight in model.trainable_weights))
