"""Stores with planted figures: runs whose speeds and accuracies are known before they are analysed.

`write` puts them into a SQLite store in bulk, with the tables that MLflow itself created; ten
thousand runs take seconds instead of the quarter of an hour that the client would need.
"""

import hashlib
import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from experiments import names

TASKS = ("mnist_mlp", "mnist_cnn", "cifar10_cnn", "imdb_bilstm", "imdb_fasttext", "text_gen")
GENERATION = {"theano": 2, "tensorflow": 2, "cntk": 2, "tensorflow2": 3, "jax": 3, "torch": 3}
# Steady seconds per epoch of the fastest backend, and each backend's factor to it.
BASE_SECONDS = {
    "mnist_mlp": 0.5,
    "mnist_cnn": 6.0,
    "cifar10_cnn": 9.0,
    "imdb_bilstm": 12.0,
    "imdb_fasttext": 1.2,
    "text_gen": 4.0,
}
FACTOR = {
    "theano": 1.5,
    "tensorflow": 1.0,
    "cntk": 2.6,
    "tensorflow2": 1.0,
    "jax": 1.01,
    "torch": 2.1,
}
CPU = "Planted CPU 9000"
START = 1_790_000_000_000  # milliseconds


@dataclass
class Planted:
    """One run, as MLflow would hold it."""

    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    status: str = "FINISHED"
    start_time: int = START
    seconds: float = 60.0
    name: str = "planted"
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    epochs: list[dict[str, float]] = field(default_factory=list)
    deleted: bool = False


