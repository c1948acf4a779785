"""One training: import, device, data, build, epochs, sample; each phase timed apart and told as an event.

The clock is time.perf_counter, stopped only when the device has finished. Keras' fit is called once for all
epochs with one epoch-level callback; validation is a step of its own after each epoch, the same on all engines.
"""

import importlib
import math
import time
from typing import Any, Dict, Optional

from experiments.worker import augment, compat, data, sample
from experiments.worker.events import Journal

FINISHED = "finished"
DIVERGED = "diverged"


class Outcome(object):
    """How a training ended: its state, why, when, and what it took of the device."""

    def __init__(self, state: str, reason: Optional[str], total_seconds: float,
                 peak_device_bytes: Optional[int]) -> None:
        self.state = state
        self.reason = reason
        self.total_seconds = total_seconds
        self.peak_device_bytes = peak_device_bytes


def train(job: Dict[str, Any], journal: Journal, began: float) -> Outcome:
    """Do what `job` says and write the events up to, and without, `end`.

    `began`: time.perf_counter() when the worker started. Raises compat.DeviceMismatch before any training, and
    whatever the engine raises.
    """
    engine = compat.load(job)
    journal.write("imported", import_seconds=engine.import_seconds, versions=engine.versions,
                  keras_generation=engine.generation, keras_backend=engine.backend)
    journal.write("device", **engine.device(job))
    arrays = load_data(job, journal)
    model = build(engine, job, arrays, journal)
    recorder = Recorder(engine, model, job, arrays, journal)
    fit(engine, model, job, arrays, recorder)
    total_seconds = time.perf_counter() - began
    peak_device_bytes = engine.peak_device_bytes()
    if recorder.trouble is None and job.get("sample"):
        name = sample.write(job["folder"], model.predict_on_batch, job["extra"], job["sample"],
                            engine.seed_value)
        journal.write("sample", path=name)
    state = FINISHED if recorder.trouble is None else DIVERGED
    return Outcome(state, recorder.trouble, total_seconds, peak_device_bytes)


def load_data(job: Dict[str, Any], journal: Journal) -> data.Data:
    """Map the job's arrays."""
    began = time.perf_counter()
    arrays = data.load(job["arrays"])
    journal.write("data", load_seconds=time.perf_counter() - began, bytes=arrays.bytes,
                  train_samples=len(arrays.training[0]), validation_samples=len(arrays.validation[0]))
    return arrays


def build(engine: compat.Engine, job: Dict[str, Any], arrays: data.Data, journal: Journal) -> Any:
    """Build and compile the job's model."""
    began = time.perf_counter()
    module = importlib.import_module("experiments.worker.models." + job["model"]["builder"])
    extra = dict(job.get("extra") or {}, input_shape=list(arrays.training[0].shape[1:]))
    model = module.build(engine, job["model"], extra)
    engine.compile(model, job["optimizer"], job["loss"])
    journal.write("built", build_seconds=time.perf_counter() - began, parameters=engine.parameters(model))
    return model


def fit(engine: compat.Engine, model: Any, job: Dict[str, Any], arrays: data.Data, recorder: "Recorder") -> None:
    """Call Keras' fit once; the clock of the first epoch starts with it, so it holds what fit compiles."""
    engine.seed_libraries()  # shuffling starts from the seed, however many numbers building took
    batches = None
    if job.get("augmentation"):
        batches = augment.Batches(arrays.training, job["batch"], job["augmentation"], job["shuffle"],
                                  engine.seed_value)
    callbacks = [epoch_callback(engine, recorder, batches)]
    recorder.start()
    if batches is None:
        engine.fit_arrays(model, arrays.training, job, callbacks)
    else:
        engine.fit_batches(model, batches, job, callbacks)


def epoch_callback(engine: compat.Engine, recorder: "Recorder", batches: Optional[augment.Batches]) -> Any:
    """Our only callback. It has no hook on batches: one would end the asynchronous dispatch of Keras 3."""

    class EpochCallback(engine.keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        """Starts and ends each epoch."""

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            del logs
            if batches is not None:
                batches.start_epoch(epoch)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if not recorder.end_epoch(epoch, logs or {}):
                self.model.stop_training = True

    return EpochCallback()


class Recorder(object):
    """Times each epoch's training and validation, and writes the `epoch` events."""

    def __init__(self, engine: compat.Engine, model: Any, job: Dict[str, Any], arrays: data.Data,
                 journal: Journal) -> None:
        self._engine = engine
        self._model = model
        self._batch = job["batch"]
        self._arrays = arrays
        self._journal = journal
        self._clock = 0.0
        self.trouble: Optional[str] = None

    def start(self) -> None:
        """Start the clock of an epoch's training."""
        self._clock = time.perf_counter()

    def end_epoch(self, epoch: int, logs: Dict[str, Any]) -> bool:
        """Stop the clock, validate, tell, start the next epoch's clock. False where a loss is not finite.

        What is between the end of validation and the next start (the event's way to the disk) is not timed.
        """
        self._engine.barrier(self._model)
        trained = time.perf_counter()
        val_loss, val_accuracy = self._engine.evaluate(self._model, self._arrays.validation, self._batch)
        self._engine.barrier(self._model)
        validated = time.perf_counter()
        train_seconds = trained - self._clock
        loss = float(logs["loss"])
        self._journal.write(
            "epoch", epoch=epoch + 1, train_seconds=train_seconds, validation_seconds=validated - trained,
            epoch_seconds=validated - self._clock,
            samples_per_second=len(self._arrays.training[0]) / train_seconds,
            loss=loss, accuracy=logs.get("accuracy", logs.get("acc")),  # Keras 3's and Keras 2's name
            val_loss=val_loss, val_accuracy=val_accuracy)
        for name, value in (("loss", loss), ("validation loss", val_loss)):
            if not math.isfinite(value) and self.trouble is None:
                self.trouble = "the %s is %s in epoch %d" % (name, value, epoch + 1)
        self.start()
        return self.trouble is None
