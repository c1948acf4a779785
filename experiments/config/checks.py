"""Checks of a composed configuration that types cannot express; each message is one line.

Hydra itself refuses unknown keys and groups; here values are checked against their ranges.
"""

import math
from pathlib import Path
from typing import Any

from experiments.config.schema import RunConfig, SweepRunConfig
from experiments.errors import ConfigError

GATES = ("task", "hard_sigmoid", "sigmoid")
GPU_KINDS = ("auto", "cpu", "gpu")
OPTIMIZERS = (
    "rmsprop",
    "adadelta",
    "adam",
    "sgd",
)  # those whose arithmetic is the same under Keras 2 and 3
QUALITY_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")


def check(config: RunConfig) -> RunConfig:
    """Return the configuration; ConfigError for the first value that cannot be run."""
    _whole(config.epochs, "epochs", minimum=1)
    _whole(config.batch, "batch", minimum=1)
    _share(config.fraction, "fraction")
    _whole(config.threads, "threads", minimum=1)
    _whole(config.repetition, "repetition", minimum=1, auto=False)
    if isinstance(config, SweepRunConfig):
        _whole(config.repetitions, "repetitions", minimum=1)
    _affinity(config.affinity)
    _profile(config)
    _data(config)
    _task(config)
    _timeouts(config)
    if config.gpu.kind not in GPU_KINDS:
        raise ConfigError(f"gpu.kind={config.gpu.kind}: choose from {', '.join(GPU_KINDS)}")
    price = config.gpu.price_per_hour
    if price is not None and not (math.isfinite(price) and price >= 0):
        raise ConfigError(
            f"gpu.price_per_hour={price}: must be a number that is not negative, or null"
        )
    if config.gpu.index is not None and config.gpu.index < 0:
        raise ConfigError(
            f"gpu.index={config.gpu.index}: must be the number of a GPU, from 0 on, or null"
        )
    if not (math.isfinite(config.tracking.flush_seconds) and config.tracking.flush_seconds > 0):
        raise ConfigError(
            f"tracking.flush_seconds={config.tracking.flush_seconds}: must be above 0 seconds"
        )
    if not config.tracking.experiment.strip():
        raise ConfigError(
            "tracking.experiment is empty: name the MLflow experiment that runs go to"
        )
    return config


def _whole(value: Any, key: str, minimum: int, auto: bool = True) -> None:
    choices = f"a whole number of at least {minimum}" + (" or auto" if auto else "")
    if auto and value == "auto":
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ConfigError(f"{key}={value}: must be {choices}")


def _share(value: Any, key: str, auto: bool = True) -> None:
    if auto and value == "auto":
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ConfigError(
            f"{key}={value}: must be above 0 and at most 1" + (", or auto" if auto else "")
        )


def _affinity(value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, list) or not value or any(type(n) is not int or n < 0 for n in value):
        raise ConfigError(
            f"affinity={value}: must be a list of processor numbers such as [0,1], or null"
        )
    import os

    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(value)
    if not set(value) <= allowed:
        names = ",".join(map(str, sorted(allowed)))
        raise ConfigError(f"affinity={value}: this process may use processors {names}")


def _profile(config: RunConfig) -> None:
    profile, budgets = config.profile, config.task.budgets
    if profile.gates not in GATES:
        raise ConfigError(f"profile.gates={profile.gates}: choose from {', '.join(GATES)}")
    if profile.repetitions < 1:
        raise ConfigError(f"profile.repetitions={profile.repetitions}: must be at least 1")
    if profile.budget not in budgets:
        raise ConfigError(
            f"profile={profile.name} wants the budget {profile.budget!r}; "
            f"task {config.task.name} has {', '.join(budgets)}"
        )
    key, budget = f"task.budgets.{profile.budget}", budgets[profile.budget]
    _share(budget.fraction, f"{key}.fraction", auto=False)
    _share(budget.validation_fraction, f"{key}.validation_fraction", auto=False)
    _whole(budget.epochs, f"{key}.epochs", minimum=1, auto=False)
    if not math.isfinite(budget.floor):
        raise ConfigError(f"{key}.floor={budget.floor}: must be a number")


def _data(config: RunConfig) -> None:
    data = config.data
    if data.name == "local":
        if not data.dir or data.dir == "???":
            raise ConfigError("data=local: say where the files are with data.dir=FOLDER")
        folder = Path(data.dir).expanduser()
        if not folder.is_dir():
            raise ConfigError(f"data.dir={data.dir}: no such folder")
        data.dir = str(folder.resolve())


def _task(config: RunConfig) -> None:
    task = config.task
    if task.ngram_range is not None and task.ngram_range not in (1, 2):
        raise ConfigError(
            f"task.ngram_range={task.ngram_range}: choose 1 (words) or 2 (words and bi-grams)"
        )
    _whole(task.batch, "task.batch", minimum=1, auto=False)
    rate, optimizer = task.optimizer.get("learning_rate"), task.optimizer.get("name")
    if (
        isinstance(rate, bool)
        or not isinstance(rate, int | float)
        or not (math.isfinite(rate) and rate > 0)
    ):
        raise ConfigError(f"task.optimizer.learning_rate={rate}: must be above 0")
    if optimizer not in OPTIMIZERS:
        raise ConfigError(f"task.optimizer.name={optimizer}: choose from {', '.join(OPTIMIZERS)}")
    if task.quality.metric not in QUALITY_METRICS:
        raise ConfigError(
            f"task.quality.metric={task.quality.metric}: choose from {', '.join(QUALITY_METRICS)}"
        )
    if task.quality.better not in ("higher", "lower"):
        raise ConfigError(f"task.quality.better={task.quality.better}: choose higher or lower")


def _timeouts(config: RunConfig) -> None:
    for key, seconds in vars(config.timeouts).items():
        if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
            raise ConfigError(
                f"timeouts.{key}={seconds}: must be above 0 seconds, or null for no limit"
            )
