"""The report's figures of speed: every run's epoch time, and the map of ratios; each with its
table.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from analysis.compare.scenarios import Member, Scenario, against
from analysis.compare.statistics import TIE, UNKNOWN, median
from analysis.numbers import significant
from analysis.report import plots, svg
from analysis.report.lists import count, figures, listing, menu, number, text, words
from analysis.report.page import FigureBlock, KeyItem, Panel
from analysis.report.palette import Style
from analysis.tables.model import Cell
from analysis.titles import BACKENDS, backend_title, ordered, short_device

MAX_PANELS = 48  # drawings per figure
MAX_DOTS = 40  # runs of one backend that are drawn one by one
_WHERE = (menu("Task"), menu("Where"), menu("Backend"))


def key_of(backends: set[str], styles: Mapping[str, Style], figure: str) -> list[KeyItem]:
    """A key that shows each backend's colour, marker and dash."""
    return [
        KeyItem(
            plots.key_picture(styles[name], f"{figure}-key-{i}", backend_title(name)),
            backend_title(name),
        )
        for i, name in enumerate(ordered(backends, BACKENDS))
    ]


def epoch_times(all_scenarios: Sequence[Scenario], styles: Mapping[str, Style]) -> FigureBlock:
    """Steady training time per epoch: a dot for every run, the median and its interval."""
    panels, rows = [], []
    for i, scenario in enumerate(all_scenarios):
        members = [member for some in scenario.by_place.values() for member in some if member.dots]
        rows += [_time_row(scenario, member) for member in members]
        if members and i < MAX_PANELS:
            drawing = plots.dots(
                [_sample(member) for member in members], styles, "steady training, s per epoch"
            )
            description = "; ".join(
                f"{one.label}: {', '.join(_seconds(value) for value, _ in one.dots)} s"
                for one in members
            )
            panels.append(
                Panel(
                    svg.element(drawing, f"time-{i}", scenario.title, description),
                    scenario.title,
                    scenario.where,
                )
            )
    heads = (
        *_WHERE,
        figures("Runs"),
        figures("Median", "s per epoch"),
        figures("From", "s"),
        figures("To", "s"),
        words("Interval"),
        words("Every run", "s per epoch"),
    )
    table = listing("time", "Steady training time per epoch", heads, rows)
    note = (
        "A dot is one run: the median of its training epochs from the second on. The upright bar "
        "is the median over runs, the line its interval (the range for three to five runs, a "
        "bootstrap from six on, none below three). Open dots do not count: the run diverged, its "
        "device is doubtful, or its engine failed the check."
    )
    return FigureBlock(
        "plot-time", "Epoch time per backend", note + undrawn(len(all_scenarios)), panels, (), table
    )


def _seconds(value: float) -> str:
    return significant(value, thousands=True)


def undrawn(count: int) -> str:
    """A sentence on the panels that a figure leaves out, "" where it draws them all."""
    return (
        f" The first {MAX_PANELS} of {count} are drawn; the table has all."
        if count > MAX_PANELS
        else ""
    )


def _sample(member: Member) -> plots.Sample:
    dots, interval = _thinned(member.dots), member.interval
    return plots.Sample(
        member.label,
        member.backend,
        [value for value, _ in dots],
        [open_ for _, open_ in dots],
        median(member.times) if member.times else None,
        interval.low if interval else None,
        interval.high if interval else None,
    )


def _thinned(dots: Sequence[tuple[float, bool]]) -> Sequence[tuple[float, bool]]:
    """All runs, or MAX_DOTS of them evenly spread over their order where there are more."""
    if len(dots) <= MAX_DOTS:
        return dots
    order = sorted(dots)
    return [order[round(step * (len(order) - 1) / (MAX_DOTS - 1))] for step in range(MAX_DOTS)]


def _time_row(scenario: Scenario, member: Member) -> list[Cell]:
    interval = member.interval
    each = [
        significant(value, thousands=True) + (" (open)" if open_ else "")
        for value, open_ in member.dots[:MAX_DOTS]
    ]
    more = [f"and {len(member.dots) - MAX_DOTS} more"] if len(member.dots) > MAX_DOTS else []
    return [
        text(scenario.title),
        text(scenario.where, classes="where"),
        text(member.label),
        count(len(member.times)),
        number(median(member.times)),
        number(interval.low if interval else None),
        number(interval.high if interval else None),
        text(
            f"{100 * interval.coverage:.4g} %, {interval.method}"
            if interval
            else "fewer than three runs"
        ),
        text(", ".join([*each, *more]), classes="wide"),
    ]


