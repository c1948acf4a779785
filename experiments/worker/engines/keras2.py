"""Keras 2 (2.1.6): what its three backends have in common."""

from typing import Any, List, Sequence

from experiments.worker.engines.base import Engine, Timer
from experiments.worker.engines.device import Spec


class Keras2(Engine):
    """Keras 2.1.6, whose arithmetic the others are brought to."""

    generation = 2

    def sequential(
        self, input_shape: Sequence[int], layers: List[Any], dtype: str = "float32"
    ) -> Any:
        """Word numbers are fed as float32 (exact to 2**24); Keras 2's embedding casts them."""
        del dtype
        model = self.Sequential()
        model.add(self.layers.InputLayer(input_shape=tuple(input_shape), dtype="float32"))
        for layer in layers:
            model.add(layer)
        return model

    def gate(self, name: str) -> Any:
        return name

    def lstm_options(self, spec: Spec) -> Spec:
        return {"implementation": spec["implementation"]}

    def optimizer(self, spec: Spec) -> Any:
        make = self.keras.optimizers
        common = {"lr": spec["learning_rate"], "decay": spec.get("decay", 0.0)}
        name = spec["name"]
        if name == "rmsprop":
            return make.RMSprop(rho=spec["rho"], epsilon=spec["epsilon"], **common)
        if name == "adadelta":
            return make.Adadelta(rho=spec["rho"], epsilon=spec["epsilon"], **common)
        if name == "adam":
            return make.Adam(
                beta_1=spec["beta_1"],
                beta_2=spec["beta_2"],
                epsilon=spec["epsilon"],
                amsgrad=False,
                **common,
            )
        if name == "sgd":
            return make.SGD(
                momentum=spec.get("momentum", 0.0), nesterov=spec.get("nesterov", False), **common
            )
        raise ValueError("unknown optimizer %r; known: rmsprop, adadelta, adam, sgd" % (name,))

    def compile(self, model: Any, optimizer_spec: Spec, loss: str) -> None:
        model.compile(optimizer=self.optimizer(optimizer_spec), loss=loss, metrics=["accuracy"])

    def sequence(self, batches: Any) -> Any:
        base = self.keras.utils.Sequence

        class Batches(base):  # type: ignore[misc, valid-type]
            """Keras 2's view of our batches."""

            def __len__(self) -> int:
                return len(batches)

            def __getitem__(self, index: int) -> Any:
                return batches[index]

            def on_epoch_end(self) -> None:
                """Nothing: the epoch's callback starts each epoch."""

        return Batches()

    def fit(self, model: Any, training: Any, job: Spec, timer: Timer) -> None:
        callbacks = [self._callback(model, job["batch"], timer)]
        if isinstance(training, tuple):
            model.fit(
                training[0],
                training[1],
                batch_size=job["batch"],
                epochs=job["epochs"],
                verbose=0,
                shuffle=job["shuffle"],
                callbacks=callbacks,
            )
        else:
            model.fit_generator(
                self.sequence(training),
                steps_per_epoch=len(training),
                epochs=job["epochs"],
                verbose=0,
                callbacks=callbacks,
                workers=0,
                use_multiprocessing=False,
                max_queue_size=1,
                shuffle=False,
            )

    def _callback(self, model: Any, batch: int, timer: Timer) -> Any:
        """Evaluates at an epoch's end: Keras 2 has no hook between training and validation."""

        class Epochs(self.keras.callbacks.Callback):  # type: ignore[misc, name-defined]
            """Tells the timer, and validates."""

            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                del logs
                timer.epoch_begins(epoch)

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                timer.training_ended()
                x, y = timer.validation
                loss, accuracy = model.evaluate(x, y, batch_size=batch, verbose=0)
                timer.validation_ended()
                if not timer.epoch_ended(epoch, dict(logs or {}, val_loss=loss, val_acc=accuracy)):
                    self.model.stop_training = True

        return Epochs()

    def barrier(self, model: Any) -> None:
        """Read the last weight (a bias): all three engines finish their updates before a read."""
        self.keras.backend.get_value(model.trainable_weights[-1])
