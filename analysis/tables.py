"""The comparison tables: 2017's shape, the standard ones, the wide ones, and the summary over tasks.

Rows are backends, columns are places (`analysis.layout`); a figure is divided only by the best of its own column.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analysis import layout, published, statistics, titles
from analysis.cells import Runs, Sample, best_of, cell, winners
from analysis.layout import Place
from analysis.measures import HIGHER, MEAN_EPOCH, STEADY, Measure, quality
from analysis.table import MISSING, Cell, Column, Document, Row, Table, decimals, footnotes, ratio_text
from experiments.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

VIEWS = ("standard", "2017", "wide")
SOURCES = ("measured", "published", "all")


@dataclass(frozen=True)
class Choice:
    """Which runs, and how they are laid out."""

    view: str = "standard"
    source: str = "measured"
    profile: str | None = None
    sweep: str | None = None
    pool_hosts: bool = False


@dataclass(frozen=True)
class Board:
    """Runs laid out: every (place, backend) has its sample."""

    runs: Runs
    places: dict[str, Place]
    samples: dict[tuple[str, str], Sample]
    choice: Choice

    def of_task(self, task: str) -> list[Place]:
        """The places of a task, in the order of columns."""
        return [place for place in self.places.values() if place.key.split("|")[0] == task]

    def tasks(self) -> list[str]:
        """Tasks with at least one run."""
        return titles.ordered({key.split("|")[0] for key in self.places}, titles.TASKS)

    def backends(self, some: Sequence[Place] | None = None) -> list[str]:
        """Backends with at least one run (in one of these places)."""
        keys = None if some is None else {place.key for place in some}
        return titles.ordered({backend for place, backend in self.samples if keys is None or place in keys},
                              titles.BACKENDS)

    def generations(self, backend: str) -> set[str]:
        """Keras generations that a backend's runs belong to."""
        return {self.places[place].generation for place, name in self.samples if name == backend}


def select(frame: "pd.DataFrame", choice: Choice) -> "pd.DataFrame":
    """The chosen runs; UserError that names the choices where none is left."""
    chosen = frame[frame["task"].notna() & frame["backend"].notna()]
    if choice.source != "all":
        is_published = chosen["source"] == "published"
        chosen = chosen[is_published if choice.source == "published" else ~is_published]
        if chosen.empty and choice.source == "published":
            published.require_published(0, "the store")
        if chosen.empty:
            raise UserError("no measured run in the store yet; --source published shows the results of 2017")
    for column, value in (("profile", choice.profile), ("sweep_id", choice.sweep)):
        if value is None:
            continue
        kept = chosen[chosen[column] == value]
        if kept.empty:
            known = ", ".join(sorted(chosen[column].dropna().unique())) or "none"
            raise UserError(f"no run has {column}={value}; there are: {known}")
        chosen = kept
    return chosen


def board(frame: "pd.DataFrame", choice: Choice) -> Board:
    """Lay the chosen runs out."""
    chosen = layout.placed(select(frame, choice), pool_hosts=choice.pool_hosts)
    runs = Runs(chosen)
    return Board(runs, layout.places(chosen), runs.samples(), choice)


def build(frame: "pd.DataFrame", choice: Choice | None = None) -> Document:
    """All tables of a view. Raises UserError where the choice leaves no run."""
    choice = choice or Choice()
    if choice.view == "2017" and choice.source == "published":
        return Document("Keras backend benchmark, 2017", _page_tables(frame, choice))
    laid_out = board(frame, choice)
    if choice.view == "wide":
        from analysis.wide import wide_tables

        return Document("Keras backend benchmark: wide tables", wide_tables(laid_out))
    tables = [table for task in laid_out.tasks() for table in task_tables(laid_out, task)]
    if choice.view == "standard":
        from analysis.wide import summary_tables

        tables += summary_tables(laid_out)
    return Document("Keras backend benchmark", tables)


