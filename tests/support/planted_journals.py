"""Journals of runs that never ran, with planted figures, brought into a store by the project's own
replay.

Slower than `tests.planted`, but every tag, parameter and metric is what the recorder writes.
"""

import hashlib
import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments import names
from experiments.journal import journal

GENERATION = {"theano": 2, "tensorflow": 2, "cntk": 2, "tensorflow2": 3, "jax": 3, "torch": 3}
DATASET = {
    "mnist_mlp": "mnist",
    "mnist_cnn": "mnist",
    "cifar10_cnn": "cifar10",
    "imdb_bilstm": "imdb",
    "imdb_fasttext": "imdb",
    "text_gen": "nietzsche",
}
START = 1_790_000_000.0


@dataclass
class Told:
    """What a journal tells of one run. `seconds` is its steady training time; `state` None: it is
    still going.
    """

    task: str = "mnist_mlp"
    backend: str = "jax"
    repetition: int = 1
    seconds: float = 1.0
    quality: float = 0.95
    epochs: int = 4
    noise: float = 0.01
    device: str = "Planted CPU 9000"
    kind: str = "cpu"
    profile: str = "quick"
    state: str | None = names.FINISHED
    reason: str | None = None
    flags: tuple[str, ...] = ()
    data_source: str = "official"
    data_warning: str | None = None
    host: str = "planted-host"
    versions: dict[str, str] = field(default_factory=dict)
    hyper: dict[str, Any] = field(default_factory=dict)


def write(folder: Path, told: Told) -> Path:
    """The journal of one run, in a folder of its own under `folder`."""
    identity = hashlib.sha256(repr(told).encode()).hexdigest()[:32]
    place = folder / identity
    place.mkdir(parents=True)
    book = journal.Journal(place / journal.FILE_NAME, identity)
    clock = START + int(identity[:4], 16)
    metric = "val_loss" if told.task == "text_gen" else "val_accuracy"
    _before_training(book, told, clock, metric)
    _epochs(book, told, clock + 4)
    if told.state is not None:
        done = clock + 4 + 2 * told.epochs * told.seconds
        if told.state in names.COMPLETE_STATES:
            book.write(
                "end",
                t=done,
                state=told.state,
                reason=told.reason,
                total_seconds=done - clock,
                peak_rss_bytes=500 << 20,
                peak_device_bytes=None,
                cpu_seconds=1.5 * (done - clock),
            )
        book.write(
            "closed",
            t=done,
            state=told.state,
            reason=told.reason,
            flags=list(told.flags),
            facts={"load_before": 0.1, "load_after": 0.2},
        )
    return book.path


def _before_training(book: journal.Journal, told: Told, clock: float, metric: str) -> None:
    generation = GENERATION.get(told.backend, 3)
    book.write(
        "job",
        t=clock,
        name=f"{told.task} {told.backend} {told.profile} #{told.repetition}",
        task=told.task,
        description=f"{told.task} · {told.backend}",
        backend=told.backend,
        gpu="auto",
        profile=told.profile,
        data="auto",
        repetition=told.repetition,
        keras_generation=generation,
        quality_metric=metric,
        sweep_id="sweep-1",
        block=told.repetition,
        git_commit="c0ffee" * 6,
        git_dirty=False,
        mlflow_run_id=None,
        host={
            "hostname": told.host,
            "cpu_model": told.device,
            "cpu_physical": 2,
            "memory_bytes": 8 << 30,
            "load_average": told.seconds,
        },
    )
    digest = hashlib.sha256(f"{DATASET.get(told.task)}{told.data_source}".encode()).hexdigest()[:16]
    work = f"{told.task}{generation}{told.profile}{digest}{told.epochs}"
    book.write(
        "prepared",
        t=clock + 1,
        protocol_id=hashlib.sha256(work.encode()).hexdigest()[:12],
        dataset=DATASET.get(told.task, told.task),
        data_source=told.data_source,
        data_digest=digest,
        data_warning=told.data_warning,
        device_kind=told.kind,
        device_name=told.device,
        params={
            names.PARAM_THREADS: 2,
            names.PARAM_EPOCHS: told.epochs,
            names.PARAM_SEED: told.repetition,
            names.PARAM_BATCH: 128,
            names.PARAM_FRACTION: 0.1,
            names.PARAM_TRAIN_SAMPLES: 6000,
            names.PARAM_VALIDATION_SAMPLES: 2000,
            "hp.optimizer.name": "rmsprop",
            **{f"hp.{key}": value for key, value in told.hyper.items()},
        },
        facts={"target": None, "quality_metric": metric},
    )
    book.write(
        "imported",
        t=clock + 2,
        import_seconds=1.0,
        versions={"keras": f"{generation}.1.0", told.backend: "1.2.3", **told.versions},
    )
    book.write("built", t=clock + 3, build_seconds=0.5, parameters=669706)


def _epochs(book: journal.Journal, told: Told, clock: float) -> None:
    rng = random.Random(repr(told))
    count = told.epochs if told.state in (*names.COMPLETE_STATES, None) else 0
    for epoch in range(1, count + 1):
        train = told.seconds * rng.lognormvariate(0.0, told.noise) * (1.6 if epoch == 1 else 1.0)
        quality = told.quality * (1 - math.exp(-1.5 * epoch)) + rng.gauss(0, 0.002)
        loss = (
            math.nan
            if told.state == names.DIVERGED
            else 1.4 / epoch + 0.1 + abs(rng.gauss(0, 0.01))
        )
        book.write(
            "epoch",
            t=clock + 2 * epoch * told.seconds,
            epoch=epoch,
            train_seconds=train,
            validation_seconds=0.1 * train,
            epoch_seconds=1.1 * train,
            samples_per_second=6000 / train,
            loss=loss,
            accuracy=None if math.isnan(loss) else quality * 0.99,
            val_loss=1.1 * loss,
            val_accuracy=None if math.isnan(loss) else quality,
        )


def store(folder: Path, runs: Iterable[Told]) -> str:
    """A SQLite store with these runs, replayed from journals; returns its address."""
    from experiments.config.schema import TrackingConfig
    from experiments.tracking.ingest import ingest
    from experiments.tracking.store import connect

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    opened = connect(TrackingConfig(name="sqlite", uri=uri))
    for told in runs:
        path = write(folder / "runs", told)
        if told.state is None:
            _follow(path, opened)
        else:
            ingest(path, opened)
    return uri


def _follow(path: Path, opened: Any) -> None:
    """A run that goes on: what its journal holds is in the store, its end is not."""
    from experiments.tracking.recorder import Recorder

    contents = journal.read(path)
    job = contents.first("job")
    assert job is not None
    recorder = Recorder(opened, job)
    for event in contents.events:
        recorder.apply(event)
    recorder.flush()


def sweep(
    tasks: Iterable[str] = ("mnist_mlp", "imdb_bilstm", "text_gen"),
    backends: Iterable[str] = ("theano", "tensorflow", "jax", "torch"),
    repetitions: int = 3,
    **changes: Any,
) -> list[Told]:
    """A small sweep: every backend has a factor of its own on every task."""
    return [
        Told(
            task,
            backend,
            repetition,
            (0.5 + 0.1 * len(task)) * (1 + 0.8 * place),
            quality=0.9 + 0.01 * place,
            **changes,
        )
        for repetition in range(1, repetitions + 1)
        for task in tasks
        for place, backend in enumerate(backends)
    ]
