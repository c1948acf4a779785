"""A task's quality table and its speed table."""

import math
from collections.abc import Sequence
from dataclasses import replace

from analysis import titles
from analysis.compare import statistics
from analysis.compare.conditions import Condition
from analysis.compare.layout import Board
from analysis.compare.marks import MISSING
from analysis.compare.measures import HIGHER, MEAN_EPOCH, STEADY, Measure, quality
from analysis.compare.ratios import to_best
from analysis.compare.samples import Sample
from analysis.numbers import decimals, ratio_text
from analysis.tables.cells import cell, winners
from analysis.tables.heads import labelled
from analysis.tables.model import Cell, Column, Row, Table, footnotes
from analysis.tables.notes import head_lines


def task_tables(
    laid_out: Board,
    task: str,
    some: Sequence[Condition] | None = None,
    heads: Sequence[Column] | None = None,
) -> list[Table]:
    """A task's quality table and its speed table."""
    places = list(some) if some is not None else laid_out.of_task(task)
    columns = list(heads) if heads is not None else labelled(places)
    qualities = [_quality_measure(laid_out, place) for place in places]
    plain_speed = laid_out.choice.view == "2017"
    speeds = [MEAN_EPOCH if plain_speed or place.published else STEADY for place in places]
    return [
        _table(laid_out, task, places, columns, qualities, "quality"),
        _table(laid_out, task, places, columns, speeds, "speed"),
    ]


def _quality_measure(laid_out: Board, place: Condition) -> Measure:
    metrics = [
        sample.text("quality_metric")
        for (key, _), sample in laid_out.samples.items()
        if key == place.key
    ]
    return quality(next(filter(None, metrics), "val_accuracy"))


def _table(
    laid_out: Board,
    task: str,
    places: Sequence[Condition],
    columns: Sequence[Column],
    measures: Sequence[Measure],
    kind: str,
) -> Table:
    backends = laid_out.backends()
    rows = [Row(backend, titles.backend_title(backend)) for backend in backends]
    by_column = [
        column_cells(laid_out, place, backends, measure)
        for place, measure in zip(places, measures, strict=True)
    ]
    cells = [list(line) for line in zip(*by_column, strict=True)]
    label, columns = _labels(places, columns, measures, kind)
    loss = kind == "quality" and all(measure.column.endswith("loss") for measure in measures)
    heading = "Speed" if kind == "speed" else "Loss" if loss else "Accuracy"
    return Table(
        key=f"{task}.{kind}",
        section=titles.task_title(task),
        heading=heading,
        label=label,
        unit=measures[0].unit,
        corner="Backend",
        columns=columns,
        rows=rows,
        cells=cells,
        task=task,
        measure=measures[0].key,
        head=head_lines(places, columns, cells, kind == "quality"),
        notes=footnotes(rows, columns, cells),
    )


def _labels(
    places: Sequence[Condition], columns: Sequence[Column], measures: Sequence[Measure], kind: str
) -> tuple[str, list[Column]]:
    """What the figures are, in one line; a column whose figures are others says so itself."""
    texts = []
    for place, measure in zip(places, measures, strict=True):
        after = f"{measure.label} after {place.epochs} epochs"
        text = after if kind == "quality" else f"{measure.label} ({place.epochs} epochs)"
        texts.append(text if place.epochs else measure.label)
    if len(set(texts)) == 1:
        return texts[0], list(columns)
    common = max(texts, key=texts.count)
    shared = "; ".join(dict.fromkeys(measure.label for measure in measures))
    if texts.count(common) > len(texts) / 2:
        shared = common
    return shared, [
        replace(column, note="; ".join(filter(None, (column.note, text))))
        if text != shared
        else column
        for column, text in zip(columns, texts, strict=True)
    ]


def column_cells(
    laid_out: Board, place: Condition, backends: Sequence[str], measure: Measure
) -> list[Cell]:
    """A column's cells, with the best ones bold and every time's ratio to the best."""
    samples = [laid_out.samples.get((place.key, backend)) for backend in backends]
    absent = [_never_there(laid_out, place, backend) for backend in backends]
    measured = not place.published
    found = [
        cell(sample, measure, interval=measured and laid_out.choice.view != "2017", otherwise=mark)
        for sample, mark in zip(samples, absent, strict=True)
    ]
    bold = winners(samples, measure) if measured else _published_winners(found, samples, measure)
    ratios = (
        _ratios(samples, measure, one_decimal=laid_out.choice.view == "2017")
        if not measure.quality
        else {}
    )
    return [
        replace(
            one,
            bold=bold[number],
            ratio=ratios.get(number, (None, ""))[0],
            ratio_text=ratios.get(number, (None, ""))[1],
        )
        for number, one in enumerate(found)
    ]


def _never_there(laid_out: Board, place: Condition, backend: str) -> str:
    """A backend of another Keras generation can have no figure in this column."""
    generations = laid_out.generations(backend)
    if place.generation and generations and place.generation not in generations:
        return f"n/a (Keras {', '.join(sorted(generations))})"
    return MISSING


def _published_winners(
    cells: Sequence[Cell], samples: Sequence[Sample | None], measure: Measure
) -> list[bool]:
    """Published tables have no spread: the best figure as printed is bold, and its equals."""

    def could(number: int) -> bool:
        sample = samples[number]
        return (
            sample is not None
            and (sample.valid or measure.quality)
            and cells[number].value is not None
        )

    known = [number for number in range(len(cells)) if could(number)]
    if not known:
        return [False] * len(cells)
    best = (max if measure.better == HIGHER else min)(float(cells[number].text) for number in known)
    return [number in known and float(cells[number].text) == best for number in range(len(cells))]


def _ratios(
    samples: Sequence[Sample | None], measure: Measure, *, one_decimal: bool
) -> dict[int, tuple[float, str]]:
    """position -> (median / best median, as printed), the best one left out."""
    divided = to_best(samples, measure)
    if divided.best is None:
        return {}
    winner = samples[divided.best]
    assert winner is not None
    base = divided.medians[divided.best]
    found = {}
    for number, sample in enumerate(samples):
        ratio = divided.values[number]
        if sample is not None and number != divided.best and math.isfinite(ratio):
            digits = min(
                statistics.significant_digits(base, winner.resolution()),
                statistics.significant_digits(ratio * base, sample.resolution()),
            )
            found[number] = (
                ratio,
                decimals(ratio, 1) + "x" if one_decimal else ratio_text(ratio, digits),
            )
    return found
