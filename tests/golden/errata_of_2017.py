"""Derives the errata of the page of 2017: its figures and sentences against the published numbers.

The page is data (page_2017.json), the numbers are published.csv; every difference is computed here,
with its arithmetic, and nothing is listed by hand. `analysis.published.errata` has the result.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from analysis.compare import statistics
from analysis.numbers import decimals, significant
from analysis.published import results
from analysis.published.errata import Erratum
from analysis.store import frame
from analysis.tables.model import Cell, Table
from analysis.titles import backend_title, task_title
from tests.golden import claims_of_2017
from tests.golden.numbers_of_2017 import Numbers, numbers

if TYPE_CHECKING:
    import pandas as pd

DOUBT_FACTOR = 3.0  # a device's slowness, over what the other backends show on the same two devices
WORK_GAP = (
    10.0  # columns whose accuracies differ by so many times the spread inside them did other work
)
PAGE_RESOLUTION = 0.1  # seconds; to what the page rounds its times


def derived(frame: "pd.DataFrame") -> list[Erratum]:
    """Every difference between the page of 2017 and the published numbers, in the page's order."""
    known = numbers(frame)
    found: list[Erratum] = []
    for printed in results.page()["tables"]:
        found += _cells(printed, known.tables[f"{printed['task']}.{printed['kind']}"], known)
    found += [*_labels(known), *_other_work(known), *_doubtful_devices(known)]
    found += [
        Erratum(f"claim-{one.claim}", "text", f"“{one.quote}”", one.correct, one.arithmetic)
        for one in claims_of_2017.contradicted(known)
    ]
    found += _no_spread(known)
    return found


def _cells(printed: dict[str, Any], table: Table, known: Numbers) -> Iterator[Erratum]:
    """Values, ratios and bold of one table."""
    where = f"{task_title(table.task)}, {table.heading.lower()}"
    for backend, line in printed["cells"].items():
        for label in known.columns:
            cell = known.cell(table.key, backend, label)
            place = f"{where}, {label}, {backend_title(backend)}"
            key = f"{table.key}.{label}.{backend}".replace(" ", "-")
            shown = line.get(label)
            if shown is None or cell.absent:
                if (shown is None) != bool(cell.absent):
                    yield Erratum(
                        f"{key}.value",
                        place,
                        shown["value"] if shown else "nothing",
                        f"the numbers have {cell.plain}",
                        "a figure on one side alone",
                    )
                continue
            if shown["value"] != cell.text:
                yield Erratum(
                    f"{key}.value",
                    place,
                    shown["value"],
                    f"the number is {cell.text}",
                    f"{cell.value!r}",
                )
            if shown["bold"] != cell.bold:
                yield _bold(key, place, cell, printed, label)
            if printed["kind"] == "speed" and (shown["ratio"] or "") != cell.ratio_text:
                yield _ratio(key, place, shown["ratio"], cell, table, label)


def _bold(key: str, place: str, cell: Cell, printed: dict[str, Any], label: str) -> Erratum:
    others = [line[label]["value"] for line in printed["cells"].values() if label in line]
    what = "lowest" if printed["kind"] == "speed" or printed["heading"] == "Loss" else "highest"
    rest = ", ".join(sorted(set(others) - {cell.text}))
    if cell.bold:
        return Erratum(
            f"{key}.bold",
            place,
            f"{cell.text} plain",
            f"it is the {what} and should be bold",
            f"{cell.text} against {rest}",
        )
    return Erratum(
        f"{key}.bold",
        place,
        f"{cell.text} bold",
        f"it is not the {what}",
        f"{cell.text} against {rest}",
    )


def _ratio(
    key: str, place: str, shown: str | None, cell: Cell, table: Table, label: str
) -> Erratum:
    column = next(head.key for head in table.columns if head.label == label)
    figures = {row.key: table.cell(row.key, column) for row in table.rows}
    best = min(one.value for one in figures.values() if one.value is not None)
    base = next(one.text for one in figures.values() if one.value == best)
    exact = f"{significant((cell.value or math.nan) / best, 3)}x"
    arithmetic = f"{cell.text} / {base} = {exact}"
    if shown is None:
        return Erratum(f"{key}.ratio", place, "no ratio", f"it is {exact}", arithmetic)
    against = [
        backend_title(backend)
        for backend, one in figures.items()
        if one.value and cell.value and decimals(cell.value / one.value, 1) + "x" == shown
    ]
    hint = f"; {shown} is against {', '.join(against)}" if against else ""
    return Erratum(
        f"{key}.ratio", place, shown, f"it is {cell.ratio_text or 'the best'}{hint}", arithmetic
    )


