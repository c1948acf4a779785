"""A table as data: cells with full-precision values, and what a reader sees of them. `analysis.tables.text` prints it.

Standard library only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from analysis.compare.marks import LEGEND


@dataclass(frozen=True)
class Cell:
    """One figure, or why there is none.

    value, low, high: in the table's unit at full precision; coverage: of low..high for the median.
    ratio: value / best of the column, None for the best and where nothing may be divided.
    text, ratio_text: as they are printed. absent: the mark that stands instead of a figure ("failed", "–").
    marks: signs behind the figure (LEGEND). notes: what the marks mean here, one phrase each.
    """

    value: float | None = None
    text: str = ""
    low: float | None = None
    high: float | None = None
    coverage: float | None = None
    interval_text: str = ""
    ratio: float | None = None
    ratio_text: str = ""
    runs: int = 0
    bold: bool = False
    absent: str = ""
    marks: str = ""
    notes: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = ()

    @property
    def plain(self) -> str:
        """The whole cell as text, without bold: "1.12 [1.10, 1.15] (2.1x)?"."""
        if self.absent:
            return self.absent
        parts = [
            self.text + self.marks,
            self.interval_text,
            f"({self.ratio_text})" if self.ratio_text else "",
        ]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Column:
    """A column's head. key: stable; unit: of its figures where they differ from the table's."""

    key: str
    label: str
    unit: str = ""
    note: str = ""
    device: str = ""
    protocol_id: str = ""


@dataclass(frozen=True)
class Row:
    """A row's head; `group` is what it is compared within, where a table holds several (its task)."""

    key: str
    label: str
    group: str = ""


@dataclass(frozen=True)
class Table:
    """A finished table.

    key: stable name, such as "mnist_mlp.speed". section, heading: as 2017's page; label: what the figures are.
    head: lines that must be read with it (synthetic data, one run per cell). notes: lines below it.
    """

    key: str
    section: str
    heading: str
    label: str
    unit: str
    corner: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    cells: Sequence[Sequence[Cell]]
    task: str = ""
    measure: str = ""
    head: Sequence[str] = ()
    notes: Sequence[str] = ()

    def cell(self, row: str, column: str) -> Cell:
        """The cell of a row's and a column's key; KeyError where there is no such row or column."""
        places = (
            {one.key: place for place, one in enumerate(self.rows)},
            {one.key: place for place, one in enumerate(self.columns)},
        )
        return self.cells[places[0][row]][places[1][column]]

    def legend(self) -> list[str]:
        """The meaning of the marks that the table uses."""
        used = "".join(cell.marks + cell.absent for row in self.cells for cell in row)
        return [f"{mark} {meaning}" for mark, meaning in LEGEND.items() if mark in used]


@dataclass(frozen=True)
class Document:
    """Tables with what is said before and after them."""

    title: str
    tables: Sequence[Table]
    remarks: Sequence[str] = field(default_factory=tuple)


def footnotes(
    rows: Sequence[Row], columns: Sequence[Column], cells: Sequence[Sequence[Cell]]
) -> list[str]:
    """What cells carry as notes, one line each, with where it belongs; equal ones told once."""
    places: dict[str, list[str]] = {}
    for row, line in zip(rows, cells, strict=True):
        for column, cell in zip(columns, line, strict=True):
            for note in cell.notes:
                where = row.label if len(columns) == 1 else f"{row.label}, {column.label}"
                places.setdefault(note, []).append(where)
    total = sum(1 for line in cells for cell in line if not cell.absent)
    return [
        f"{'all cells' if len(where) == total > 3 else '; '.join(where)}: {note}"
        for note, where in places.items()
    ]
