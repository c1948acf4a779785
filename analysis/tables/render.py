"""A document in any of the formats."""

from collections.abc import Callable
from html import escape

from analysis.tables.data import as_json, comma_separated
from analysis.tables.model import Cell, Document, Table
from analysis.tables.text import column_head, column_notes, latex, markdown


def render(document: Document, form: str) -> str:
    """The document in one of FORMATS; ends with a line feed."""
    return FORMATS[form](document)


_STYLE = """:root{color-scheme:light dark}
body{font:16px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0}.scroll{overflow-x:auto}
th,td{padding:.25rem .75rem;border-bottom:1px solid #8886;text-align:right;white-space:nowrap}
th:first-child{text-align:left}caption{text-align:left;padding:.25rem 0}.absent,small{opacity:.75}
ul{font-size:.85em}"""


def html(document: Document) -> str:
    """A page of its own that asks for nothing else."""
    body = [
        f"<h1>{escape(document.title)}</h1>",
        *(f"<p>{escape(line)}</p>" for line in document.remarks),
    ]
    section = None
    for table in document.tables:
        if table.section != section:
            body.append(f"<h2>{escape(table.section)}</h2>")
            section = table.section
        body.append(html_table(table))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def html_table(table: Table) -> str:
    """One table with its heading and notes, for a page."""
    head = "".join(
        f'<th scope="col">{escape(text)}</th>'
        for text in (table.corner, *map(column_head, table.columns))
    )
    rows = "\n".join(
        f'<tr><th scope="row">{escape(row.label)}</th>{"".join(map(_html_cell, cells))}</tr>'
        for row, cells in zip(table.rows, table.cells, strict=True)
    )
    lines = "".join(f"<br>{escape(line)}" for line in table.head)
    below = [*column_notes(table), *table.notes, *table.legend()]
    notes = (
        "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in below) + "</ul>\n" if below else ""
    )
    return (
        f'<h3>{escape(table.heading)}</h3>\n<div class="scroll"><table id="{escape(table.key)}">\n'
        f"<caption>{escape(table.label)}{lines}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table></div>\n{notes}"
    )


def _html_cell(cell: Cell) -> str:
    if cell.absent:
        return f'<td class="absent">{escape(cell.absent)}</td>'
    value = f"<strong>{escape(cell.text)}</strong>" if cell.bold else escape(cell.text)
    extra = " ".join(
        part
        for part in (cell.interval_text, f"({cell.ratio_text})" if cell.ratio_text else "")
        if part
    )
    return (
        f"<td>{value}{escape(cell.marks)}{f' <small>{escape(extra)}</small>' if extra else ''}</td>"
    )


FORMATS: dict[str, Callable[[Document], str]] = {
    "md": markdown,
    "latex": latex,
    "csv": comma_separated,
    "json": as_json,
    "html": html,
}
