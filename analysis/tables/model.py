"""A table as data: cells with full-precision values, and what a reader sees of them.

`text` prints tables as Markdown and LaTeX, `data` as CSV and JSON, `html` as a page. Standard
library only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.compare.marks import LEGEND, MISSING

_SEARCHABLE = 12  # rows from which on a page offers to filter them


def _page_only(default: Any) -> Any:
    """A field that the HTML page alone reads; JSON leaves it out."""
    return field(default=default, metadata={"page_only": True})


@dataclass(frozen=True)
class Cell:
    """One figure, or why there is none, or a text.

    value, low, high: in the table's unit at full precision; coverage: of low..high for the median.
    ratio: value / best of the column, None for the best and if nothing may be divided.
    text, ratio_text: as they are printed. absent: the mark instead of a figure ("failed", "–").
    marks: signs behind the figure (LEGEND). notes: what the marks mean here, one phrase each.
    sort: what the cell sorts by instead of its value or text. href: the page behind it. classes:
    CSS classes. hint: shown when a mouse is over the cell, instead of the notes.
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
    sort: str | None = _page_only(None)
    href: str | None = _page_only(None)
    classes: str = _page_only("")
    hint: str = _page_only("")

    @property
    def extra(self) -> str:
        """Interval and ratio: "[1.10, 1.15] (2.1x)"."""
        ratio = f"({self.ratio_text})" if self.ratio_text else ""
        return " ".join(part for part in (self.interval_text, ratio) if part)

    @property
    def plain(self) -> str:
        """The whole cell as text, without bold: "1.12? [1.10, 1.15] (2.1x)"."""
        if self.absent:
            return self.absent
        return " ".join(part for part in (self.text + self.marks, self.extra) if part)

    @property
    def sort_key(self) -> str | None:
        """What a page sorts the cell by: its text for None, after all others for ""."""
        if self.sort is not None:
            return self.sort
        if self.value is not None:
            return repr(float(self.value))
        return "" if self.absent else None

    @property
    def tooltip(self) -> str:
        """The hint; else how many runs are behind the figure, and its notes."""
        if self.hint:
            return self.hint
        if self.absent == MISSING and not self.notes:
            return "not measured"
        runs = f"{self.runs} run{'' if self.runs == 1 else 's'}" if self.runs else ""
        return "; ".join(part for part in (runs, *self.notes) if part)


@dataclass(frozen=True)
class Column:
    """A column's head.

    key: stable. unit: of its figures if it differs from the table's. numeric: figures, which sort
    by value, or texts. choices: whether a page has a menu to filter rows by this column.
    """

    key: str
    label: str
    unit: str = ""
    note: str = ""
    device: str = ""
    protocol_id: str = ""
    numeric: bool = _page_only(True)
    choices: bool = _page_only(False)


@dataclass(frozen=True)
class Row:
    """A row's head; `group` is what it is compared within, if a table has several (its task).

    href, hint: as those of a cell.
    """

    key: str
    label: str
    group: str = ""
    href: str | None = _page_only(None)
    hint: str = _page_only("")


@dataclass(frozen=True)
class Table:
    """A finished table.

    key: stable name, such as "mnist_mlp.speed". section, heading: as on the page of 2017; label:
    what the figures are. corner: the head of the rows' heads. head: lines that must be read with it
    (synthetic data, one run per cell). notes: lines below it. corner_choices: whether a page has a
    menu to filter rows by their heads.
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
    corner_choices: bool = _page_only(False)

    def cell(self, row: str, column: str) -> Cell:
        """The cell of a row's and a column's key; KeyError if there is no such row or column."""
        rows = {one.key: i for i, one in enumerate(self.rows)}
        columns = {one.key: i for i, one in enumerate(self.columns)}
        return self.cells[rows[row]][columns[column]]

    def legend(self) -> list[str]:
        """The meaning of the marks that the table uses."""
        used = "".join(cell.marks + cell.absent for row in self.cells for cell in row)
        return [f"{mark} {meaning}" for mark, meaning in LEGEND.items() if mark in used]

    @property
    def id(self) -> str:
        """The table's id in a page: one word, since HTML allows no space in it."""
        return "table-" + "-".join(self.key.split())

    @property
    def caption(self) -> str:
        """Heading and label in a line."""
        return f"{self.heading}: {self.label}" if self.heading else self.label

    @property
    def searchable(self) -> bool:
        """Whether a page offers to filter the rows."""
        menus = self.corner_choices or any(column.choices for column in self.columns)
        return menus or len(self.rows) > _SEARCHABLE

    def below_head(self, column: Column) -> str:
        """What a page shows below a column's label: the unit and the note."""
        return "; ".join(part for part in (column.unit or self.unit, column.note) if part)


@dataclass(frozen=True)
class Section:
    """Tables under one title."""

    title: str
    tables: Sequence[Table]


@dataclass(frozen=True)
class Document:
    """Tables with what is said before them."""

    title: str
    tables: Sequence[Table]
    remarks: Sequence[str] = field(default_factory=tuple)

    def sections(self) -> list[Section]:
        """The tables by section, in the order in which sections first appear."""
        found: dict[str, list[Table]] = {}
        for table in self.tables:
            found.setdefault(table.section, []).append(table)
        return [Section(title, tables) for title, tables in found.items()]


def footnotes(
    rows: Sequence[Row], columns: Sequence[Column], cells: Sequence[Sequence[Cell]]
) -> list[str]:
    """The notes of the cells, one line each, with where they belong; equal ones once."""
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
