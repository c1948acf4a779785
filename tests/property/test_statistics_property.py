"""What must hold for every sample."""

import math

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis.compare import bootstrap, statistics
from analysis.numbers import decimals, significant

settings.register_profile("analysis", deadline=None, max_examples=150)
settings.load_profile("analysis")

times = st.floats(min_value=1e-3, max_value=1e4)
samples = st.lists(times, min_size=3, max_size=12)


@given(st.lists(times, min_size=1, max_size=15))
@example(
    [861.0, 861.0, 861.0, 861.0, 860.9911711196711, 860.9911711196711]
)  # a sum of shares rounds below the least
def test_the_median_lies_in_its_interval(values: list[float]) -> None:
    interval = statistics.median_interval(values)
    assert (interval is None) == (len(values) < 3)
    if interval is not None:
        assert (
            min(values) <= interval.low <= statistics.median(values) <= interval.high <= max(values)
        )
        assert 0 < interval.coverage < 1


@given(samples, st.randoms(use_true_random=False))
def test_the_order_of_runs_does_not_matter(values: list[float], random: "st.random.Random") -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert statistics.median_interval(values) == statistics.median_interval(shuffled)


@given(samples, samples)
def test_both_directions_give_the_same_verdict(a: list[float], b: list[float]) -> None:
    forth, back = statistics.compare(a, b), statistics.compare(b, a)
    opposite = {statistics.HIGHER: statistics.LOWER, statistics.LOWER: statistics.HIGHER}
    if (
        min(len(a), len(b)) < statistics.MIN_FOR_BOOTSTRAP
    ):  # two bootstraps agree but for their draws
        assert forth.verdict == opposite.get(back.verdict, back.verdict)
    assert forth.verdict == statistics.TIE or forth.verdict != back.verdict
    assert math.isclose(forth.ratio * back.ratio, 1, rel_tol=1e-9)


@given(samples, samples, st.floats(min_value=1e-3, max_value=1e3))
def test_the_unit_does_not_matter(a: list[float], b: list[float], scale: float) -> None:
    plain = statistics.compare(a, b)
    scaled = statistics.compare([scale * value for value in a], [scale * value for value in b])
    assert math.isclose(plain.ratio, scaled.ratio, rel_tol=1e-9)
    assert plain.interval is not None
    assert scaled.interval is not None
    if not any(
        math.isclose(bound, 1, rel_tol=1e-6) for bound in (plain.interval.low, plain.interval.high)
    ) and not (math.isclose(max(plain.ratio, 1 / plain.ratio), 1.03, rel_tol=1e-6)):
        assert plain.verdict == scaled.verdict


@given(samples)
def test_a_sample_is_tied_with_itself(values: list[float]) -> None:
    assert statistics.compare(values, values).verdict == statistics.TIE
    assert statistics.compare_quality(values, values) == statistics.TIE


@given(samples, samples)
def test_a_verdict_needs_3_percent_and_an_interval_beside_1(a: list[float], b: list[float]) -> None:
    compared = statistics.compare(a, b)
    assert compared.interval is not None
    assert compared.interval.low <= compared.interval.high
    if compared.verdict in (statistics.HIGHER, statistics.LOWER):
        assert max(compared.ratio, 1 / compared.ratio) >= 1.03
        assert not compared.interval.low <= 1 <= compared.interval.high


@given(st.lists(times, min_size=1, max_size=12), st.integers(0, 5))
def test_what_is_no_number_changes_nothing(values: list[float], count: int) -> None:
    odd = [*values, *[math.nan] * count]
    assert statistics.median(odd) == statistics.median(values)
    assert statistics.median_interval(odd) == statistics.median_interval(values)


@given(
    st.dictionaries(
        st.sampled_from("abc"), st.dictionaries(st.sampled_from("xyz"), times), min_size=1
    )
)
def test_means_over_tasks_only_use_complete_tasks(ratios: dict[str, dict[str, float]]) -> None:
    means, cases = statistics.complete_cases(ratios)
    assert all(case in row for case in cases for row in ratios.values())
    assert set(means) == (set(ratios) if cases else set())
    for name, mean in means.items():
        used = [ratios[name][case] for case in cases]
        assert min(used) * (1 - 1e-9) <= mean <= max(used) * (1 + 1e-9)


@given(st.lists(times, min_size=6, max_size=20))
def test_bootstrap_medians_are_values_or_means_of_two(values: list[float]) -> None:
    draws = bootstrap.bootstrap_medians(np.asarray(values), np.random.default_rng(0), 200)
    possible = {(a + b) / 2 for a in values for b in values}
    assert all(
        any(math.isclose(draw, one, rel_tol=1e-12) for one in possible) for draw in draws[:20]
    )


@given(st.floats(min_value=1e-6, max_value=1e9), st.integers(1, 6))
def test_printed_numbers_are_near_and_have_no_exponent(value: float, digits: int) -> None:
    text = significant(value, digits)
    assert "e" not in text
    assert math.isclose(float(text), value, rel_tol=0.51 * 10 ** (1 - digits))


@given(st.floats(min_value=0, max_value=1e6), st.integers(0, 5))
def test_fixed_decimals_are_as_many_as_asked_and_within_half_a_step(
    value: float, places: int
) -> None:
    text = decimals(value, places)
    assert len(text.partition(".")[2]) == places
    assert abs(float(text) - value) <= 0.5 * 10**-places * (1 + 1e-9) + 1e-12
