"""The figures' statistics: medians, intervals with their true coverage, ratios, ties. Pure
functions.

Distributions come from scipy.special; scipy.stats, which wraps the same functions, takes seconds to
import and is what the tests compare with.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from analysis.compare.bootstrap import expanded_tails, percentiles, seeded_medians
from analysis.compare.finite import Epochs, Floats, finite

CONFIDENCE = 0.95
TIE_SHARE = 0.03  # differences below 3 % are ties, however sure (PROTOCOL: "Numbers shown")
MIN_FOR_INTERVAL = 3  # fewer runs carry no interval, and no verdict
MIN_FOR_BOOTSTRAP = 6


@dataclass(frozen=True)
class Interval:
    """low..high in the unit of the values; `coverage` is the true one where it is known, else the
    nominal.
    """

    low: float
    high: float
    coverage: float
    method: str


@dataclass(frozen=True)
class Comparison:
    """`a` against `b`: ratio of medians a / b, its interval, the verdict on a (`compare`)."""

    ratio: float
    interval: Interval | None
    verdict: str
    runs_a: int
    runs_b: int


HIGHER, LOWER, TIE, UNKNOWN = "higher", "lower", "tie", "unknown"


def median(values: Sequence[float] | Floats) -> float:
    """The median of the finite values, NaN without any."""
    known = np.sort(finite(values))
    # numpy.median spends ten times as long on checks as on so few values.
    return (
        float(known[(known.size - 1) // 2] + known[known.size // 2]) / 2 if known.size else math.nan
    )


def median_interval(
    values: Sequence[float] | Floats,
    confidence: float = CONFIDENCE,
    *,
    epochs: Epochs | None = None,
) -> Interval | None:
    """Interval for the median: percentile bootstrap from six values on, the range for three to
    five, else None.

    epochs: the figures of each run's epochs, where known; the bootstrap then draws runs, and epochs
    within them.

    The range of n values covers the median with probability 1 - 2^(1-n) whatever the distribution:
    75 % for n = 3, 93.75 % for n = 5 (David & Nagaraja, Order Statistics, 3rd ed. 2003, section
    7.1).
    """
    known = finite(values)
    if known.size < MIN_FOR_INTERVAL:
        return None
    if known.size < MIN_FOR_BOOTSTRAP:
        return Interval(
            float(known.min()), float(known.max()), 1 - 2.0 ** (1 - known.size), "range"
        )
    low, high = percentiles(
        seeded_medians(known, 0, epochs), ((1 - confidence) / 2, (1 + confidence) / 2)
    )
    return Interval(low, high, confidence, "percentile bootstrap")


def order_statistic_interval(
    values: Sequence[float] | Floats, confidence: float = CONFIDENCE
) -> Interval | None:
    """The shortest symmetric pair of order statistics that covers the median with at least
    `confidence`.

    Exact for every continuous distribution: coverage 1 - 2 P(Binomial(n, 1/2) < k) for the k-th
    smallest and largest (David & Nagaraja 2003, section 7.1). Below six values the range is given,
    with its lower coverage.
    """
    known = np.sort(finite(values))
    count = known.size
    if count < MIN_FOR_INTERVAL:
        return None
    rank = 1
    while rank + 1 <= count // 2 and _coverage(rank + 1, count) >= confidence:
        rank += 1
    return Interval(
        float(known[rank - 1]), float(known[-rank]), _coverage(rank, count), "order statistics"
    )


def _coverage(rank: int, count: int) -> float:
    return 1 - 2 * float(special.bdtr(rank - 1, count, 0.5))


def ratio_interval(
    a: Sequence[float] | Floats,
    b: Sequence[float] | Floats,
    confidence: float = CONFIDENCE,
    *,
    epochs_a: Epochs | None = None,
    epochs_b: Epochs | None = None,
) -> Interval | None:
    """Interval for median(a) / median(b) of positive values; None below three on either side.

    From six values on each side: percentile bootstrap of the ratio of medians, its percentiles
    widened for small samples. Below: Welch's t on logarithms (Welch 1947, Biometrika 34), which
    three runs against three can still satisfy at 95 %: the chance that two equal triples do not
    overlap at all is 10 %, so ranks alone cannot.
    """
    first, second = finite(a), finite(b)
    smaller = min(first.size, second.size)
    if smaller < MIN_FOR_INTERVAL or min(first.min(), second.min()) <= 0:
        return None
    if smaller < MIN_FOR_BOOTSTRAP:
        low, high = _welch(np.log(first), np.log(second), confidence)
        return Interval(math.exp(low), math.exp(high), confidence, "Welch's t on logarithms")
    draws = seeded_medians(first, 0, epochs_a) / seeded_medians(second, 1, epochs_b)
    low, high = percentiles(draws, expanded_tails(first.size, second.size, confidence))
    return Interval(low, high, confidence, "percentile bootstrap of the ratio")


def difference_interval(
    a: Sequence[float] | Floats, b: Sequence[float] | Floats, confidence: float = CONFIDENCE
) -> Interval | None:
    """Interval for median(a) - median(b), for accuracies and losses; as `ratio_interval` without
    logarithms.
    """
    first, second = finite(a), finite(b)
    smaller = min(first.size, second.size)
    if smaller < MIN_FOR_INTERVAL:
        return None
    if smaller < MIN_FOR_BOOTSTRAP:
        low, high = _welch(first, second, confidence)
        return Interval(low, high, confidence, "Welch's t")
    draws = seeded_medians(first, 0) - seeded_medians(second, 1)
    low, high = percentiles(draws, expanded_tails(first.size, second.size, confidence))
    return Interval(low, high, confidence, "percentile bootstrap of the difference")


def _welch(first: Floats, second: Floats, confidence: float) -> tuple[float, float]:
    """Welch's interval for the difference of means, stretched where it must be to hold that of the
    medians.
    """
    errors = [float(sample.var(ddof=1)) / sample.size for sample in (first, second)]
    means = float(first.mean() - second.mean())
    medians = median(first) - median(second)
    total = sum(errors)
    if total == 0:
        return medians, medians
    freedom = total**2 / sum(
        error**2 / (sample.size - 1) for error, sample in zip(errors, (first, second), strict=True)
    )
    reach = float(special.stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(total)
    return min(means - reach, medians), max(means + reach, medians)


def compare(
    a: Sequence[float] | Floats,
    b: Sequence[float] | Floats,
    *,
    tie_share: float = TIE_SHARE,
    epochs_a: Epochs | None = None,
    epochs_b: Epochs | None = None,
) -> Comparison:
    """Is a higher or lower than b? Only if the ratio's interval excludes 1 *and* the medians differ
    by 3 %.

    verdict: "higher", "lower", "tie" (no difference could be shown), or "unknown" below three runs
    a side. Values must be positive (times, rates, bytes).
    """
    first, second = finite(a), finite(b)
    if not first.size or not second.size or median(second) == 0:
        return Comparison(math.nan, None, UNKNOWN, first.size, second.size)
    ratio = median(first) / median(second)
    interval = ratio_interval(first, second, epochs_a=epochs_a, epochs_b=epochs_b)
    if interval is None:
        return Comparison(ratio, None, UNKNOWN, first.size, second.size)
    # 3 % either way round: a / b and b / a must give the same verdict.
    apart = max(ratio, 1 / ratio) >= 1 + tie_share
    verdict = TIE
    if apart and interval.low > 1:
        verdict = HIGHER
    elif apart and interval.high < 1:
        verdict = LOWER
    return Comparison(ratio, interval, verdict, first.size, second.size)


def compare_quality(
    a: Sequence[float] | Floats, b: Sequence[float] | Floats, confidence: float = CONFIDENCE
) -> str:
    """Verdict on accuracies or losses: a tie unless the difference's interval excludes 0."""
    interval = difference_interval(a, b, confidence)
    if interval is None:
        return UNKNOWN
    return HIGHER if interval.low > 0 else LOWER if interval.high < 0 else TIE


