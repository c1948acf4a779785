"""What the parent writes for a run: the `job` and `prepared` events, and the worker's job.json."""

import os
from typing import Any

from experiments import names
from experiments.config import identity
from experiments.config.schema import RunConfig
from experiments.datasets import Prepared
from experiments.environments import compile_cache_state
from experiments.runs.prepare import Ready
from experiments.system import host


def job_fields(config: RunConfig) -> dict[str, Any]:
    """The fields of the `job` event: what is to be done, and where."""
    commit, dirty = host.git_commit()
    what = f"{config.task.name} {config.backend.name} {config.profile.name}"
    return {
        "name": f"{what} #{config.repetition}",
        "description": title(config),
        "task": config.task.name,
        "backend": config.backend.name,
        "gpu": config.gpu.name,
        "profile": config.profile.name,
        "data": config.data.name,
        "repetition": config.repetition,
        "keras_generation": config.backend.keras_generation,
        "quality_metric": config.task.quality.metric,
        "sweep_id": config.sweep.id,
        "block": config.sweep.block,
        "cell": config.sweep.cell,
        "git_commit": commit,
        "git_dirty": dirty,
        "host": host.facts(),
        # Set by `mlflow run` for this process. Taken once: no other run may resume it too.
        "mlflow_run_id": os.environ.pop("MLFLOW_RUN_ID", None),
        "experiment": config.tracking.experiment,
    }


def title(config: RunConfig) -> str:
    """A run's headline for a person."""
    return f"{config.task.title} · {config.backend.title} · {config.profile.name}"


def prepared_fields(config: RunConfig, ready: Ready) -> dict[str, Any]:
    """The fields of the `prepared` event: work, data, device, environment, check, parameters."""
    environment, verdict, data = ready.environment, ready.verdict, ready.data
    return {
        "protocol_id": identity.protocol_id(config, data.digest, ready.threads),
        "work": identity.work(config, data.digest, ready.threads),
        "dataset": config.task.dataset.name,
        "data_source": data.source,
        "data_digest": data.digest,
        "data_warning": data.warning,
        "prepare_seconds": data.seconds,
        "device_kind": ready.device.kind,
        "device_name": ready.device.name,
        "environment": {
            "python": str(environment.python),
            "key": environment.key,
            "manager": environment.manager,
            "build_seconds": environment.seconds,
        },
        "check": {"sound": verdict.sound, "message": verdict.message, "cached": verdict.cached},
        "params": {
            **_params(config, ready.threads, data),
            "run.compile_cache": compile_cache_state(environment),
        },
        "facts": {
            "price_per_hour": config.gpu.price_per_hour,
            "target": config.task.quality.target,
            **identity.plan(config),
        },
    }


def _params(config: RunConfig, threads: int, data: Prepared) -> dict[str, Any]:
    budget = config.budget()
    params: dict[str, Any] = {
        names.PARAM_THREADS: threads,
        names.PARAM_EPOCHS: budget.epochs,
        names.PARAM_SEED: identity.seed(config.task.name, config.repetition),
        names.PARAM_BATCH: config.batch_size(),
        names.PARAM_FRACTION: budget.fraction,
        names.PARAM_TRAIN_SAMPLES: data.train_samples,
        names.PARAM_VALIDATION_SAMPLES: data.validation_samples,
        names.PARAM_AFFINITY: config.affinity,
        names.PARAM_TF32: config.gpu.tf32,
        names.PARAM_PRECISION: "float32",
        names.PARAM_RNN_PATH: identity.rnn_path(config),
        names.PARAM_SHUFFLE: config.task.shuffle,
    }
    if config.gpu.price_per_hour is not None:
        params[names.PARAM_PRICE] = config.gpu.price_per_hour
    if config.task.quality.target is not None:
        params[names.PARAM_TARGET] = config.task.quality.target
    hyper = {
        "model": config.model(),
        "optimizer": config.task.optimizer,
        "loss": config.task.loss,
        "preparation": config.task.preparation,
        "augmentation": config.task.augmentation,
    }
    params.update({names.PREFIX_HYPER + key: value for key, value in identity.flat(hyper).items()})
    settings = identity.backend_settings(config)
    params.update({names.PREFIX_SETTING + key: value for key, value in settings.items()})
    return params


def worker_job(config: RunConfig, ready: Ready) -> dict[str, Any]:
    """The worker's job.json, except where its journal is."""
    device, data, sample = ready.device, ready.data, config.task.sample
    return {
        "schema": 1,
        "task": config.task.name,
        "backend": config.backend.name,
        "keras_backend": config.backend.keras_backend,
        "keras_generation": config.backend.keras_generation,
        "model": config.model(),
        "optimizer": config.task.optimizer,
        "loss": config.task.loss,
        "batch": config.batch_size(),
        "epochs": config.budget().epochs,
        "shuffle": config.task.shuffle,
        "augmentation": config.task.augmentation,
        "arrays": {name: str(path) for name, path in data.arrays.items()},
        "extra": data.extra,
        "sample": sample and {"characters": sample.characters, "temperature": sample.temperature},
        "seed": identity.seed(config.task.name, config.repetition),
        "threads": ready.threads,
        "affinity": config.affinity,
        "device": {
            "kind": device.kind,
            "name": device.expected,
            "index": device.index,
            "memory_growth": config.gpu.memory_growth,
            "tf32": config.gpu.tf32,
        },
        "settings": config.backend.settings,
    }
