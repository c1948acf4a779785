"""What makes two runs comparable, and where their seeds come from."""

import hashlib
import json
from typing import Any

from experiments.config.schema import RunConfig

PROTOCOL_VERSION = 1


def protocol_id(config: RunConfig, data_digest: str, threads: int) -> str:
    """12 hex digits over everything that decides the work; equal ids may be compared, others never.

    The backend, the device and the repetition are left out: they are what a comparison is about.
    """
    text = json.dumps(work(config, data_digest, threads), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def work(config: RunConfig, data_digest: str, threads: int) -> dict[str, Any]:
    """The work that a protocol id stands for, as plain data."""
    budget, task = config.budget(), config.task
    return {
        "protocol": PROTOCOL_VERSION,
        "task": task.name,
        "preparation": task.preparation,
        "data_digest": data_digest,
        "fraction": budget.fraction,
        "validation_fraction": budget.validation_fraction,
        "model": comparable_model(config),
        "optimizer": task.optimizer,
        "loss": task.loss,
        "batch": config.batch_size(),
        "epochs": budget.epochs,
        "shuffle": task.shuffle,
        "augmentation": task.augmentation,
        "precision": "float32" if not config.gpu.tf32 else "float32 with TF32 products",
        "keras_generation": config.backend.keras_generation,
        "rnn_path": rnn_path(config),
        "threads": threads,
        "affinity": config.affinity,
    }


def comparable_model(config: RunConfig) -> dict[str, Any]:
    """The model's hyper-parameters that have a meaning under the backend's Keras generation."""
    model = config.model()
    if config.backend.keras_generation >= 3:
        model.pop("implementation", None)
    return model


def rnn_path(config: RunConfig) -> str | None:
    """How recurrent layers are computed: Keras 2's `implementation`, or Keras 3's generic cell."""
    model = config.model()
    if "recurrent_activation" not in model:
        return None
    if config.backend.keras_generation >= 3:
        return "keras3-generic"
    return f"keras2-implementation-{model.get('implementation')}"


def seed(task: str, repetition: int) -> int:
    """A seed from named axes, 0…2³¹−1: the same for every backend, another for each repetition."""
    digest = hashlib.sha256(f"{task}/{repetition}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def backend_settings(config: RunConfig) -> dict[str, Any]:
    """What distinguishes runs of one backend: settings, variables, the user's interpreter."""
    backend = config.backend
    named = {"python": backend.python} if backend.python else {}
    return flat(
        {
            **backend.settings,
            **named,
            **({"variables": backend.variables} if backend.variables else {}),
        }
    )


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, keys joined by dots; lists stay whole."""
    if not isinstance(tree, dict):
        return {prefix: tree}
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found.update(flat(value, f"{prefix}.{key}" if prefix else str(key)))
    return found


def plan(config: RunConfig) -> dict[str, Any]:
    """What journal.figures needs to judge whether a finished run did what was planned."""
    budget, quality = config.budget(), config.task.quality
    return {
        "epochs": budget.epochs,
        "floor": budget.floor,
        "quality_metric": quality.metric,
        "quality_better": quality.better,
    }
