"""Findings that compare: backends on one task, and devices for one backend.

A difference is claimed only if `analysis.compare.statistics.compare` shows one; one or two runs are
told as what they are.
"""

from collections.abc import Iterator

from analysis.compare import statistics
from analysis.compare.conditions import Condition
from analysis.compare.layout import Board
from analysis.compare.measures import STEADY, WIDE, Measure, quality
from analysis.compare.samples import Sample, compared_to
from analysis.numbers import significant
from analysis.report.finding import (
    COMPILE,
    DEVICE,
    QUALITY,
    SPEED,
    Finding,
    caveats_of,
    count,
    few,
    with_bounds,
)
from analysis.tables import heads
from analysis.titles import backend_title, counted, short_device, task_title

COMPILE_SHARE = 0.3  # of the total wall time, from which on compilation is worth a sentence
_COMPILE = next(measure for measure in WIDE if measure.key == "compile")
_TOTAL = next(measure for measure in WIDE if measure.key == "total")


def by_task(laid_out: Board) -> Iterator[Finding]:
    for task in laid_out.tasks():
        places = laid_out.of_task(task)
        for place, column in zip(places, heads.labelled(places), strict=True):
            samples = {
                backend: laid_out.samples[place.key, backend]
                for backend in laid_out.backends([place])
            }
            yield from _speed(task, place, column.label, samples)
            yield from _quality(task, place, column.label, samples)
            yield from _compile(task, column.label, samples)


def _ranked(samples: dict[str, Sample], measure: Measure) -> list[tuple[str, Sample]]:
    """Valid samples with a figure, best first."""
    known = [
        (backend, sample)
        for backend, sample in samples.items()
        if sample.valid and len(sample.values(measure))
    ]
    return sorted(
        known,
        key=lambda item: statistics.median(item[1].values(measure)),
        reverse=measure.better == "higher",
    )


def _speed(
    task: str, place: Condition, where: str, samples: dict[str, Sample]
) -> Iterator[Finding]:
    """The fastest backend against every other one of the column."""
    ranked = _ranked(samples, STEADY)
    if len(ranked) < 2:
        return
    best, winner = ranked[0]
    for rank, (other, sample) in enumerate(ranked[1:]):
        yield _pair(task, place, where, (best, winner), (other, sample), rank == 0)


def _pair(
    task: str,
    place: Condition,
    where: str,
    fast: tuple[str, Sample],
    slow: tuple[str, Sample],
    next_best: bool,
) -> Finding:
    values = [sample.values(STEADY) for _, sample in (fast, slow)]
    compared = compared_to(slow[1], fast[1], STEADY)
    medians = [statistics.median(one) for one in values]
    fastest, slowest = backend_title(fast[0]), backend_title(slow[0])
    arithmetic = (
        f"{significant(medians[1])} s / {significant(medians[0])} s per training epoch = "
        f"{significant(compared.ratio)}"
    )
    runs = [len(one) for one in values]
    caveats = caveats_of(place, [fast[1], slow[1]], runs)
    on = f"On {where}, "
    title = task_title(task)
    if compared.verdict == statistics.HIGHER and compared.interval is not None:
        times = with_bounds(compared.ratio, compared.interval)
        rival = f"the next best, {slowest}," if next_best else slowest
        text = f"{on}{fastest} is {times} faster than {rival} on {title} ({count(runs)})."
        return Finding(SPEED, text, arithmetic, sum(runs), caveats, task, where, shown=True)
    if compared.verdict == statistics.TIE and compared.interval is not None:
        bounds = f"[{significant(compared.interval.low)}, {significant(compared.interval.high)}]"
        text = (
            f"{on}no difference in speed could be shown between {fastest} and {slowest} on {title} "
            f"({count(runs)})."
        )
        return Finding(SPEED, text, f"{arithmetic} {bounds}", sum(runs), caveats, task, where)
    text = (
        f"{on}{fastest} took {significant(medians[0])} s and {slowest} {significant(medians[1])} s "
        f"per training epoch of {title}; {few(runs)} support no claim."
    )
    return Finding(SPEED, text, arithmetic, sum(runs), caveats, task, where)


