"""The typed shape of a composed configuration, and the checks that types cannot express.

Every group of conf/ has a dataclass here; Hydra refuses unknown keys and wrong types against it, and
`check` refuses wrong values with the valid choices in the message, before any work starts.
Standard library only, apart from Hydra's own OmegaConf.
"""

from dataclasses import dataclass, field
from typing import Any

MISSING = "???"


@dataclass
class FileConfig:
    url: str = MISSING
    sha256: str | None = None


@dataclass
class DatasetConfig:
    name: str = MISSING
    title: str = MISSING
    files: dict[str, FileConfig] = field(default_factory=dict)


@dataclass
class QualityConfig:
    metric: str = "val_accuracy"
    better: str = "higher"
    target: float | None = None


@dataclass
class BudgetConfig:
    fraction: float = 1.0
    validation_fraction: float = 1.0
    epochs: int = 1
    floor: float = 0.0


@dataclass
class SampleConfig:
    characters: int = 400
    temperature: float = 0.5


@dataclass
class TaskConfig:
    name: str = MISSING
    title: str = MISSING
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    preparation: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    loss: str = MISSING
    batch: int = MISSING  # type: ignore[assignment]
    shuffle: bool = True
    augmentation: dict[str, Any] | None = None
    sample: SampleConfig | None = None
    ngram_range: int | None = None
    quality: QualityConfig = field(default_factory=QualityConfig)
    budgets: dict[str, BudgetConfig] = field(default_factory=dict)


@dataclass
class BackendConfig:
    name: str = MISSING
    title: str = MISSING
    keras_backend: str = MISSING
    keras_generation: int = MISSING  # type: ignore[assignment]
    environment: str = MISSING
    python: str | None = None
    distribution: str = MISSING
    fixes: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


@dataclass
class GpuConfig:
    name: str = MISSING
    kind: str = "auto"
    device_name: str | None = None
    memory_growth: bool = True
    tf32: bool = False
    index: int | None = None
    price_per_hour: float | None = None


@dataclass
class DataConfig:
    name: str = MISSING
    dir: str | None = None


@dataclass
class ProfileConfig:
    name: str = MISSING
    budget: str = MISSING
    repetitions: int = 1
    gates: str = "task"


@dataclass
class TrackingConfig:
    name: str = MISSING
    uri: str | None = None
    experiment: str = "keras-backend-benchmark"
    required: bool = True
    flush_seconds: float = 10.0