def protocol(*parts: object) -> str:
    """A protocol id that is the same for the same parts."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def run(
    task: str = "mnist_mlp",
    backend: str = "jax",
    *,
    seconds: float | None = None,
    accuracy: float = 0.98,
    repetition: int = 1,
    noise: float = 0.0,
    rng: random.Random | None = None,
    device: str = CPU,
    kind: str = "cpu",
    host: str = "planted-host",
    profile: str = "quick",
    state: str = names.FINISHED,
    data_source: str = "official",
    threads: int = 2,
    sweep: str | None = "sweep-1",
    flags: str = "",
    epochs: int = 4,
    metrics: dict[str, float] | None = None,
    tags: dict[str, str] | None = None,
    params: dict[str, str] | None = None,
    start_time: int | None = None,
    **changes: Any,
) -> Planted:
    """A run with a planted steady time and last validation accuracy.

    noise: sigma of a log-normal factor on the time.
    """
    rng = rng or random.Random(f"{task}{backend}{repetition}{device}{seconds}")
    base = BASE_SECONDS[task] * FACTOR[backend] if seconds is None else seconds
    steady = base * rng.lognormvariate(0.0, noise) if noise else base
    generation = GENERATION[backend]
    complete = state in names.COMPLETE_STATES
    work = protocol(task, generation, profile, data_source, threads)
    figures = _figures(task, steady, accuracy, epochs) if complete else {"epochs_done": 0.0}
    return Planted(
        params={
            names.PARAM_TASK: task,
            names.PARAM_BACKEND: backend,
            names.PARAM_GPU: kind,
            names.PARAM_PROFILE: profile,
            names.PARAM_DATA: "auto",
            names.PARAM_THREADS: str(threads),
            names.PARAM_EPOCHS: str(epochs),
            names.PARAM_SEED: str(repetition),
            names.PARAM_BATCH: "128",
            names.PARAM_FRACTION: "0.1",
            names.PARAM_TRAIN_SAMPLES: "6000",
            names.PARAM_VALIDATION_SAMPLES: "2000",
            **_hyper(task),
            "version.keras": f"{generation}.1.0",
            "version.python": "3.11",
            f"version.{backend}": "1.2.3",
            "host.cpu_model": device,
            "host.hostname": host,
            **(params or {}),
        },
        tags={
            names.TAG_SCHEMA: "1",
            names.TAG_KIND: "run",
            names.TAG_STATE: state,
            names.TAG_REASON: "",
            names.TAG_SOURCE: "measured",
            names.TAG_PROTOCOL: work,
            names.TAG_JOURNAL: uuid.uuid4().hex,
            names.TAG_REPETITION: str(repetition),
            names.TAG_BLOCK: str(repetition),
            names.TAG_DATA_SOURCE: data_source,
            names.TAG_DATA_DIGEST: protocol(task, data_source),
            names.TAG_DEVICE_KIND: kind,
            names.TAG_DEVICE_NAME: device,
            names.TAG_GENERATION: str(generation),
            names.TAG_QUALITY_METRIC: "val_loss" if task == "text_gen" else "val_accuracy",
            names.TAG_FLAGS: flags,
            names.TAG_HOST: host,
            names.TAG_COMMIT: "c0ffee" * 6,
            **({names.TAG_SWEEP: sweep} if sweep else {}),
            **(tags or {}),
        },
        metrics={**figures, **(metrics or {})},
        status=names.MLFLOW_STATUS.get(state, "FAILED"),
        start_time=START + repetition * 1000 if start_time is None else start_time,
        name=f"{task} {backend} #{repetition}",
        epochs=_epochs(steady, accuracy, epochs) if complete else [],
        **changes,
    )


def unsettle(planted: Planted) -> None:
    """Leave a run without the tags that it gets once its protocol is settled."""
    for tag in (
        names.TAG_PROTOCOL,
        names.TAG_DEVICE_NAME,
        names.TAG_DEVICE_KIND,
        names.TAG_DATA_SOURCE,
    ):
        del planted.tags[tag]


def _figures(task: str, steady: float, accuracy: float, epochs: int) -> dict[str, float]:
    total = steady * 1.1 * epochs + 3
    quality = (
        {"last_loss": 1.4, "last_val_loss": 1.5, "best_val_loss": 1.45}
        if task == "text_gen"
        else {
            "last_accuracy": accuracy + 0.005,
            "last_val_accuracy": accuracy,
            "best_val_accuracy": accuracy + 0.001,
            "last_val_loss": 0.1,
            "best_val_loss": 0.09,
            "last_loss": 0.09,
        }
    )
    return {
        "steady_train_seconds": steady,
        "steady_epoch_seconds": steady * 1.1,
        "steady_samples_per_second": 6000 / steady,
        "steady_mad_ratio": 0.01,
        "steady_epochs": epochs - 1.0,
        "mean_epoch_seconds": steady * 1.2,
        "first_epoch_seconds": steady * 1.5,
        "first_train_seconds": steady * 1.4,
        "import_seconds": 1.5,
        "data_load_seconds": 0.1,
        "build_seconds": 0.5,
        "compile_seconds": 0.5 + 0.4 * steady,
        "validation_steady_seconds": 0.1 * steady,
        "total_seconds": total,
        "epochs_done": float(epochs),
        "parameters": 669706.0,
        "peak_rss_bytes": 5e8,
        "cpu_seconds": total,
        "ceiling_gemm_gflops": 100.0,
        "ceiling_copy_gbytes_per_second": 12.0,
        "load_before": 0.2,
        "load_after": 0.9,
        "time_to_target_seconds": 2 * steady,
        **quality,
    }


def _epochs(steady: float, accuracy: float, count: int) -> list[dict[str, float]]:
    return [
        {
            "train_seconds": steady * (1.4 if epoch == 1 else 1.0),
            "validation_seconds": 0.1 * steady,
            "epoch_seconds": steady * (1.5 if epoch == 1 else 1.1),
            "samples_per_second": 6000 / steady,
            "loss": 1.0 / epoch,
            "accuracy": accuracy - 0.1 / epoch,
            "val_loss": 1.1 / epoch,
            "val_accuracy": accuracy - 0.01 * (count - epoch),
        }
        for epoch in range(1, count + 1)
    ]


def _hyper(task: str) -> dict[str, str]:
    model = {
        "mnist_mlp": {
            "builder": "mnist_mlp",
            "inputs": "784",
            "hidden": "[512, 512]",
            "classes": "10",
        },
        "mnist_cnn": {
            "builder": "mnist_cnn",
            "inputs": "[28, 28, 1]",
            "filters": "[32, 64]",
            "kernel": "3",
            "pool": "2",
            "dense": "128",
            "classes": "10",
        },
    }.get(task, {"builder": task})
    return {
        **{f"hp.model.{key}": value for key, value in model.items()},
        "hp.loss": "categorical_crossentropy",
        "hp.optimizer.name": "rmsprop",
        "hp.optimizer.learning_rate": "0.001",
        "hp.model.activation": "relu",
    }


def five(backend: str, seconds: float, task: str = "mnist_mlp", **changes: Any) -> list[Planted]:
    """Five runs around a time, 1 % apart."""
    return [
        run(
            task,
            backend,
            seconds=seconds * (1 + 0.01 * (number - 2)),
            repetition=number + 1,
            accuracy=0.98 + 0.001 * (number - 2),
            **changes,
        )
        for number in range(5)
    ]


def grid(
    tasks: Iterable[str] = TASKS,
    backends: Iterable[str] = tuple(GENERATION),
    repetitions: int = 5,
    noise: float = 0.01,
    seed: int = 1,
    **changes: Any,
) -> Iterator[Planted]:
    """Every task on every backend, `repetitions` times, in the order of a sweep's blocks."""
    rng = random.Random(seed)
    accuracy = {task: 0.9 + 0.01 * number for number, task in enumerate(tasks)}
    for repetition in range(1, repetitions + 1):
        for task in tasks:
            for backend in backends:
                yield run(
                    task,
                    backend,
                    repetition=repetition,
                    noise=noise,
                    rng=rng,
                    accuracy=accuracy[task] + rng.gauss(0, 0.002),
                    **changes,
                )
