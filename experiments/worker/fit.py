"""One training: import, device, data, build, epochs, sample; each phase is timed and an event.

The clock is time.perf_counter, stopped only when the device has finished. Keras' fit is called once
for all epochs with one callback that has no hook on batches; validation is a step of its own after
each epoch.
"""

import importlib
import math
import time
from typing import Any, Dict, Optional

from experiments.worker import augment, data, engines, sample
from experiments.worker.engines.base import Timer
from experiments.worker.events import Journal

FINISHED = "finished"
DIVERGED = "diverged"
# Keras 3's names, and Keras 2's.
FIGURES = (
    ("loss", "loss"),
    ("accuracy", "acc"),
    ("val_loss", "val_loss"),
    ("val_accuracy", "val_acc"),
)


class Outcome(object):
    """How a training ended: its state, why, when, and what it took of the device."""

    def __init__(
        self,
        state: str,
        reason: Optional[str],
        total_seconds: float,
        peak_device_bytes: Optional[int],
    ) -> None:
        self.state = state
        self.reason = reason
        self.total_seconds = total_seconds
        self.peak_device_bytes = peak_device_bytes


def train(job: Dict[str, Any], journal: Journal, began: float) -> Outcome:
    """Do what `job` says and write the events up to, and without, `end`.

    `began`: time.perf_counter() when the worker started. Raises engines.DeviceMismatch before any
    training, and whatever the engine raises.
    """
    engine = engines.load(job)
    journal.write(
        "imported",
        import_seconds=engine.import_seconds,
        versions=engine.versions,
        keras_generation=engine.generation,
        keras_backend=engine.backend,
    )
    journal.write("device", **engine.device(job))
    arrays = load_data(job, journal)
    model = build(engine, job, arrays, journal)
    recorder = Recorder(engine, model, job, arrays, journal)
    fit(engine, model, job, recorder)
    total_seconds = time.perf_counter() - began
    peak_device_bytes = engine.peak_device_bytes()
    if recorder.trouble is None and job.get("sample"):
        name = sample.write(
            job["folder"], model.predict_on_batch, job["extra"], job["sample"], engine.seed_value
        )
        journal.write("sample", path=name)
    state = FINISHED if recorder.trouble is None else DIVERGED
    return Outcome(state, recorder.trouble, total_seconds, peak_device_bytes)


def load_data(job: Dict[str, Any], journal: Journal) -> data.Data:
    """Map the job's arrays."""
    began = time.perf_counter()
    arrays = data.load(job["arrays"])
    journal.write(
        "data",
        load_seconds=time.perf_counter() - began,
        bytes=arrays.bytes,
        train_samples=len(arrays.training[0]),
        validation_samples=len(arrays.validation[0]),
    )
    return arrays


def build(engine: engines.Engine, job: Dict[str, Any], arrays: data.Data, journal: Journal) -> Any:
    """Build and compile the job's model."""
    began = time.perf_counter()
    module = importlib.import_module("experiments.worker.models." + job["model"]["builder"])
    extra = dict(job.get("extra") or {}, input_shape=list(arrays.training[0].shape[1:]))
    model = module.build(engine, job["model"], extra)
    engine.compile(model, job["optimizer"], job["loss"])
    journal.write(
        "built", build_seconds=time.perf_counter() - began, parameters=engine.parameters(model)
    )
    return model


def fit(engine: engines.Engine, model: Any, job: Dict[str, Any], recorder: "Recorder") -> None:
    """Call Keras' fit once; the first epoch's clock starts here, so it includes compilation."""
    engine.seed_libraries()  # shuffling starts from the seed, however many numbers building took
    recorder.start()
    engine.fit(model, recorder.batches or recorder.training, job, recorder)


class Recorder(Timer):
    """Times each epoch's training and validation, and writes the `epoch` events."""

    def __init__(
        self,
        engine: engines.Engine,
        model: Any,
        job: Dict[str, Any],
        arrays: data.Data,
        journal: Journal,
    ) -> None:
        self.training = arrays.training
        self.validation = arrays.validation
        self.batches: Optional[augment.Batches] = None
        if job.get("augmentation"):
            self.batches = augment.Batches(
                arrays.training,
                job["batch"],
                job["augmentation"],
                job["shuffle"],
                engine.seed_value,
            )
        self.trouble: Optional[str] = None
        self._engine = engine
        self._model = model
        self._journal = journal
        self._began = self._trained = self._validated = 0.0

    def start(self) -> None:
        """Start the clock of an epoch's training."""
        self._began = time.perf_counter()

    def epoch_begins(self, epoch: int) -> None:
        """Augmentation's plan is part of the epoch's work."""
        if self.batches is not None:
            self.batches.start_epoch(epoch)

    def training_ended(self) -> None:
        """Stop the training's clock when the device has finished."""
        self._engine.barrier(self._model)
        self._trained = time.perf_counter()

    def validation_ended(self) -> None:
        """Stop the validation's clock when the device has finished."""
        self._engine.barrier(self._model)
        self._validated = time.perf_counter()

    def epoch_ended(self, epoch: int, logs: Dict[str, Any]) -> bool:
        """Write the event, then restart the clock, so that disk time is not measured.

        Returns False if a loss is not finite; `trouble` then says which.
        """
        train_seconds = self._trained - self._began
        figures = {name: as_float(logs.get(name, logs.get(old))) for name, old in FIGURES}
        self._journal.write(
            "epoch",
            epoch=epoch + 1,
            train_seconds=train_seconds,
            validation_seconds=self._validated - self._trained,
            epoch_seconds=self._validated - self._began,
            samples_per_second=len(self.training[0]) / train_seconds,
            **figures,
        )
        for name in ("loss", "val_loss"):
            value = figures[name]
            if self.trouble is None and (value is None or not math.isfinite(value)):
                self.trouble = "%s is %s in epoch %d" % (name, value, epoch + 1)
        self.start()
        return self.trouble is None


def as_float(value: Any) -> Optional[float]:
    """A figure of Keras' logs as a plain number."""
    return None if value is None else float(value)
