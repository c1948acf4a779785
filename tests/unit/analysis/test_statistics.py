"""Medians, intervals, ratios and ties, against scipy.stats and against simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.compare import bootstrap, statistics
from analysis.compare.statistics import (
    HIGHER,
    LOWER,
    TIE,
    UNKNOWN,
    compare,
    median_interval,
    ratio_interval,
)

RNG = np.random.default_rng


@pytest.mark.parametrize(("count", "coverage"), [(3, 0.75), (4, 0.875), (5, 0.9375)])
def test_few_values_have_their_range_with_its_true_coverage(count: int, coverage: float) -> None:
    values = RNG(count).normal(10, 1, count)
    interval = median_interval(values)
    assert interval is not None
    assert (interval.low, interval.high) == (values.min(), values.max())
    assert interval.coverage == coverage
    assert interval.method == "range"


def test_the_coverage_of_the_range_is_what_simulation_finds() -> None:
    draws = RNG(1).normal(0, 1, (20_000, 5))
    covered = np.mean((draws.min(axis=1) < 0) & (draws.max(axis=1) > 0))
    assert covered == pytest.approx(0.9375, abs=0.006)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_below_three_values_there_is_no_interval(count: int) -> None:
    assert median_interval([1.0] * count) is None
    assert ratio_interval([1.0] * count, [1.0] * 9) is None
    assert statistics.order_statistic_interval([1.0] * count) is None


@pytest.mark.parametrize("count", [6, 7, 10, 25])
def test_bootstrap_of_the_median_is_that_of_scipy(count: int) -> None:
    values = RNG(count).lognormal(0, 0.3, count)
    ours = median_interval(values)
    theirs = stats.bootstrap(
        (values,), np.median, method="percentile", n_resamples=20_000, rng=RNG(5)
    ).confidence_interval
    assert ours is not None
    spread = values.max() - values.min()
    assert ours.low == pytest.approx(theirs.low, abs=0.02 * spread)
    assert ours.high == pytest.approx(theirs.high, abs=0.02 * spread)


@pytest.mark.parametrize("count", [6, 9])
def test_bootstrap_medians_are_distributed_as_medians_of_resamples(count: int) -> None:
    values = RNG(2).normal(0, 1, count)
    quick = bootstrap.bootstrap_medians(values, RNG(3), 40_000)
    slow = np.median(RNG(4).choice(values, (40_000, count)), axis=1)
    for point in np.unique(slow):  # both are discrete: their steps must have the same height
        assert np.mean(quick <= point + 1e-12) == pytest.approx(
            np.mean(slow <= point + 1e-12), abs=0.012
        )
    assert quick.mean() == pytest.approx(slow.mean(), abs=0.01)
    assert quick.std() == pytest.approx(slow.std(), rel=0.03)


@pytest.mark.parametrize(
    ("count", "rank", "coverage"),
    [(5, 1, 0.9375), (6, 1, 0.96875), (9, 2, 0.9609375), (20, 6, 0.9586105)],
)
def test_order_statistics_cover_exactly_what_the_binomial_says(
    count: int, rank: int, coverage: float
) -> None:
    values = np.arange(1.0, count + 1)
    interval = statistics.order_statistic_interval(values)
    assert interval is not None
    assert (interval.low, interval.high) == (rank, count + 1 - rank)
    assert interval.coverage == pytest.approx(coverage, abs=1e-6)
    assert interval.coverage == pytest.approx(1 - 2 * stats.binom.cdf(rank - 1, count, 0.5))


def test_small_samples_ratio_is_welchs_interval_on_logarithms() -> None:
    a, b = [2.0, 2.2, 2.1, 2.3], [1.0, 1.1, 1.05]
    interval = ratio_interval(a, b)
    theirs = stats.ttest_ind(np.log(a), np.log(b), equal_var=False).confidence_interval(0.95)
    assert interval is not None
    assert interval.low == pytest.approx(math.exp(theirs.low))
    assert interval.high == pytest.approx(math.exp(theirs.high))


@pytest.mark.parametrize("count", [3, 4, 5, 6, 7, 8, 10, 20])
@pytest.mark.parametrize("noise", [0.01, 0.05, 0.2])
def test_the_same_backend_twice_is_a_tie_in_95_percent(count: int, noise: float) -> None:
    rng, times = RNG(count), 1000
    ties = sum(
        compare(rng.lognormal(0, noise, count), rng.lognormal(0, noise, count)).verdict == TIE
        for _ in range(times)
    )
    # 95 % less two and a half standard errors of the simulation itself.
    assert ties / times >= 0.95 - 2.5 * math.sqrt(0.05 * 0.95 / times)


def test_heavy_tails_do_not_make_differences_up() -> None:
    rng, times = RNG(11), 600

    def draw() -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        return np.exp(0.03 * rng.standard_t(2, 5))

    ties = sum(compare(draw(), draw()).verdict == TIE for _ in range(times))
    assert ties / times >= 0.93


@pytest.mark.parametrize(
    ("count", "noise", "least"), [(5, 0.01, 0.95), (10, 0.02, 0.9), (20, 0.03, 0.9)]
)
def test_a_planted_difference_of_5_percent_is_found(count: int, noise: float, least: float) -> None:
    rng, times = RNG(7), 300
    found = sum(
        compare(rng.lognormal(math.log(1.05), noise, count), rng.lognormal(0, noise, count)).verdict
        == HIGHER
        for _ in range(times)
    )
    assert found / times >= least


def test_differences_below_3_percent_are_ties_however_sure() -> None:
    sure = [1.0, 1.0001, 0.9999, 1.0, 1.0002]
    assert compare([1.029 * value for value in sure], sure).verdict == TIE
    assert compare([1.031 * value for value in sure], sure).verdict == HIGHER
    assert compare(sure, [1.031 * value for value in sure]).verdict == LOWER


def test_one_or_two_runs_support_no_verdict() -> None:
    assert compare([1.0, 1.0], [9.0, 9.0, 9.0]).verdict == UNKNOWN
    assert compare([], [1.0]).verdict == UNKNOWN
    assert math.isnan(compare([], [1.0]).ratio)


def test_equal_values_are_a_tie_and_far_ones_are_not() -> None:
    assert compare([2.0] * 5, [2.0] * 5).verdict == TIE
    assert compare([2.0] * 5, [1.0] * 5).verdict == HIGHER
    assert compare([2.0] * 8, [1.0] * 8).verdict == HIGHER


def test_values_that_are_no_numbers_are_left_out() -> None:
    assert statistics.median([math.nan, 1.0, math.inf, 3.0]) == 2.0
    assert math.isnan(statistics.median([math.nan]))
    assert compare([math.nan, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0]).runs_a == 3


def test_epochs_spread_the_hierarchical_interval_and_nothing_else_does() -> None:
    rng = RNG(3)
    quiet = [np.full(5, 1.0 + 0.001 * run) for run in range(6)]
    noisy = [group + rng.normal(0, 0.05, 5) for group in quiet]
    spreads = [
        np.ptp(np.quantile(bootstrap.hierarchical_medians(groups, RNG(1)), [0.025, 0.975]))
        for groups in (quiet, noisy)
    ]
    assert spreads[0] < 0.006
    assert spreads[1] > 3 * spreads[0]


def test_hierarchical_draws_are_those_of_drawing_runs_and_then_epochs() -> None:
    groups = [[1.0, 1.2, 1.1], [2.0, 2.4], [1.5], [1.4, 1.6, 1.9, 1.3]]
    rng, plain = RNG(5), []
    for _ in range(4000):
        runs = [groups[place] for place in rng.integers(0, 4, 4)]
        plain.append(np.median([np.median(rng.choice(run, len(run))) for run in runs]))
    drawn = bootstrap.hierarchical_medians(groups, RNG(6), 4000)
    assert stats.ks_2samp(plain, drawn).pvalue > 0.001


def test_known_epochs_widen_intervals_of_six_runs_and_of_fewer_not() -> None:
    rng = RNG(8)
    for count, wider in ((6, True), (5, False)):
        epochs = [1.0 + 0.001 * run + rng.normal(0, 0.05, 4) for run in range(count)]
        values = [float(np.median(run)) for run in epochs]
        plain, nested = (
            statistics.median_interval(values),
            statistics.median_interval(values, epochs=epochs),
        )
        assert plain is not None and nested is not None
        assert (nested.high - nested.low > plain.high - plain.low) is wider
        against = [2 * value for value in values]
        ratios = [
            statistics.compare(values, against, epochs_a=known).interval for known in (None, epochs)
        ]
        assert (ratios[0] != ratios[1]) is wider


def test_epochs_that_do_not_belong_to_the_values_are_left_alone() -> None:
    values = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]
    for epochs in ([[1.0]] * 5, [[1.0]] * 5 + [[]]):
        assert statistics.median_interval(values, epochs=epochs) == statistics.median_interval(
            values
        )


def test_geometric_mean_is_that_of_scipy() -> None:
    assert statistics.geometric_mean([1.0, 2.0, 4.5]) == pytest.approx(stats.gmean([1.0, 2.0, 4.5]))
    assert math.isnan(statistics.geometric_mean([]))


def test_means_over_tasks_take_the_tasks_that_all_have() -> None:
    means, cases = statistics.complete_cases(
        {
            "jax": {"mlp": 1.0, "cnn": 2.0, "lstm": 1.0},
            "torch": {"mlp": 4.0, "cnn": 1.0, "lstm": math.nan},
        }
    )
    assert cases == ["mlp", "cnn"]
    assert means == {"jax": pytest.approx(math.sqrt(2)), "torch": pytest.approx(2.0)}
    assert statistics.complete_cases({"a": {"x": 1.0}, "b": {}}) == ({}, [])


def test_rounding_leaves_the_ratio_open() -> None:
    low, high = statistics.rounded_ratio_bounds(20.0, 1.4, 0.1)
    assert (round(low, 1), round(high, 1)) == (13.8, 14.9)


@pytest.mark.parametrize(
    ("value", "resolution", "digits"),
    [
        (2.7, 0.1, 2),
        (0.9, 0.1, 1),
        (310.3, 0.1, 4),
        (39.208, 0.001, 5),
        (161.0, 1.0, 3),
        (2.7, None, 15),
    ],
)
def test_digits_that_a_rounded_value_carries(
    value: float, resolution: float | None, digits: int
) -> None:
    assert statistics.significant_digits(value, resolution) == digits


def test_accuracies_have_no_3_percent_but_need_an_interval() -> None:
    high, low = [0.9801, 0.9803, 0.9802, 0.9802, 0.9803], [0.9701, 0.9703, 0.9702, 0.9702, 0.9703]
    assert statistics.compare_quality(high, low) == HIGHER
    assert statistics.compare_quality(low, high) == LOWER
    assert statistics.compare_quality(low, low) == TIE
    assert statistics.compare_quality(high[:2], low) == UNKNOWN
