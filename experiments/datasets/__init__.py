"""Data sets: raw files or a synthetic twin, and arrays that are prepared once for all backends.

A data set is one module in members/, found by the name in conf/dataset/<name>.yaml;
`sources.DatasetModule` says what it offers. Nothing heavy is imported if the arrays are prepared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.config.schema import DataConfig, TaskConfig
from experiments.datasets import cache, sources
from experiments.datasets.arrays import MINIMUM_SAMPLES, ArrayFolder, MalformedError, Portion
from experiments.datasets.cache import Entry, clean, list_entries
from experiments.datasets.fetch import official_files

__all__ = ["Entry", "Prepared", "clean", "list_entries", "official_files", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """Arrays that are ready to be memory-mapped, and where they came from."""

    arrays: dict[str, Path]  # x_train, y_train, x_validation, y_validation: .npy files
    digest: str  # 16 hex digits over the raw source
    source: str  # official | local | synthetic
    warning: str | None  # what every reader of the results must be told
    train_samples: int
    validation_samples: int
    extra: dict[str, Any]  # what the model needs to know: words, alphabet, seed_text
    folder: Path
    seconds: float  # wall time of this call


def prepare(
    task: TaskConfig,
    data: DataConfig,
    fraction: float,
    validation_fraction: float,
    say: Callable[[str], None],
) -> Prepared:
    """The prepared arrays of a task, made now if they are not cached.

    `fraction` and `validation_fraction` in (0, 1] take the first samples of each split. `say` is
    given lines of progress for a person. Raises DataError (files, network, cache) or ConfigError
    (values).
    """
    started = time.perf_counter()
    portion = Portion(fraction, validation_fraction)
    module = sources.dataset_module(task.dataset.name)
    source = sources.resolve(module, task.dataset, data, say)
    request = {
        "dataset": task.dataset.name,
        "recipe": module.RECIPE,
        "source": "synthetic" if source.kind == "synthetic" else "files",
        "digest": source.digest,
        "preparation": dict(task.preparation),
        "fraction": fraction,
        "validation_fraction": validation_fraction,
        "minimum": MINIMUM_SAMPLES,
    }

    def build(out: ArrayFolder) -> dict[str, Any]:
        say(f"preparing {task.dataset.title} ({source.kind}) for {task.name}")
        if source.note:
            say(source.note)
        raw = sources.load(module, task.dataset, source)
        try:
            return module.prepare(raw, task.preparation, portion, out)
        except MalformedError as error:
            raise sources.unreadable(error, source.files, task.dataset.files) from None

    folder, manifest = cache.obtain(task.dataset.name, request, build, say)
    return _prepared(source, folder, manifest, time.perf_counter() - started)


def _prepared(
    source: sources.Source, folder: Path, manifest: dict[str, Any], seconds: float
) -> Prepared:
    """A cached entry as what a run needs of it."""
    arrays = manifest["arrays"]
    return Prepared(
        arrays={name: folder / array["file"] for name, array in arrays.items()},
        digest=source.digest,
        source=source.kind,
        warning=source.warning,
        train_samples=arrays["x_train"]["shape"][0],
        validation_samples=arrays["x_validation"]["shape"][0],
        extra=manifest["extra"],
        folder=folder,
        seconds=seconds,
    )
