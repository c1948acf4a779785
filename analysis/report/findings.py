"""Sentences that the numbers support, each with its arithmetic, its count of runs and its caveats.

A difference is claimed only where `analysis.compare.statistics.compare` shows one; one or two runs
are told as what they are. What is wrong on the page of 2017 comes from `analysis.published.errata`.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from analysis import titles
from analysis.compare import statistics
from analysis.compare.conditions import Place
from analysis.compare.layout import Board, board
from analysis.compare.measures import STEADY, WIDE, Measure, quality
from analysis.compare.samples import Sample, compared_to
from analysis.numbers import significant
from analysis.published.errata import errata
from analysis.store.select import Choice, require_published
from analysis.tables import heads
from analysis.tables.wide import summary_tables
from analysis.titles import backend_title, counted, short_device, task_title
from experiments import names
from experiments.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.store.read import Reading

OVERALL, SPEED, QUALITY, DEVICE, COMPILE, TROUBLE, CAVEAT, ERRATUM = (
    "overall",
    "speed",
    "quality",
    "device",
    "compile",
    "trouble",
    "caveat",
    "erratum",
)
COMPILE_SHARE = 0.3  # of the total wall time, from which on compilation is worth a sentence
_COMPILE = next(measure for measure in WIDE if measure.key == "compile")
_TOTAL = next(measure for measure in WIDE if measure.key == "total")
_NOISE = {
    names.FLAG_NOISY,
    names.FLAG_OUTLIER,
    names.FLAG_LOADED,
    names.FLAG_THROTTLED,
    names.FLAG_SHARED,
}


@dataclass(frozen=True)
class Finding:
    """kind: one of the words above. runs: how many stand behind it. shown: a difference that was
    shown.
    """

    kind: str
    text: str
    arithmetic: str
    runs: int
    caveats: tuple[str, ...] = ()
    task: str = ""
    where: str = ""
    shown: bool = False

    @property
    def line(self) -> str:
        """The finding in one line, arithmetic and caveats behind it."""
        details = "; ".join(part for part in (self.arithmetic, *self.caveats) if part)
        return f"{self.text}" + (f" ({details})" if details else "")


def findings(frame: "pd.DataFrame", choice: Choice | None = None) -> list[Finding]:
    """Everything worth saying about the chosen runs, most general first; UserError where there are
    none.

    choice: as for the tables; source "all" also brings the errata of 2017 where published results
    are there.
    """
    choice = choice or Choice(source="all")
    found: list[Finding] = []
    try:
        measured = Choice("tasks", "measured", choice.profile, choice.sweep, choice.pool_hosts)
        laid_out = board(frame, measured, by_work=True)
    except UserError:
        if choice.source == "measured" or choice.profile or choice.sweep:
            raise
        laid_out = None
    if laid_out is not None and choice.source != "published":
        found = measured_findings(laid_out)
    if choice.source != "measured":
        found += _errata(frame, required=choice.source == "published")
    return found


def measured_findings(laid_out: Board) -> list[Finding]:
    """Everything worth saying about measured runs, most general first."""
    return [
        *_overall(laid_out),
        *_tasks(laid_out),
        *_devices(laid_out),
        *_troubles(laid_out),
        *_data_and_flags(laid_out),
    ]


def _errata(frame: "pd.DataFrame", required: bool) -> list[Finding]:
    count = int((frame["source"] == "published").sum())
    if not count:
        if required:
            require_published(0, "the store")
        return []
    return [
        Finding(
            ERRATUM,
            f"2017, {one.sentence}",
            one.arithmetic,
            count,
            where=one.where,
        )
        for one in errata()
    ]


def _overall(laid_out: Board) -> Iterator[Finding]:
    for table in summary_tables(laid_out):
        means = [
            (row.label, line[0].value or 1.0)
            for row, line in zip(table.rows, table.cells, strict=True)
        ]
        count = table.cells[0][0].runs
        parts = ", ".join(f"{name} {_times(mean)}" for name, mean in means)
        yield Finding(
            OVERALL,
            f"On {table.heading}, over {counted(count, 'task')} that all {len(means)} backends "
            "finished, the epochs take in the geometric mean of the ratio to each task's fastest: "
            f"{parts}.",
            table.label,
            count,
            tuple(table.head),
            where=table.heading,
        )


def _tasks(laid_out: Board) -> Iterator[Finding]:
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


def _speed(task: str, place: Place, where: str, samples: dict[str, Sample]) -> Iterator[Finding]:
    """The fastest backend against every other one of the column."""
    ranked = _ranked(samples, STEADY)
    if len(ranked) < 2:
        return
    best, winner = ranked[0]
    for rank, (other, sample) in enumerate(ranked[1:]):
        yield _pair(task, place, where, (best, winner), (other, sample), rank == 0)


def _pair(
    task: str,
    place: Place,
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
    caveats = _caveats(place, [fast[1], slow[1]], runs)
    on = f"On {where}, "
    title = task_title(task)
    if compared.verdict == statistics.HIGHER and compared.interval is not None:
        times = _with_bounds(compared.ratio, compared.interval)
        rival = f"the next best, {slowest}," if next_best else slowest
        text = f"{on}{fastest} is {times} faster than {rival} on {title} ({_count(runs)})."
        return Finding(SPEED, text, arithmetic, sum(runs), caveats, task, where, shown=True)
    if compared.verdict == statistics.TIE and compared.interval is not None:
        bounds = f"[{significant(compared.interval.low)}, {significant(compared.interval.high)}]"
        text = (
            f"{on}no difference in speed could be shown between {fastest} and {slowest} on {title} "
            f"({_count(runs)})."
        )
        return Finding(SPEED, text, f"{arithmetic} {bounds}", sum(runs), caveats, task, where)
    text = (
        f"{on}{fastest} took {significant(medians[0])} s and {slowest} {significant(medians[1])} s "
        f"per training epoch of {title}; {_few(runs)} support no claim."
    )
    return Finding(SPEED, text, arithmetic, sum(runs), caveats, task, where)


def _few(runs: Sequence[int]) -> str:
    if set(runs) == {1}:
        return "one run each"
    return f"{counted(runs[0], 'run')} against {counted(runs[1], 'run')}"


def _count(runs: Sequence[int]) -> str:
    return f"n = {runs[0]} each" if len(set(runs)) == 1 else f"n = {' and '.join(map(str, runs))}"


def _times(ratio: float, digits: int | None = None) -> str:
    return f"{significant(ratio, digits or (3 if ratio < 1.5 else 2))}×"


def _with_bounds(ratio: float, interval: statistics.Interval) -> str:
    """ "2.1× [1.9, 2.3]": two significant digits, three where two would hide the interval or what
    is claimed.
    """
    hidden = significant(interval.low, 2) == significant(interval.high, 2)
    digits = 3 if ratio < 1.5 or hidden else 2
    bounds = f"[{significant(interval.low, digits)}, {significant(interval.high, digits)}]"
    return f"{_times(ratio, digits)} {bounds}"


def _caveats(place: Place, samples: Sequence[Sample], runs: Sequence[int]) -> tuple[str, ...]:
    found = []
    if statistics.MIN_FOR_INTERVAL <= min(runs) < 5:
        found.append("provisional: fewer than five runs")
    if place.data == "synthetic":
        found.append("synthetic data")
    if place.profile in ("smoke", "quick"):
        found.append(f"profile {place.profile}: a share of the data")
    warned: Counter[str] = Counter()
    for sample in samples:
        warned += sample.warnings()
    if warned:
        found.append(
            ", ".join(f"{counted(count, 'run')} {flag}" for flag, count in sorted(warned.items()))
        )
    hosts = {host for sample in samples for host in sample.all_of("host")}
    if len(hosts) > 1:
        found.append(f"from {len(hosts)} hosts")
    return tuple(found)


def _quality(task: str, place: Place, where: str, samples: dict[str, Sample]) -> Iterator[Finding]:
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
    caveats = (*_caveats(place, [], runs), f"interval widened for {len(ranked)} backends")
    label = measure.label.lower()
    if interval.low > 0 or interval.high < 0:
        verb = "lower" if measure.better == "lower" else "higher"
        text = (
            f"On {where}, {backend_title(best)} ends {task_title(task)} with a {label} of "
            f"{shown[0]}, {verb} than {backend_title(worst)}'s {shown[1]} ({_count(runs)})."
        )
        yield Finding(
            QUALITY, text, f"{difference} {bounds}", sum(runs), caveats, task, where, shown=True
        )
        return
    text = (
        f"On {where}, no difference in {label} could be shown between the {len(ranked)} backends "
        f"on {task_title(task)} ({_count(runs)})."
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


def _devices(laid_out: Board) -> Iterator[Finding]:
    """The same backend and the same work on two devices."""
    by_work: dict[tuple[str, str, str], list[tuple[Place, Sample]]] = {}
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
    task: str, backend: str, fast: tuple[Place, Sample], slow: tuple[Place, Sample]
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
    times = _with_bounds(compared.ratio, compared.interval)
    yield Finding(
        DEVICE,
        f"{backend_title(backend)} trains {task_title(task)} {times} faster on "
        f"{names_[0]} than on {names_[1]} ({_count(runs)}).",
        f"{significant(medians[1])} s / {significant(medians[0])} s per training epoch = "
        f"{significant(compared.ratio)}",
        sum(runs),
        _caveats(fast[0], [fast[1], slow[1]], runs),
        task,
        shown=True,
    )


def _troubles(laid_out: Board) -> Iterator[Finding]:
    """Runs that did not finish, and engines that computed the wrong thing."""
    for task in laid_out.tasks():
        places = laid_out.of_task(task)
        for place, column in zip(places, heads.labelled(places), strict=True):
            for backend in laid_out.backends([place]):
                sample = laid_out.samples[place.key, backend]
                for state, (count, reason) in sample.ends().items():
                    yield Finding(
                        TROUBLE,
                        f"On {column.label}, {count} of {counted(len(sample.index), 'run')} of "
                        f"{backend_title(backend)} on {task_title(task)} ended as "
                        f"{state.replace('_', ' ')}.",
                        reason,
                        count,
                        (),
                        task,
                        column.label,
                    )
                if len(sample.doubts):
                    yield Finding(
                        TROUBLE,
                        f"On {column.label}, {counted(len(sample.doubts), 'run')} of "
                        f"{backend_title(backend)} on {task_title(task)} in doubt: engine unsound "
                        "or device doubtful.",
                        "",
                        len(sample.doubts),
                        (),
                        task,
                        column.label,
                    )


def _data_and_flags(laid_out: Board) -> Iterator[Finding]:
    frame = laid_out.runs.frame
    synthetic = frame[frame["data_source"] == "synthetic"]
    if len(synthetic):
        tasks = ", ".join(titles.ordered(set(synthetic["task"]), titles.TASKS))
        yield Finding(
            CAVEAT,
            f"{len(synthetic)} of {counted(len(frame), 'run')} trained on synthetic data: their "
            "accuracies and losses mean nothing.",
            tasks,
            len(synthetic),
        )
    flags = Counter(
        flag for text in frame["flags"].dropna() for flag in text.split(",") if flag in _NOISE
    )
    if flags:
        yield Finding(
            CAVEAT,
            "Some runs carry a warning about how they were measured; none was left out for it.",
            ", ".join(f"{counted(count, 'run')} {flag}" for flag, count in sorted(flags.items())),
            sum(flags.values()),
        )
    dirty = frame[frame["git_dirty"].astype("str").str.lower() == "true"]
    if len(dirty):
        yield Finding(
            CAVEAT,
            f"{len(dirty)} of {counted(len(frame), 'run')} were measured with uncommitted changes.",
            "",
            len(dirty),
        )


def as_text(reading: "Reading", choice: Choice, form: str) -> str:
    """The findings as a Markdown list or JSON ("md", "json")."""
    found = findings(reading.frame, choice)
    if form == "json":
        content = {"remarks": reading.remarks(), "findings": [asdict(one) for one in found]}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    lines = [*reading.remarks(), *(finding.line for finding in found)]
    return "".join(f"- {line}\n" for line in lines) or "Nothing can be said from these runs.\n"