def _labels(known: Numbers) -> Iterator[Erratum]:
    """Captions that name another figure than the numbers hold."""
    impossible = []
    ours = known.frame[
        known.frame["published_source"].isin([source for source, _ in known.columns.values()])
    ]
    for printed in results.page()["tables"]:
        rows = ours[
            (ours["task"] == printed["task"])
            & (ours["first_epoch_seconds"] > ours["mean_epoch_seconds"])
        ]
        if printed["kind"] == "speed":
            columns = ("backend", "first_epoch_seconds", "mean_epoch_seconds")
            impossible += [
                (float(first) / float(mean), str(backend), float(first), float(mean), printed)
                for backend, first, mean in zip(*(rows[name] for name in columns), strict=True)
            ]
    if impossible:
        _, backend, first, mean, printed = max(impossible, key=lambda one: one[0])
        epochs = printed["epochs"]
        yield Erratum(
            "label.speed",
            "all speed tables",
            f"“{printed['label']}”",
            "the figure is the mean per epoch, not for all epochs",
            f"{task_title(printed['task'])}, {backend_title(backend)}, K80: the first epoch alone "
            f"took {decimals(first, 1)} s, so {decimals(mean, 1)} s cannot be {epochs} epochs; "
            f"those are {decimals(mean, 1)} x {epochs} = {decimals(mean * epochs, 0)} s; likewise "
            f"in {len(impossible)} of the K80's cells",
        )
    for printed in results.page()["tables"]:
        if printed["kind"] == "quality":
            yield from _metric_label(printed, known)


def _metric_label(printed: dict[str, Any], known: Numbers) -> Iterator[Erratum]:
    said = "val_" + ("loss" if "loss" in printed["label"].lower() else "accuracy")
    for label, (source, device) in known.columns.items():
        rows = known.frame[
            (known.frame["task"] == printed["task"])
            & (known.frame["published_source"] == source)
            & (known.frame["device_name"] == device)
        ]
        held = set(rows["quality_metric"].dropna())
        if held and held != {said}:
            yield Erratum(
                f"label.{printed['task']}.{label}".replace(" ", "-"),
                f"{task_title(printed['task'])}, {label}",
                f"“{printed['label']}”",
                "it is the training loss: no validation data were passed",
                f"the source's figure is the {' and '.join(sorted(held))} of the last training "
                "epoch: " + ", ".join(decimals(value, 4) for value in sorted(rows["last_loss"])),
            )


def _other_work(known: Numbers) -> Iterator[Erratum]:
    """Columns of one table that cannot have trained the same network, by accuracies and times."""
    for task in known.tasks():
        table = known.tables[f"{task}.quality"]
        spans = {}
        for number, head in enumerate(table.columns):
            values = [line[number].value for line in table.cells]
            known_values = [value for value in values if value is not None]
            spans[head.label] = (min(known_values), max(known_values))
        widest = max(high - low for low, high in spans.values())
        for label, (low, high) in spans.items():
            gaps = [
                max(other_low - high, low - other_high)
                for other, (other_low, other_high) in spans.items()
                if other != label
            ]
            if min(gaps) > WORK_GAP * max(widest, 1e-4):
                yield _other_work_erratum(task, label, spans, min(gaps), widest, known)


def _other_work_erratum(
    task: str,
    label: str,
    spans: Mapping[str, tuple[float, float]],
    gap: float,
    widest: float,
    known: Numbers,
) -> Erratum:
    rest = [other for other in spans if other != label]
    times = {
        one: [
            value
            for backend in results.page()["backends"]
            if (value := known.seconds(task, backend, one)) is not None
        ]
        for one in spans
    }
    others = [value for one in rest for value in times[one]]
    works = {
        str(frame.work_of(text))
        for text in known.frame.loc[known.frame["task"] == task, "hyper"].dropna()
    }
    return Erratum(
        f"work.{task}.{label}".replace(" ", "-"),
        f"{task_title(task)}, {label} beside {' and '.join(rest)}",
        "one table, as if the same work",
        "these columns did different work and are not compared",
        f"{label} {_span(spans[label], 4)} at {_span(times[label], 1)} s, "
        f"the others {_span([bound for one in rest for bound in spans[one]], 4)} at "
        f"{_span(others, 1)} s; {decimals(gap, 4)} apart, {round(gap / widest)} times the widest "
        f"spread of a column; the sources' work: {', '.join(sorted(works - {''})) or 'not told'}",
    )


