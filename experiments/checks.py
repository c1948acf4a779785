"""Checks of a composed configuration that types cannot express; each message is one line.

`hydra` refuses unknown keys and groups itself; here values meet their ranges.
"""

from pathlib import Path
from typing import Any

from experiments.config import RunConfig, SweepRunConfig
from experiments.errors import ConfigError

GATES = ("task", "hard_sigmoid", "sigmoid")
GPU_KINDS = ("auto", "cpu", "gpu")


def check(config: RunConfig) -> RunConfig:
    """Raise ConfigError at the first value that cannot be run; returns the configuration otherwise."""
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
        raise ConfigError(f"gpu.kind={config.gpu.kind}: choose one of {', '.join(GPU_KINDS)}")
    if config.gpu.price_per_hour is not None and config.gpu.price_per_hour < 0:
        raise ConfigError(f"gpu.price_per_hour={config.gpu.price_per_hour}: must not be negative")
    if config.tracking.flush_seconds <= 0:
        raise ConfigError(f"tracking.flush_seconds={config.tracking.flush_seconds}: must be above 0 seconds")
    return config


def _whole(value: Any, key: str, minimum: int, auto: bool = True) -> None:
    choices = f"a whole number of at least {minimum}" + (" or auto" if auto else "")
    if auto and value == "auto":
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ConfigError(f"{key}={value}: must be {choices}")


def _share(value: Any, key: str) -> None:
    if value == "auto":
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ConfigError(f"{key}={value}: must be above 0 and at most 1, or auto")


def _affinity(value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, list) or not value or any(type(n) is not int or n < 0 for n in value):
        raise ConfigError(f"affinity={value}: must be a list of processor numbers such as [0,1], or null")
    import os

    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(value)
    if not set(value) <= allowed:
        names = ",".join(map(str, sorted(allowed)))
        raise ConfigError(f"affinity={value}: this process may use processors {names}")


def _profile(config: RunConfig) -> None:
    profile, budgets = config.profile, config.task.budgets
    if profile.gates not in GATES:
        raise ConfigError(f"profile.gates={profile.gates}: choose one of {', '.join(GATES)}")
    if profile.repetitions < 1:
        raise ConfigError(f"profile.repetitions={profile.repetitions}: must be at least 1")
    if profile.budget not in budgets:
        raise ConfigError(
            f"profile={profile.name} wants the budget {profile.budget!r}; "
            f"task {config.task.name} has {', '.join(budgets)}"
        )


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
        raise ConfigError(f"task.ngram_range={task.ngram_range}: choose 1 (words) or 2 (words and bi-grams)")
    rate = task.optimizer.get("learning_rate")
    if not isinstance(rate, int | float) or rate <= 0:
        raise ConfigError(f"task.optimizer.learning_rate={rate}: must be above 0")
    if task.quality.better not in ("higher", "lower"):
        raise ConfigError(f"task.quality.better={task.quality.better}: choose higher or lower")


def _timeouts(config: RunConfig) -> None:
    for key, seconds in vars(config.timeouts).items():
        if seconds is not None and seconds <= 0:
            raise ConfigError(f"timeouts.{key}={seconds}: must be above 0 seconds, or null for no limit")