def geometric_mean(values: Sequence[float] | Floats) -> float:
    """exp of the mean logarithm of positive values, NaN without any (as scipy.stats.gmean)."""
    known = finite(values)
    return float(np.exp(np.mean(np.log(known)))) if known.size else math.nan


def complete_cases(ratios: Mapping[str, Mapping[str, float]]) -> tuple[dict[str, float], list[str]]:
    """Geometric mean per row over the cases that *every* row has, and those cases.

    ratios: row -> case -> ratio. A mean over different tasks for different backends would compare
    nothing. (Fleming & Wallace 1986, CACM 29:3: the geometric mean is the one for normalised
    figures.)
    """
    cases = [
        case
        for case in dict.fromkeys(case for row in ratios.values() for case in row)
        if all(math.isfinite(row.get(case, math.nan)) for row in ratios.values())
    ]
    if not cases:
        return {}, []
    return {
        name: geometric_mean([row[case] for case in cases]) for name, row in ratios.items()
    }, cases


def significant_digits(value: float, resolution: float | None) -> int:
    """How many significant digits a value carries that was rounded to `resolution`; 2 decide a
    ratio's print.
    """
    if not resolution or not math.isfinite(value) or value <= 0:
        return 15
    return max(
        1, math.floor(math.log10(value) + 1e-9) - math.floor(math.log10(resolution) + 1e-9) + 1
    )


def rounded_ratio_bounds(
    numerator: float, denominator: float, resolution: float
) -> tuple[float, float]:
    """What the ratio of two values may have been before both were rounded to `resolution`."""
    half = resolution / 2
    high = (numerator + half) / (denominator - half) if denominator > half else math.inf
    return (numerator - half) / (denominator + half), high
