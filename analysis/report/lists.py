"""Tables of the report that are lists: of runs, flags, or the figures behind a plot."""

import math
from collections.abc import Sequence

from analysis.numbers import significant
from analysis.tables.model import Cell, Column, Row, Table


def words(label: str, unit: str = "") -> Column:
    """The head of a column of texts."""
    return Column(label, label, unit, numeric=False)


def menu(label: str) -> Column:
    """The head of a column of texts with a menu to filter rows by them."""
    return Column(label, label, numeric=False, choices=True)


def figures(label: str, unit: str = "", note: str = "") -> Column:
    """The head of a column of numbers."""
    return Column(label, label, unit, note)


def text(shown: str, classes: str = "", href: str | None = None, hint: str = "") -> Cell:
    """A cell with a text; in the first column, the row's head."""
    return Cell(text=shown, classes=classes, href=href, hint=hint)


def number(value: float | None, digits: int = 3, hint: str = "") -> Cell:
    """A cell with a number: shown rounded, sorted by all its digits."""
    shown = significant(value, digits, thousands=True)
    if value is None or not math.isfinite(value):
        return Cell(text=shown, sort="", hint=hint)
    return Cell(float(value), shown, hint=hint)


def count(value: float) -> Cell:
    """A cell with a count."""
    return Cell(float(value), f"{round(value):,}")


def listing(
    key: str,
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    notes: Sequence[str] = (),
) -> Table:
    """A table from lines of cells; the first cell of a line is the head of its row."""
    first, *others = columns
    return Table(
        key=key,
        section="",
        heading="",
        label=caption,
        unit="",
        corner=first.label,
        columns=others,
        rows=[
            Row(str(i), line[0].text, href=line[0].href, hint=line[0].hint)
            for i, line in enumerate(rows)
        ],
        cells=[line[1:] for line in rows],
        notes=notes,
        corner_choices=first.choices,
    )
