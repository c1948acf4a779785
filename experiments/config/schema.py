"""The typed shape of a composed configuration.

Every group of conf/ has a dataclass here; Hydra refuses unknown keys and wrong types against it.
Wrong values are refused by `config.checks`. A default here is left out of the files in conf/.
Standard library only.
"""

from dataclasses import dataclass, field, fields
from typing import Any

MISSING = "???"


@dataclass
class FileConfig:
    """A publisher's file: its address and sha256 (null: none is published)."""

    url: str = MISSING
    sha256: str | None = None


@dataclass
class DatasetConfig:
    """A data set of conf/dataset/: its files by name."""

    name: str = MISSING
    title: str = MISSING
    files: dict[str, FileConfig] = field(default_factory=dict)


@dataclass
class QualityConfig:
    """The metric that says how well a task was learned; `target`: a value worth reaching."""

    metric: str = "val_accuracy"
    better: str = "higher"
    target: float | None = None


@dataclass
class BudgetConfig:
    """Shares of the data in (0, 1], epochs, and the quality below which a run has diverged."""

    fraction: float = 1.0
    validation_fraction: float = 1.0
    epochs: int = 1
    floor: float = 0.0


@dataclass
class SampleConfig:
    """Text to generate after training."""

    characters: int = 400
    temperature: float = 0.5


@dataclass
class TaskConfig:
    """A task of conf/task/: everything that decides what is computed."""

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
    """A backend of conf/backend/: an engine under a Keras generation, and its settings."""

    name: str = MISSING
    title: str = MISSING
    keras_backend: str = MISSING
    keras_generation: int = MISSING  # type: ignore[assignment]
    environment: str = MISSING  # conda/NAME.yaml, and conda/NAME-gpu.yaml on a GPU
    python: str | None = None  # the user's own interpreter, used as it is
    fixes: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    newest_gpu: float | None = None  # highest compute capability of the engine's builds; null: any


@dataclass
class GpuConfig:
    """A device of conf/gpu/: `device_name` must be part of the name that the driver gives."""

    name: str = MISSING
    kind: str = "auto"
    device_name: str | None = None
    memory_growth: bool = True
    tf32: bool = False
    index: int | None = None
    price_per_hour: float | None = None


@dataclass
class DataConfig:
    """Where raw data come from: auto, official, local (in `dir`) or synthetic."""

    name: str = MISSING
    dir: str | None = None


@dataclass
class ProfileConfig:
    """Which of a task's budgets is used, how often, and with which gates (task: the task's own)."""

    name: str = MISSING
    budget: str = MISSING
    repetitions: int = 1
    gates: str = "task"


@dataclass
class TrackingConfig:
    """The MLflow store; `required`: do not start a run if it is down."""

    name: str = MISSING
    uri: str | None = None
    experiment: str = "keras-backend-benchmark"
    required: bool = True
    flush_seconds: float = 10.0
    deferred: bool = False  # write only the journal; it is ingested later


@dataclass
class TimeoutsConfig:
    """Seconds that a phase may take before the worker's process group is killed; null: none."""

    build: float | None = 3600.0
    first_epoch: float | None = None
    epoch: float | None = None
    total: float | None = None


@dataclass
class SweepConfig:
    """What ties a run to a sweep; a single run leaves it empty."""

    id: str | None = None
    block: int | None = None
    cell: str | None = None  # which cell of the sweep's grid


@dataclass
class RunConfig:
    """One composed run: task, backend, device, data, and where it is stored."""

    task: TaskConfig = field(default_factory=TaskConfig)
    backend: BackendConfig = field(default_factory=BackendConfig)
    gpu: GpuConfig = field(default_factory=GpuConfig)
    data: DataConfig = field(default_factory=DataConfig)
    profile: ProfileConfig = field(default_factory=ProfileConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    timeouts: TimeoutsConfig = field(default_factory=TimeoutsConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    # "auto": as the profile and the task say. Typed Any so that `check` can answer in one line.
    epochs: Any = "auto"
    batch: Any = "auto"
    fraction: Any = "auto"
    threads: Any = "auto"
    affinity: Any = None
    repetition: Any = 1
    allow_unsound: bool = False
    allow_sharing: bool = False

    def budget(self) -> BudgetConfig:
        """Data fractions, epochs and quality floor under the chosen profile, overrides applied."""
        planned = self.task.budgets[self.profile.budget]
        epochs = planned.epochs if self.epochs == "auto" else int(self.epochs)
        fraction = planned.fraction if self.fraction == "auto" else float(self.fraction)
        held_out = planned.validation_fraction if self.fraction == "auto" else float(self.fraction)
        return BudgetConfig(fraction, held_out, epochs, planned.floor)

    def batch_size(self) -> int:
        """Samples per training step."""
        return self.task.batch if self.batch == "auto" else int(self.batch)

    def model(self) -> dict[str, Any]:
        """The task's model with the gate function resolved by the profile."""
        model = dict(self.task.model)
        if self.profile.gates != "task" and "recurrent_activation" in model:
            model["recurrent_activation"] = self.profile.gates
        return model


@dataclass
class SweepRunConfig(RunConfig):
    """A run's configuration and the settings of a sweep (experiments/sweep.py)."""

    repetitions: Any = "auto"
    plan: bool = False
    force: bool = False
    fail_fast: bool = False

    def of_run(self) -> RunConfig:
        """The run alone, as train.py would compose it."""
        return RunConfig(**{key.name: getattr(self, key.name) for key in fields(RunConfig)})