def _quality(
    task: str, place: Condition, where: str, samples: dict[str, Sample]
) -> Iterator[Finding]:
    """The best quality of a column against the worst, where there are runs enough to tell."""
    metric = next(
        filter(None, (sample.text("quality_metric") for sample in samples.values())), "val_accuracy"
    )
    measure = quality(metric)
    ranked = [
        (backend, sample)
        for backend, sample in _ranked(samples, measure)
        if len(sample.values(measure)) >= statistics.MIN_FOR_INTERVAL
    ]
    if len(ranked) < 2 or place.data == "synthetic":
        return
    (best, first), (worst, last) = ranked[0], ranked[-1]
    values = first.values(measure), last.values(measure)
    confidence = 1 - (1 - statistics.CONFIDENCE) / (len(ranked) * (len(ranked) - 1) / 2)
    interval = statistics.difference_interval(*values, confidence)
    assert interval is not None
    medians = [statistics.median(one) for one in values]
    runs = [len(one) for one in values]
    shown = [measure.text(value) for value in (*medians, medians[0] - medians[1])]
    difference = f"{shown[0]} − {shown[1]} = {shown[2]}"
    bounds = f"[{measure.text(interval.low)}, {measure.text(interval.high)}]"
    caveats = (*caveats_of(place, [], runs), f"interval widened for {len(ranked)} backends")
    label = measure.label.lower()
    if interval.low > 0 or interval.high < 0:
        verb = "lower" if measure.better == "lower" else "higher"
        text = (
            f"On {where}, {backend_title(best)} ends {task_title(task)} with a {label} of "
            f"{shown[0]}, {verb} than {backend_title(worst)}'s {shown[1]} ({count(runs)})."
        )
        yield Finding(
            QUALITY, text, f"{difference} {bounds}", sum(runs), caveats, task, where, shown=True
        )
        return
    text = (
        f"On {where}, no difference in {label} could be shown between the {len(ranked)} backends "
        f"on {task_title(task)} ({count(runs)})."
    )
    yield Finding(
        QUALITY, text, f"best against worst: {difference} {bounds}", sum(runs), caveats, task, where
    )


def _compile(task: str, where: str, samples: dict[str, Sample]) -> Iterator[Finding]:
    """Backends of whose total time compilation is a large part."""
    for backend, sample in samples.items():
        compiling, total = sample.values(_COMPILE), sample.values(_TOTAL)
        if not sample.valid or not len(compiling) or not len(total):
            continue
        seconds, whole = statistics.median(compiling), statistics.median(total)
        if whole > 0 and seconds / whole >= COMPILE_SHARE:
            yield Finding(
                COMPILE,
                f"On {where}, {backend_title(backend)} spends {seconds / whole:.0%} of "
                f"{task_title(task)}'s time on building and compiling "
                f"({counted(len(compiling), 'run')}).",
                f"{significant(seconds)} s of {significant(whole)} s",
                len(compiling),
                (),
                task,
                where,
            )


def between_devices(laid_out: Board) -> Iterator[Finding]:
    """The same backend and the same work on two devices."""
    by_work: dict[tuple[str, str, str], list[tuple[Condition, Sample]]] = {}
    for (key, backend), sample in laid_out.samples.items():
        place = laid_out.places[key]
        if sample.valid and len(sample.values(STEADY)) and place.identity:
            work = place.identity.partition("/")[0]
            by_work.setdefault((place.task, backend, work), []).append((place, sample))
    for (task, backend, _), members in by_work.items():
        members.sort(key=lambda item: statistics.median(item[1].values(STEADY)))
        (fast_place, fast), *rest = members
        for slow_place, slow in rest:
            yield from _device_pair(task, backend, (fast_place, fast), (slow_place, slow))


def _device_pair(
    task: str, backend: str, fast: tuple[Condition, Sample], slow: tuple[Condition, Sample]
) -> Iterator[Finding]:
    values = [sample.values(STEADY) for _, sample in (fast, slow)]
    compared = compared_to(slow[1], fast[1], STEADY)
    if compared.verdict != statistics.HIGHER or compared.interval is None:
        return
    names_ = [
        short_device(place.device)
        + (f" ({place.host})" if fast[0].device == slow[0].device else "")
        for place, _ in (fast, slow)
    ]
    medians = [statistics.median(one) for one in values]
    runs = [len(one) for one in values]
    times = with_bounds(compared.ratio, compared.interval)
    yield Finding(
        DEVICE,
        f"{backend_title(backend)} trains {task_title(task)} {times} faster on "
        f"{names_[0]} than on {names_[1]} ({count(runs)}).",
        f"{significant(medians[1])} s / {significant(medians[0])} s per training epoch = "
        f"{significant(compared.ratio)}",
        sum(runs),
        caveats_of(fast[0], [fast[1], slow[1]], runs),
        task,
        shown=True,
    )