def _span(values: Collection[float], places: int) -> str:
    return f"{decimals(min(values), places)}–{decimals(max(values), places)}"


def doubtful_devices(
    frame: "pd.DataFrame", tasks: list[str], devices: list[tuple[str, str]]
) -> list[tuple[str, str, tuple[str, str], float, float]]:
    """Cells in which a backend loses on a device what no other does.

    devices: (published source, device). Returns (task, backend, device, slowdown, the others'
    slowdown). The slowdown is against the device that is fastest for the backend; if it is
    DOUBT_FACTOR times the median of the other backends' slowdowns between the same two devices (and
    no less than DOUBT_FACTOR by itself), the engine probably used the processor, or had no cuDNN.
    """
    columns = ("task", "backend", "published_source", "device_name", "mean_epoch_seconds")
    seconds = {
        (str(task), str(backend), (str(source), str(device))): float(value)
        for task, backend, source, device, value in zip(
            *(frame[name] for name in columns), strict=True
        )
        if (source, device) in devices
    }
    found = []
    for task in tasks:
        backends = sorted({backend for one, backend, _ in seconds if one == task})
        for backend in backends:
            here = {
                device: seconds[task, backend, device]
                for device in devices
                if (task, backend, device) in seconds
            }
            fastest = min(here, key=lambda device: here[device], default=None)
            for device, value in here.items():
                others = [
                    seconds[task, other, device] / seconds[task, other, fastest]
                    for other in backends
                    if other != backend
                    and fastest is not None
                    and (task, other, device) in seconds
                    and (task, other, fastest) in seconds
                ]
                if fastest is None or device == fastest or len(others) < 2:
                    continue
                slowdown, usual = value / here[fastest], statistics.median(others)
                if slowdown > DOUBT_FACTOR * max(usual, 1.0):
                    found.append((task, backend, device, slowdown, usual))
    return found


def _doubtful_devices(known: Numbers) -> Iterator[Erratum]:
    labels = {place: label for label, place in known.columns.items()}
    found = doubtful_devices(known.frame, known.tasks(), list(labels))
    by_cell: dict[tuple[str, str], list[tuple[str, float, float]]] = {}
    for task, backend, device, slowdown, usual in found:
        by_cell.setdefault((backend, labels[device]), []).append((task, slowdown, usual))
    for (backend, label), cases in by_cell.items():
        parts = "; ".join(
            f"{task_title(task)} {significant(slowdown, 3)}x slower than on the fastest card, the "
            f"other backends {significant(usual, 2)}x"
            for task, slowdown, usual in cases
        )
        yield Erratum(
            f"device.{label}.{backend}".replace(" ", "-"),
            f"{label}, {backend_title(backend)}",
            "times as if the card had computed",
            "it looks like a fall-back without cuDNN, or to the processor: device doubtful (?)",
            parts,
        )


def _no_spread(known: Numbers) -> Iterator[Erratum]:
    """One run per cell, rounded to 0.1 s: how far printed ratios may be off by rounding alone."""
    widest: tuple[float, str, str, str, float, float] | None = None
    counts = set()
    for table in known.tables.values():
        if not table.key.endswith(".speed"):
            continue
        for number, head in enumerate(table.columns):
            figures = [line[number] for line in table.cells if line[number].value is not None]
            counts |= {figure.runs for figure in figures}
            base = min(figures, key=lambda figure: figure.value or math.inf)
            for figure in figures:
                if not figure.ratio or (shown := _shown_ratio(table, head.label, figure)) is None:
                    continue
                low, high = statistics.rounded_ratio_bounds(
                    float(figure.text), float(base.text), PAGE_RESOLUTION
                )
                if low <= float(shown[:-1]) <= high and (widest is None or high - low > widest[0]):
                    widest = (high - low, shown, figure.text, base.text, low, high)
    if widest is not None and counts == {1}:
        _, shown, numerator, denominator, low, high = widest
        yield Erratum(
            "no-spread",
            "all tables",
            "ratios and bold figures without a spread",
            f"one run per cell, rounded to {PAGE_RESOLUTION} s: small differences are not shown by "
            "it",
            f"{shown} = {numerator} / {denominator} may be {decimals(low, 1)} to "
            f"{decimals(high, 1)} by rounding alone",
        )


def _shown_ratio(table: Table, label: str, figure: Cell) -> str | None:
    printed = next(
        one for one in results.page()["tables"] if f"{one['task']}.{one['kind']}" == table.key
    )
    return next(
        (
            line[label]["ratio"]
            for line in printed["cells"].values()
            if label in line and line[label]["value"] == figure.text
        ),
        None,
    )