def _page_tables(frame: "pd.DataFrame", choice: Choice) -> list[Table]:
    """The twelve tables of the page of June 2017: its columns, its order, its names."""
    page = published.page()
    columns = {(column["source"], column["hardware"]): column["label"] for column in page["columns"]}
    wanted = [(str(source), str(device)) in columns for source, device in
              zip(frame["published_source"], frame["device_name"], strict=True)]
    chosen = frame[np.asarray(wanted) & frame["task"].isin([table["task"] for table in page["tables"]])]
    published.require_published(len(chosen), "the store")
    laid_out = board(chosen, choice)
    order = list(columns)
    tables = []
    for task in dict.fromkeys(table["task"] for table in page["tables"]):
        some = sorted(laid_out.of_task(task), key=lambda place: order.index((place.source, place.device)))
        heads = [replace(column, label=columns[place.source, place.device])
                 for place, column in zip(some, layout.labelled(some), strict=True)]
        tables += task_tables(laid_out, task, some, heads)
    return tables


def task_tables(
    laid_out: Board, task: str, some: Sequence[Place] | None = None, heads: Sequence[Column] | None = None
) -> list[Table]:
    """A task's quality table and its speed table."""
    places = list(some) if some is not None else laid_out.of_task(task)
    columns = list(heads) if heads is not None else layout.labelled(places)
    qualities = [_quality_measure(laid_out, place) for place in places]
    plain_speed = laid_out.choice.view == "2017"
    speeds = [MEAN_EPOCH if plain_speed or place.published else STEADY for place in places]
    return [_table(laid_out, task, places, columns, qualities, "quality"),
            _table(laid_out, task, places, columns, speeds, "speed")]


def _quality_measure(laid_out: Board, place: Place) -> Measure:
    metrics = [sample.text("quality_metric") for (key, _), sample in laid_out.samples.items() if key == place.key]
    return quality(next(filter(None, metrics), "val_accuracy"))


def _table(
    laid_out: Board, task: str, places: Sequence[Place], columns: Sequence[Column],
    measures: Sequence[Measure], kind: str,
) -> Table:
    backends = laid_out.backends()
    rows = [Row(backend, titles.backend_title(backend)) for backend in backends]
    by_column = [column_cells(laid_out, place, backends, measure)
                 for place, measure in zip(places, measures, strict=True)]
    cells = [list(line) for line in zip(*by_column, strict=True)]
    label, columns = _labels(places, columns, measures, kind)
    loss = kind == "quality" and all(measure.column.endswith("loss") for measure in measures)
    heading = "Speed" if kind == "speed" else "Loss" if loss else "Accuracy"
    return Table(
        key=f"{task}.{kind}", section=titles.task_title(task), heading=heading, label=label,
        unit=measures[0].unit, corner="Backend", columns=columns, rows=rows, cells=cells, task=task,
        measure=measures[0].key, head=head_lines(places, columns, cells, kind == "quality"),
        notes=footnotes(rows, columns, cells),
    )


