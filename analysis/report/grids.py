"""The comparison tables of `analysis.tables.build` as tables of the page: same figures, same marks, nothing computed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.compare.marks import LEGEND, MISSING
from analysis.published import page_2017
from analysis.report.page import Cell, Column, Grid, GridGroup
from analysis.tables.model import Cell as Figure
from analysis.tables.model import Table

if TYPE_CHECKING:
    import pandas as pd

_MORE_MARKS = (
    ("bold", "the best of the column, and all that cannot be told from it"),
    ("(2.1x)", "times the best of the same column"),
    ("[a, b]", "interval of the median; its coverage stands with the table"),
    (
        "failed, >60 s, n/a (…)",
        "no figure: the run failed, ran into its time limit, or could not be",
    ),
)


def marks() -> list[tuple[str, str]]:
    """What every mark of the tables means."""
    return [*_MORE_MARKS, *LEGEND.items()]


def standard(frame: "pd.DataFrame") -> list[GridGroup]:
    """Quality and speed of every task, and the summary over tasks, for measured runs."""
    from analysis.store.select import Choice
    from analysis.tables.build import build

    return groups(build(frame, Choice()).tables, "table")


def wide(frame: "pd.DataFrame") -> list[GridGroup]:
    """Every figure of the measured runs beside the others."""
    from analysis.store.select import Choice
    from analysis.tables.build import build

    return groups(build(frame, Choice(view="wide")).tables, "wide")


def page_of_2017(published: "pd.DataFrame") -> list[GridGroup]:
    """The twelve tables of June 2017, recomputed from the published results."""

    return groups(page_2017.document(published).tables, "then")


def groups(tables: Sequence[Table], prefix: str) -> list[GridGroup]:
    """Tables under their sections; `prefix` begins every id and must be unique in the page."""
    found: dict[str, list[Grid]] = {}
    for place, table in enumerate(tables):
        found.setdefault(table.section, []).append(grid(table, f"{prefix}-{place}"))
    return [GridGroup(section, grids) for section, grids in found.items()]


def grid(table: Table, name: str) -> Grid:
    """One table of the page."""
    columns = [
        Column(table.corner),
        *(
            Column(
                column.label,
                "; ".join(filter(None, (column.unit or table.unit, column.note))),
                numeric=True,
            )
            for column in table.columns
        ),
    ]
    rows = [
        [Cell(row.label), *map(_cell, cells)]
        for row, cells in zip(table.rows, table.cells, strict=True)
    ]
    caption = f"{table.heading}: {table.label}" if table.heading else table.label
    return Grid(
        name, caption, columns, rows, [*table.notes, *table.legend()], len(rows) > 12, table.head
    )


def _cell(figure: Figure) -> Cell:
    note = "; ".join(figure.notes)
    if figure.absent:
        meaning = "not measured" if figure.absent == MISSING else ""
        return Cell(figure.absent, "", classes="number", note=note or meaning)
    extra = " ".join(
        filter(None, (figure.interval_text, f"({figure.ratio_text})" if figure.ratio_text else ""))
    )
    runs = f"{figure.runs} run{'s' if figure.runs != 1 else ''}"
    return Cell(
        figure.text + figure.marks,
        "" if figure.value is None else repr(float(figure.value)),
        extra,
        "number best" if figure.bold else "number",
        note="; ".join(filter(None, (runs, note))),
    )
