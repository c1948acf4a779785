"""The figures' statistics: medians, intervals with their true coverage, ratios, ties. Pure
functions.

Distributions come from scipy.special; scipy.stats, which wraps the same functions, takes seconds to
import and is what the tests compare with.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

CONFIDENCE = 0.95
TIE_SHARE = 0.03  # differences below 3 % are ties, however sure (PROTOCOL: "Numbers shown")
MIN_FOR_INTERVAL = 3  # fewer runs carry no interval, and no verdict
MIN_FOR_BOOTSTRAP = 6
MAX_HIERARCHICAL = 50
DRAWS = 4000
SEED = 20170601  # intervals are the same each time a table is made

Floats = npt.NDArray[np.float64]
Epochs = Sequence[Sequence[float] | Floats]  # the figures of each run's epochs, a run each


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


def finite(values: Sequence[float] | Floats) -> Floats:
    """The values as a one-dimensional float64 array, NaN and infinities left out."""
    array = np.asarray(values, dtype=np.float64).ravel()
    return array[np.isfinite(array)]


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
    low, high = _percentiles(
        _seeded_medians(known, 0, epochs), ((1 - confidence) / 2, (1 + confidence) / 2)
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


def bootstrap_medians(values: Floats, rng: np.random.Generator, draws: int = DRAWS) -> Floats:
    """`draws` medians of resamples with replacement, shape (draws,), drawn without making the
    resamples.

    A resample's k-th smallest is the sample's value at rank ceil(n U), U being the k-th smallest of
    n uniform numbers, which is Beta(k, n - k + 1); given it, the next one is 1 - (1 - U) V^(1 / (n
    - k)) (Efron 1979, Annals of Statistics 7:1, remark on the median; David & Nagaraja 2003,
    section 2.5). The same distribution as scipy.stats.bootstrap(method="percentile") of the median,
    at a hundredth of the time.
    """
    ordered = np.sort(values)
    below, above = _ranks(ordered.size, rng, draws)
    return (ordered[below] + ordered[above]) / 2


def _ranks(
    count: int, rng: np.random.Generator, draws: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Ranks of the two middle values of `draws` resamples, equal where `count` is odd."""
    lower = (count + 1) // 2
    uniform = rng.beta(lower, count - lower + 1, draws)
    below = _rank(uniform, count)
    if count % 2:
        return below, below
    return below, _rank(1 - (1 - uniform) * rng.random(draws) ** (1 / (count - lower)), count)


@lru_cache(maxsize=512)
def _seeded_ranks(count: int, stream: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Ranks depend on the count alone: drawn once for all cells of as many runs. Streams are
    independent.
    """
    return _ranks(count, np.random.default_rng([SEED, stream]), DRAWS)


def _seeded_medians(values: Floats, stream: int, epochs: Epochs | None = None) -> Floats:
    """Bootstrap medians with draws that are the same each time, hierarchical where every run's
    epochs are known.

    Of more than MAX_HIERARCHICAL runs the medians alone are drawn: their spread holds that of the
    epochs already.
    """
    if (
        epochs is not None
        and len(epochs) == len(values) <= MAX_HIERARCHICAL
        and all(len(run) for run in epochs)
    ):
        return hierarchical_medians(epochs, np.random.default_rng([SEED, stream]))
    ordered = np.sort(values)
    below, above = _seeded_ranks(ordered.size, stream)
    return (ordered[below] + ordered[above]) / 2


def _percentiles(draws: Floats, shares: tuple[float, float]) -> tuple[float, float]:
    """Two quantiles, interpolated linearly (numpy.quantile's default), by partial sorting."""
    places = [share * (draws.size - 1) for share in shares]
    needed = sorted({int(one) for place in places for one in (math.floor(place), math.ceil(place))})
    sorted_there = np.partition(draws, needed)
    low, high = (
        _between(
            float(sorted_there[math.floor(place)]), float(sorted_there[math.ceil(place)]), place % 1
        )
        for place in places
    )
    return low, high


def _between(low: float, high: float, share: float) -> float:
    """Linear interpolation that rounding takes no further than its ends."""
    return min(low + (high - low) * share, high)


def _rank(uniform: Floats, count: "int | npt.NDArray[np.int64]") -> npt.NDArray[np.int64]:
    return np.clip(np.ceil(uniform * count).astype(np.int64) - 1, 0, count - 1)


def hierarchical_medians(
    groups: Sequence[Sequence[float] | Floats], rng: np.random.Generator, draws: int = DRAWS
) -> Floats:
    """`draws` medians over runs of the median over epochs: runs are resampled, then epochs within
    each.

    groups: the steady epochs of each run, none empty. Two-stage resampling (Davison & Hinkley,
    Bootstrap Methods, 1997, section 3.8): a run that is drawn twice has its epochs drawn twice.
    Where only the runs' medians are known, `bootstrap_medians` of those is that section's other
    strategy: the spread between runs contains the spread within them already.
    """
    runs = [np.sort(finite(group)) for group in groups]
    sizes = np.array([run.size for run in runs])
    ordered = np.zeros((len(runs), sizes.max()))
    for place, run in enumerate(runs):
        ordered[place, : run.size] = run
    chosen = rng.integers(0, len(runs), (len(runs), draws))
    below, above = _ranks_of_each(sizes[chosen], rng)
    return np.median((ordered[chosen, below] + ordered[chosen, above]) / 2, axis=0)


def _ranks_of_each(
    counts: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """As `_ranks`, one draw for each of `counts`, whatever their shape."""
    lower = (counts + 1) // 2
    uniform = rng.beta(lower, counts - lower + 1)
    below = _rank(uniform, counts)
    further = 1 - (1 - uniform) * rng.random(counts.shape) ** (1 / np.maximum(counts - lower, 1))
    return below, np.where(counts % 2, below, _rank(further, counts))


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
    draws = _seeded_medians(first, 0, epochs_a) / _seeded_medians(second, 1, epochs_b)
    low, high = _percentiles(draws, _expanded_tails(first.size, second.size, confidence))
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
    draws = _seeded_medians(first, 0) - _seeded_medians(second, 1)
    low, high = _percentiles(draws, _expanded_tails(first.size, second.size, confidence))
    return Interval(low, high, confidence, "percentile bootstrap of the difference")


def _expanded_tails(first: int, second: int, confidence: float) -> tuple[float, float]:
    """Percentiles that make up for the bootstrap's narrowness in small samples.

    Phi(-sqrt(n / (n - 1)) t) instead of alpha / 2, t with the two samples' degrees of freedom
    (Hesterberg 2015, The American Statistician 69:4, "expanded percentile interval"). Without,
    equal sevens differ in 5.6 %.
    """
    smaller = min(first, second)
    t = float(special.stdtrit(first + second - 2, (1 + confidence) / 2))
    tail = float(special.ndtr(-math.sqrt(smaller / (smaller - 1)) * t))
    return tail, 1 - tail


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
