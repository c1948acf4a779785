"""Answers as aligned text: 100 columns and 40 lines for six backends and six tasks; colours on a
terminal only.
"""

import textwrap
from collections.abc import Iterable, Sequence

from analysis.compare.marks import FLAGGED, MISSING
from analysis.tables.answer import MEAN, Answer
from analysis.tables.model import Cell, Row, Table

WIDTH = 100
_GAP = 2
_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def text(answers: Sequence[Answer], *, width: int = WIDTH, colour: bool = False) -> str:
    """All answers, one after another; ends with a line feed. Grids wrap if they are wider than
    `width`.
    """
    blocks = ["\n".join(_lines(answer, width, colour)) for answer in answers]
    return "\n\n".join(blocks) + "\n"


def _lines(answer: Answer, width: int, colour: bool) -> Iterable[str]:
    yield from _wrapped(answer.place, width, _BOLD, colour)
    yield from _wrapped(_heading(answer.speed), width, _DIM, colour)
    yield from _grid(answer.speed, width, colour)
    yield ""
    yield from _wrapped(_heading(answer.quality), width, _DIM, colour)
    yield from _grid(answer.quality, width, colour)
    yield ""
    for line in answer.caveats:
        yield from textwrap.wrap(line, width, initial_indent="- ", subsequent_indent="  ")


def _wrapped(line: str, width: int, code: str, colour: bool) -> Iterable[str]:
    return (_style(part, code, colour) for part in textwrap.wrap(line, width))


def _heading(table: Table) -> str:
    signs = " (*, tied: =)" if table.heading == "Speed" else ""
    return f"{table.heading}: {table.label[0].lower()}{table.label[1:]}{signs}"


def _grid(table: Table, width: int, colour: bool) -> Iterable[str]:
    """The grid in as many blocks of columns as its width needs; each repeats the row labels."""
    heads = [_head(column.label) for column in table.columns]
    texts = [
        [_text(cell, row) for cell in cells]
        for row, cells in zip(table.rows, table.cells, strict=True)
    ]
    room = max(width // 3, 12)
    labels = [_fit(row.label, room) for row in table.rows]
    first = max(map(len, labels), default=0)
    widths = [
        max(*(len(part) for part in heads[i]), *(len(line[i]) for line in texts)) + _GAP
        for i in range(len(heads))
    ]
    for n, block in enumerate(_blocks(widths, width - first)):
        if n:
            yield ""
        for part in range(2):
            yield (" " * first + "".join(heads[i][part].rjust(widths[i]) for i in block)).rstrip()
        for label, line, cells in zip(labels, texts, table.cells, strict=True):
            if len(block) < len(heads) and all(cells[i].absent == MISSING for i in block):
                # a wrapped grid repeats its rows: those with nothing in this block say nothing
                continue
            shown = [
                _style(line[i].rjust(widths[i]), _BOLD, colour and cells[i].bold) for i in block
            ]
            yield (label.ljust(first) + "".join(shown)).rstrip()


def _blocks(widths: Sequence[int], room: int) -> Iterable[list[int]]:
    """Indices of columns that fit side by side into `room`; at least one a block."""
    block: list[int] = []
    used = 0
    for i, width in enumerate(widths):
        if block and used + width > room:
            yield block
            block, used = [], 0
        block.append(i)
        used += width
    if block:
        yield block


def _head(label: str) -> tuple[str, str]:
    """A backend's title above its generation: "TensorFlow 2" / "Keras 3"."""
    title, bracket, rest = label.partition(" (")
    return title, rest.rstrip(")") if bracket else ""


def _text(cell: Cell, row: Row) -> str:
    """One cell: "0.169 *" the fastest, "0.334 1.9x", "0.171 1.01x=" tied with it."""
    if cell.absent:
        return cell.absent
    marks = cell.marks.replace(FLAGGED, "")  # flags are counted below the grid
    if row.key == MEAN:
        return cell.text + ("*" if cell.bold else "")
    if cell.ratio_text:
        return f"{cell.text}{marks} {cell.ratio_text}" + ("=" if cell.bold else "")
    return f"{cell.text}{marks}" + ("*" if cell.bold else "")


def _fit(label: str, room: int) -> str:
    return label if len(label) <= room else label[: room - 1] + "…"


def _style(shown: str, code: str, on: bool) -> str:
    return f"{code}{shown}{_PLAIN}" if on else shown