def _labels(
    places: Sequence[Place], columns: Sequence[Column], measures: Sequence[Measure], kind: str
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
    return shared, [replace(column, note="; ".join(filter(None, (column.note, text)))) if text != shared else column
                    for column, text in zip(columns, texts, strict=True)]


def column_cells(
    laid_out: Board, place: Place, backends: Sequence[str], measure: Measure
) -> list[Cell]:
    """A column's cells, with the best ones bold and every time's ratio to the best."""
    samples = [laid_out.samples.get((place.key, backend)) for backend in backends]
    absent = [_never_there(laid_out, place, backend) for backend in backends]
    measured = not place.published
    found = [cell(sample, measure, interval=measured and laid_out.choice.view != "2017", otherwise=mark)
             for sample, mark in zip(samples, absent, strict=True)]
    bold = winners(samples, measure) if measured else _published_winners(found, samples, measure)
    ratios = _ratios(samples, measure, one_decimal=laid_out.choice.view == "2017") if not measure.quality else {}
    return [replace(one, bold=bold[number], ratio=ratios.get(number, (None, ""))[0],
                    ratio_text=ratios.get(number, (None, ""))[1])
            for number, one in enumerate(found)]


def _never_there(laid_out: Board, place: Place, backend: str) -> str:
    """A backend of another Keras generation can have no figure in this column."""
    generations = laid_out.generations(backend)
    if place.generation and generations and place.generation not in generations:
        return f"n/a (Keras {', '.join(sorted(generations))})"
    return MISSING


def _published_winners(cells: Sequence[Cell], samples: Sequence[Sample | None], measure: Measure) -> list[bool]:
    """Published tables make the best figure bold, as printed, and its equals; they know no spread."""
    def could(number: int) -> bool:
        sample = samples[number]
        return sample is not None and (sample.valid or measure.quality) and cells[number].value is not None

    known = [number for number in range(len(cells)) if could(number)]
    if not known:
        return [False] * len(cells)
    best = (max if measure.better == HIGHER else min)(float(cells[number].text) for number in known)
    return [number in known and float(cells[number].text) == best for number in range(len(cells))]


def _ratios(
    samples: Sequence[Sample | None], measure: Measure, *, one_decimal: bool
) -> dict[int, tuple[float, str]]:
    """position -> (median / best median, as printed), the best one left out."""
    best = best_of(samples, measure)
    if best is None:
        return {}
    winner = samples[best]
    assert winner is not None
    base = statistics.median(winner.values(measure))
    found = {}
    for number, sample in enumerate(samples):
        values = sample.values(measure) if sample is not None else np.empty(0)
        if sample is None or number == best or not len(values) or not base:
            continue
        ratio = statistics.median(values) / base
        if math.isfinite(ratio):
            digits = min(statistics.significant_digits(base, winner.resolution()),
                         statistics.significant_digits(ratio * base, sample.resolution()))
            found[number] = (ratio, decimals(ratio, 1) + "x" if one_decimal else ratio_text(ratio, digits))
    return found


def head_lines(
    places: Sequence[Place], columns: Sequence[Column], cells: Sequence[Sequence[Cell]], is_quality: bool = False
) -> list[str]:
    """What must be read with the table: synthetic data, how many runs, what the brackets cover."""
    lines = []
    synthetic = [column.label for place, column in zip(places, columns, strict=True) if place.data == "synthetic"]
    if synthetic:
        where = "all columns" if len(synthetic) == len(columns) else "; ".join(dict.fromkeys(synthetic))
        lines.append(f"SYNTHETIC data ({where}): times hold for these shapes, accuracies and losses mean nothing.")
    measured = {place.key for place in places if not place.published}
    counts = [one.runs for line in cells for one, column in zip(line, columns, strict=True)
              if one.runs and column.key in measured]
    if counts:
        lines.append(_runs_line(min(counts), max(counts), is_quality))
        intervals = {(one.runs, one.coverage) for line in cells for one in line if one.coverage}
        if intervals:
            lines.append(_coverage_line(intervals))
    elif any(one.runs for line in cells for one in line):
        lines.append("Published results: one run per cell, no spread is known; bold is the best figure as printed.")
    return lines


def _runs_line(fewest: int, most: int, is_quality: bool) -> str:
    count = titles.counted(fewest, "run") if fewest == most else f"{fewest} to {most} runs"
    alone = "nothing is bold" if is_quality else "bold is the best figure and what is within 3 % of it"
    if most < statistics.MIN_FOR_INTERVAL:
        trust = f"too few to show a difference: {alone}"
    elif fewest < statistics.MIN_FOR_INTERVAL:
        trust = f"bold cannot be told from the best; one or two runs show no difference, {alone} there"
    else:
        trust = "bold cannot be told from the best" + ("; provisional below five runs" if fewest < 5 else "")
    return f"Median of {count} per cell ({trust})."


def _coverage_line(intervals: set[tuple[int, float]]) -> str:
    ranges = sorted((runs, coverage) for runs, coverage in intervals
                    if runs < statistics.MIN_FOR_BOOTSTRAP)
    parts = [f"the range, which covers the median with {100 * coverage:.4g} % (n = {runs})"
             for runs, coverage in ranges]
    if any(runs >= statistics.MIN_FOR_BOOTSTRAP for runs, _ in intervals):
        parts.append("the 95 % percentile bootstrap interval of the median (n ≥ 6)")
    return f"In brackets: {'; '.join(parts)}."