@dataclass(frozen=True)
class Ratio:
    """A backend's median time over that of the fastest in its place; None where its runs do not
    count.
    """

    task: str
    where: str
    place: str
    amount: str
    backend: str
    value: float | None
    text: str
    verdict: str
    runs: int


def ratios(scenario: Scenario) -> Iterator[Ratio]:
    """Every backend of a scenario against the fastest one of its place."""
    for members in scenario.by_place.values():
        best = members[0] if members[0].times else None
        for member in members:
            where = (
                scenario.title,
                _map_name(scenario, member),
                member.place.key,
                scenario.amount,
                member.backend,
            )
            if best is None or not member.times:
                if member.dots:
                    yield Ratio(*where, None, "†", "does not count", 0)
                continue
            ratio = median(member.times) / median(best.times)
            verdict = against(member, best).verdict
            outcome = {TIE: "tie", UNKNOWN: "too few runs to tell"}.get(verdict, "slower")
            tied = member is not best and verdict == TIE
            yield Ratio(
                *where,
                ratio,
                f"{significant(ratio, 2, thousands=True)}×" + (" =" if tied else ""),
                "fastest median" if member is best else outcome,
                len(member.times),
            )


def by_map(found: Sequence[Ratio]) -> dict[str, list[Ratio]]:
    """Ratios by the map they are drawn in: one amount of work per task in each."""
    maps: dict[str, list[Ratio]] = {}
    for ratio in found:
        others = [other for other in maps.get(ratio.where, []) if other.task == ratio.task]
        apart = bool(others) and others[0].place != ratio.place
        maps.setdefault(f"{ratio.where}, {ratio.amount}" if apart else ratio.where, []).append(
            ratio
        )
    return maps


def ratio_maps(all_scenarios: Sequence[Scenario]) -> FigureBlock:
    """Tasks × backends: how many times the fastest one's median; one map per device, kind of work
    and Keras.
    """
    found = [ratio for scenario in all_scenarios for ratio in ratios(scenario)]
    maps = by_map(found)
    drawn = [
        (where, some) for where, some in maps.items() if len({ratio.backend for ratio in some}) > 1
    ]
    panels = [_map_panel(i, where, some) for i, (where, some) in enumerate(drawn[:MAX_PANELS])]
    rows = [
        [
            text(ratio.task),
            text(where, classes="where"),
            text(backend_title(ratio.backend)),
            number(ratio.value, 2),
            text(ratio.verdict),
            count(ratio.runs),
        ]
        for where, some in maps.items()
        for ratio in some
    ]
    caption = "Ratio of median steady training times to the fastest"
    heads = (*_WHERE, figures("Ratio"), words("Verdict"), figures("Runs"))
    table = listing("ratio", caption, heads, rows)
    note = (
        "Each row is divided by its fastest backend: 1.0× is the fastest, darker is slower, “=” "
        "marks a tie with the fastest, † a backend whose runs do not count, – one that has no run."
    )
    return FigureBlock(
        "plot-ratio",
        "How many times slower than the fastest",
        note + undrawn(len(drawn)),
        panels,
        (),
        table,
        "No two backends have runs that may be compared.",
    )


def _map_name(scenario: Scenario, member: Member) -> str:
    place = member.place
    parts = [
        short_device(place.device),
        place.host if place.host and place.host in scenario.where else "",
        place.profile,
        f"{place.threads} threads" if place.threads else "",
        "SYNTHETIC data" if scenario.synthetic else f"{place.data} data" if place.data else "",
    ]
    return ", ".join(part for part in parts if part)


def _map_panel(number_: int, where: str, found: Sequence[Ratio]) -> Panel:
    known = {
        (ratio.task, backend_title(ratio.backend)): (ratio.value, ratio.text) for ratio in found
    }
    tasks = list(dict.fromkeys(task for task, _ in known))
    backends = [
        backend_title(name) for name in ordered({ratio.backend for ratio in found}, BACKENDS)
    ]
    drawing = plots.heat_map(
        tasks, backends, lambda task, backend: known.get((task, backend), (None, "–"))
    )
    description = "; ".join(
        f"{task}, {backend}: {text}" for (task, backend), (_, text) in known.items()
    )
    return Panel(svg.element(drawing, f"ratio-{number_}", where, description), where)
