"""What a table can show: which column of the tidy table, in which unit, and which way is better."""

from collections.abc import Callable
from dataclasses import dataclass

from analysis.numbers import decimals, significant

LOWER, HIGHER = "lower", "higher"


@dataclass(frozen=True)
class Measure:
    """One figure of a run. `scale` brings the tidy table's unit to `unit`; `better` decides bold,
    "" for none.

    quality: accuracies and losses, whose differences are told apart without the 3 % rule.
    """

    key: str
    column: str
    label: str
    unit: str
    better: str
    text: Callable[[float], str] = significant
    scale: float = 1.0
    quality: bool = False


def _one_decimal(value: float) -> str:
    return decimals(value, 1)


def _four_decimals(value: float) -> str:
    return decimals(value, 4)


STEADY = Measure(
    "speed", "steady_train_seconds", "Seconds per training epoch, steady state", "s", LOWER
)
MEAN_EPOCH = Measure(
    "epoch",
    "mean_epoch_seconds",
    "Mean seconds per epoch, first one and validation included",
    "s",
    LOWER,
    _one_decimal,
)
THROUGHPUT = Measure("throughput", "steady_samples_per_second", "Throughput", "samples/s", HIGHER)

WIDE = (
    STEADY,
    THROUGHPUT,
    Measure("total", "total_seconds", "Total wall time", "s", LOWER),
    Measure("compile", "compile_seconds", "Build and compile", "s", LOWER),
    Measure("first", "first_epoch_seconds", "First epoch", "s", LOWER),
    Measure("import", "import_seconds", "Import", "s", LOWER),
    Measure("validation", "validation_steady_seconds", "Validation", "s", LOWER),
    Measure("target", "time_to_target_seconds", "Time to target", "s", LOWER),
    Measure("memory", "peak_rss_bytes", "Peak memory", "MB", LOWER, scale=1e-6),
    Measure("device_memory", "peak_device_bytes", "Peak device memory", "MB", LOWER, scale=1e-6),
    Measure("energy", "energy_joules", "Energy", "kJ", LOWER, scale=1e-3),
    Measure("cost", "cost", "Cost", "", LOWER),
    Measure("gemm_share", "gemm_share", "Share of GEMM ceiling", "%", HIGHER, scale=100),
)

# Figures of a publication, beside which nothing else is known.
WIDE_PUBLISHED = (
    MEAN_EPOCH,
    Measure("first", "first_epoch_seconds", "First epoch", "s", LOWER, _one_decimal),
)

_QUALITY_LABELS = {
    "val_accuracy": "Validation accuracy",
    "accuracy": "Training accuracy",
    "val_loss": "Validation loss",
    "loss": "Training loss",
}


def quality(metric: str, best: bool = False) -> Measure:
    """The last epoch's (or the best) value of a task's quality metric."""
    prefix = "best" if best else "last"
    label = _QUALITY_LABELS.get(metric, metric)
    better = LOWER if metric.endswith("loss") else HIGHER
    return Measure(
        f"{prefix}_{metric}",
        f"{prefix}_{metric}",
        label if not best else f"Best {label.lower()}",
        "",
        better,
        _four_decimals,
        quality=True,
    )
