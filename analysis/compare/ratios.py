"""The ratio to the best, and the geometric mean over tasks: the one place that divides medians."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.compare import statistics
from analysis.compare.measures import HIGHER, Measure
from analysis.compare.samples import Sample


@dataclass(frozen=True)
class Ratios:
    """Medians of some samples in the measure's unit, the best one's index, and each one's ratio to
    it.

    A sample without a figure, or whose runs may not win (diverged, doubtful, unsound), has NaN in
    `medians` if it has no figure, and never is `best`. `values` are NaN where nothing may be
    divided.
    """

    best: int | None
    medians: tuple[float, ...]
    values: tuple[float, ...]


def to_best(samples: Sequence[Sample | None], measure: Measure) -> Ratios:
    """Each sample's median divided by the best valid one's; lower is better unless the measure says
    so.
    """
    medians = [_median(sample, measure) for sample in samples]
    valid = [
        i
        for i, sample in enumerate(samples)
        if sample is not None and sample.valid and math.isfinite(medians[i])
    ]
    if not valid or not measure.better:
        return Ratios(None, tuple(medians), (math.nan,) * len(medians))
    best = (max if measure.better == HIGHER else min)(valid, key=lambda i: medians[i])
    base = medians[best]
    values = [median / base if base else math.nan for median in medians]
    return Ratios(best, tuple(medians), tuple(values))


def _median(sample: Sample | None, measure: Measure) -> float:
    return math.nan if sample is None else statistics.median(sample.values(measure))


def geometric_means(
    by_task: Mapping[str, Mapping[str, float]],
) -> tuple[dict[str, float], list[str]]:
    """Geometric mean of each backend's ratios over complete cases, and those tasks.

    by_task: task -> backend -> ratio to the task's best; NaN or absent where there is none.
    Backends without any ratio are left out; of the others only tasks that all of them have are
    counted.
    """
    backends = list(dict.fromkeys(name for ratios in by_task.values() for name in ratios))
    rows = {
        name: {task: ratios.get(name, math.nan) for task, ratios in by_task.items()}
        for name in backends
    }
    known = {
        name: row for name, row in rows.items() if any(math.isfinite(one) for one in row.values())
    }
    return statistics.complete_cases(known)
