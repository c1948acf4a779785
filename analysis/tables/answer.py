"""The answer: one grid per place, tasks down, backends across, seconds per training epoch and
ratios.

Where work and place are equal, training times are divided whatever the stack: every engine passed
the same checks and one preparation feeds them all. A grid is shown for few runs too, with its doubt
beside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from analysis import titles
from analysis.compare import ratios, statistics
from analysis.compare.conditions import Condition
from analysis.compare.layout import Board, board
from analysis.compare.marks import MISSING
from analysis.compare.measures import MEAN_EPOCH, STEADY, Measure, quality
from analysis.compare.samples import Sample
from analysis.numbers import significant
from analysis.store.select import Choice
from analysis.tables.caveats import caveats
from analysis.tables.cells import cell, winners
from analysis.tables.heads import labelled
from analysis.tables.model import Cell, Column, Document, Row, Table

if TYPE_CHECKING:
    import pandas as pd

MEAN = "mean"  # key of the last row: the geometric mean over tasks


@dataclass(frozen=True)
class Answer:
    """What the runs of one place say.

    place: the machine in a line. samples: the runs behind the speed grid, by row and column. speed,
    quality: grids with equal rows and columns (speed has one row more, the geometric mean).
    caveats: at most six lines to be read with them.
    """

    place: str
    speed: Table
    quality: Table
    caveats: tuple[str, ...]
    samples: Sequence[Sequence[Sample | None]] = ()


def answers(frame: "pd.DataFrame", choice: Choice) -> list[Answer]:
    """One answer for each place with a run. Raises UserError if the choice leaves no run."""
    return answers_of(board(frame, choice, by_work=True))


def answers_of(laid_out: Board) -> list[Answer]:
    """One answer for each place of runs that are laid out by work."""
    groups: dict[tuple[str, ...], list[Condition]] = {}
    for place in laid_out.places.values():
        groups.setdefault(_place_key(place), []).append(place)
    hosts = {key[2] for key in groups}
    return [_answer(laid_out, members, len(hosts) > 1) for members in groups.values()]


def document(found: Sequence[Answer]) -> Document:
    """Answers as tables for every format; caveats are notes of the speed grid."""
    tables = []
    for answer in found:
        tables += [replace(answer.speed, notes=answer.caveats), answer.quality]
    return Document("Which Keras backend trains which network fastest", tables)


def _place_key(place: Condition) -> tuple[str, ...]:
    """What conditions of different tasks must share to be rows of one grid."""
    return (place.source, place.device, place.host, place.threads, place.profile)


def _answer(laid_out: Board, members: Sequence[Condition], show_host: bool) -> Answer:
    places = _in_order(members)
    backends = laid_out.backends(places)
    samples = [
        [laid_out.samples.get((place.key, backend)) for backend in backends] for place in places
    ]
    columns = [
        Column(backend, f"{titles.backend_title(backend)}{_generation(samples, i)}")
        for i, backend in enumerate(backends)
    ]
    measure = MEAN_EPOCH if members[0].published else STEADY
    lines = caveats(laid_out.runs.frame, places, backends, samples, measure)
    return _grids(_where(members[0], show_host), places, columns, samples, measure, lines)


def _grids(
    where: str,
    places: Sequence[Condition],
    columns: Sequence[Column],
    samples: Sequence[Sequence[Sample | None]],
    measure: Measure,
    lines: Sequence[str],
) -> Answer:
    rows = [Row(place.key, label) for place, label in zip(places, _labels(places), strict=True)]
    return Answer(
        where,
        _speed(where, places, rows, columns, samples, measure),
        _quality(where, rows, columns, samples),
        tuple(lines),
        samples,
    )


def answers_by_device(frame: "pd.DataFrame", choice: Choice) -> list[Answer]:
    """One answer for each backend, devices across: the columns of the page of 2017.

    Published and measured figures are different measures, so they never share a grid. Raises
    UserError if the choice leaves no run.
    """
    laid_out = board(frame, choice, by_work=True)
    found = []
    for backend in laid_out.backends():
        for published in (False, True):
            members = [
                place
                for place in laid_out.places.values()
                if place.published == published and (place.key, backend) in laid_out.samples
            ]
            if members:
                found.append(_device_answer(laid_out, backend, members))
    return found


def _device_answer(laid_out: Board, backend: str, members: Sequence[Condition]) -> Answer:
    """Rows are works, columns are places; equal work is divided across places."""
    columns: dict[tuple[str, ...], list[Condition]] = {}
    rows: dict[tuple[str, ...], list[Condition]] = {}
    for place in _in_order(members):
        columns.setdefault(_place_key(place), []).append(place)
        rows.setdefault(_work_key(place), []).append(place)
    heads = labelled([places[0] for places in columns.values()])
    samples = [
        [_sample_at(laid_out, backend, row, column) for column in columns.values()]
        for row in rows.values()
    ]
    first = [places[0] for places in rows.values()]
    measure = MEAN_EPOCH if members[0].published else STEADY
    lines = caveats(laid_out.runs.frame, members, [backend], samples, measure)
    title = titles.backend_title(backend)
    where = f"{title}, published results" if members[0].published else title
    return _grids(where, first, [replace(head, note="") for head in heads], samples, measure, lines)


def _work_key(place: Condition) -> tuple[str, ...]:
    """What is computed: the hash of the work, or for published results what they say of it."""
    if place.published:
        return (place.task, place.work, place.epochs)
    return (place.task, place.identity.partition("/")[0])


def _sample_at(
    laid_out: Board, backend: str, row: Sequence[Condition], column: Sequence[Condition]
) -> Sample | None:
    keys = {place.key for place in row} & {place.key for place in column}
    return next((laid_out.samples[key, backend] for key in sorted(keys)), None)


def _in_order(members: Sequence[Condition]) -> list[Condition]:
    tasks = titles.ordered({place.task for place in members}, titles.TASKS)
    return sorted(members, key=lambda place: (tasks.index(place.task), place.data, place.key))


def _labels(places: Sequence[Condition]) -> list[str]:
    """Task titles, with the data, epochs or work if a task has several rows."""
    names = [titles.task_title(place.task) for place in places]
    labels = list(names)
    for i, place in enumerate(places):
        if names.count(names[i]) > 1:
            twins = [other for other, name in zip(places, names, strict=True) if name == names[i]]
            parts = [
                f"{place.data} data" if len({twin.data for twin in twins}) > 1 else "",
                f"{place.epochs} epochs"
                if place.epochs and len({t.epochs for t in twins}) > 1
                else "",
                place.work,
            ]
            extra = ", ".join(part for part in parts if part) or f"work {place.identity[:6]}"
            labels[i] = f"{names[i]} ({extra})"
    return labels


def _generation(samples: Sequence[Sequence[Sample | None]], column: int) -> str:
    known = [row[column] for row in samples if row[column] is not None]
    generations = {sample.text("keras_generation") for sample in known if sample is not None}
    return f" (Keras {'/'.join(sorted(generations))})" if generations - {""} else ""


def _where(place: Condition, show_host: bool) -> str:
    parts = [
        titles.short_device(place.device),
        f"{place.threads} threads" if place.threads and place.kind != "gpu" else "",
        place.host if show_host else "",
        f"profile {place.profile}" if place.profile and not place.published else "",
        f"published in {place.source}" if place.published else "",
    ]
    return ", ".join(part for part in parts if part)


def _speed(
    where: str,
    places: Sequence[Condition],
    rows: Sequence[Row],
    columns: Sequence[Column],
    samples: Sequence[Sequence[Sample | None]],
    measure: Measure,
) -> Table:
    cells, by_task = [], {}
    for place, row in zip(places, samples, strict=True):
        found = ratios.to_best(row, measure)
        bold = winners(list(row), measure)
        cells.append(
            [
                _with_ratio(cell(sample, measure), found.values[i], i == found.best, bold[i])
                for i, sample in enumerate(row)
            ]
        )
        by_task[place.key] = {
            column.key: found.values[i]
            for i, (column, sample) in enumerate(zip(columns, row, strict=True))
            if sample is not None and sample.valid
        }
    means, cases = ratios.geometric_means(by_task)
    label = measure.label
    if len(cases) > 1:
        rows = [*rows, Row(MEAN, f"Geometric mean, {titles.counted(len(cases), 'task')}")]
        cells.append([_mean(means.get(column.key), min(means.values())) for column in columns])
    return Table(
        key=_key("answer.speed", where),
        section=where,
        heading="Speed",
        label=f"{label}, and times the row's fastest",
        unit=measure.unit,
        corner="",
        columns=columns,
        rows=rows,
        cells=cells,
        measure=measure.key,
    )


def _with_ratio(found: Cell, ratio: float, best: bool, bold: bool) -> Cell:
    if found.value is None or not math.isfinite(ratio):
        return found
    text = "" if best else _times(ratio)
    return replace(found, ratio=None if best else ratio, ratio_text=text, bold=bold)


def _mean(mean: float | None, least: float) -> Cell:
    if mean is None:
        return Cell(absent=MISSING)
    return Cell(value=mean, text=_times(mean), bold=mean == least)


def _times(ratio: float) -> str:
    """Two significant digits, three close to 1, where two would hide a difference: 4.7x, 1.04x."""
    return significant(ratio, 3 if ratio < 1.095 else 2) + "x"


def _quality(
    where: str,
    rows: Sequence[Row],
    columns: Sequence[Column],
    samples: Sequence[Sequence[Sample | None]],
) -> Table:
    cells, labelled = [], []
    for row, line in zip(rows, samples, strict=True):
        metric = next((text for one in line if one and (text := one.text("quality_metric"))), "")
        measure = quality(metric or "val_accuracy")
        bold = winners(list(line), measure)
        found = [cell(sample, measure, interval=False) for sample in line]
        cells.append([replace(one, bold=mark) for one, mark in zip(found, bold, strict=True)])
        loss = ", loss" if metric.endswith("loss") else ""
        labelled.append(replace(row, label=row.label + loss))
    return Table(
        key=_key("answer.quality", where),
        section=where,
        heading="Quality",
        label="Validation accuracy (or loss) after the last epoch, median of the runs",
        unit="",
        corner="",
        columns=columns,
        rows=labelled,
        cells=cells,
        measure="quality",
    )


def _key(name: str, where: str) -> str:
    return f"{name}.{'-'.join(where.replace(',', ' ').split())}"


def fewest_runs(answer: Answer) -> int:
    """The smallest number of runs behind a figure of the speed grid; 0 if it has none."""
    counts = [one.runs for line in answer.speed.cells for one in line if one.runs]
    return min(counts, default=0)


def enough(answer: Answer) -> bool:
    """Whether every figure has runs enough to show a difference."""
    return fewest_runs(answer) >= statistics.MIN_FOR_INTERVAL
