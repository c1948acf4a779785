"""Tables as Markdown, LaTeX, CSV, JSON and HTML. Formatting happens here and nowhere before.

Markdown, LaTeX and HTML show what a reader needs; CSV and JSON carry every figure at full precision, with units.
"""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from analysis.table import Cell, Column, Document, Table

CSV_COLUMNS = (
    "table", "section", "task", "measure", "label", "row", "row_label", "column", "column_label", "device",
    "protocol_id", "unit", "value", "low", "high", "coverage", "ratio_to_best", "runs", "best", "absent", "marks",
    "notes", "run_ids",
)


def render(document: Document, form: str) -> str:
    """The document in one of FORMATS; ends with a line feed."""
    return FORMATS[form](document)


# Markdown ------------------------------------------------------------------------------------------------------

def markdown(document: Document) -> str:
    """GitHub-flavoured Markdown."""
    parts = [f"# {document.title}", *document.remarks]
    section = None
    for table in document.tables:
        if table.section != section:
            parts.append(f"## {table.section}")
            section = table.section
        parts.append(markdown_table(table))
    return "\n\n".join(parts) + "\n"


def markdown_table(table: Table) -> str:
    """One table with its heading, head lines, grid and notes."""
    head = [table.corner, *(_head(column) for column in table.columns)]
    lines = [head, *([row.label, *(_markdown_cell(cell) for cell in cells)]
                     for row, cells in zip(table.rows, table.cells, strict=True))]
    texts = [[_markdown_text(text) for text in line] for line in lines]
    widths = [max(len(line[place]) for line in texts) for place in range(len(head))]
    grid = ["| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |"
            for line in texts]
    rule = "|" + "|".join("-" * (width + 2) if not place else "-" * (width + 1) + ":"
                          for place, width in enumerate(widths)) + "|"
    grid.insert(1, rule)
    parts = [f"### {table.heading}", table.label + ("." if table.head else ""), *table.head, "\n".join(grid)]
    below = [*_column_notes(table), *table.notes, *table.legend()]
    if below:
        parts.append("\n".join(f"- {_markdown_text(line)}" for line in below))
    return "\n\n".join(parts)


def _head(column: Column) -> str:
    return f"{column.label} ({column.unit})" if column.unit else column.label


def _markdown_cell(cell: Cell) -> str:
    if cell.absent:
        return cell.absent
    value = f"**{cell.text}**" if cell.bold else cell.text
    ratio = f"({cell.ratio_text})" if cell.ratio_text else ""
    return " ".join(part for part in (value + cell.marks, cell.interval_text, ratio) if part)


def _markdown_text(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _column_notes(table: Table) -> list[str]:
    return [f"{column.label}: {column.note}" for column in table.columns if column.note]


# LaTeX ---------------------------------------------------------------------------------------------------------

_LINE = 72  # characters of a figure table that a page of 345 pt holds
_LATEX = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
          "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "†": r"\textdagger{}",
          "‡": r"\textdaggerdbl{}", "·": r"\textperiodcentered{}", "≥": r"$\geq$", "×": r"$\times$",
          "<": r"\textless{}", ">": r"\textgreater{}", "…": r"\ldots{}", "µ": r"\textmu{}"}


def latex(document: Document) -> str:
    r"""A file for \input: one table environment each; needs booktabs, textcomp, graphicx."""
    head = ["% Input this file where the tables belong; the preamble needs: \\usepackage{booktabs,textcomp,graphicx}",
            *(f"% {line}" for line in document.remarks)]
    return "\n".join(head) + "\n\n" + "\n".join(latex_table(table) for table in document.tables)


def latex_table(table: Table) -> str:
    """One table environment with its caption; notes stand below the rules in small print."""
    caption = f"{table.section}: {table.heading.lower()}. {table.label}." if table.heading else table.label
    wide = _printed_width(table) > _LINE
    lines = [r"\begin{table}[htbp]", r"  \centering", f"  \\caption{{{latex_text(' '.join((caption, *table.head)))}}}",
             f"  \\label{{tab:{re.sub(r'[^A-Za-z0-9.-]+', '-', table.key)}}}",
             *([r"  \resizebox{\ifdim\width>\linewidth \linewidth\else\width\fi}{!}{"] if wide else []),
             f"  \\begin{{tabular}}{{l{'r' * len(table.columns)}}}", r"    \toprule"]
    lines.append("    " + " & ".join(map(latex_text, (table.corner, *map(_head, table.columns)))) + r" \\")
    lines.append(r"    \midrule")
    for row, cells in zip(table.rows, table.cells, strict=True):
        lines.append("    " + " & ".join([latex_text(row.label), *map(_latex_cell, cells)]) + r" \\")
    lines += [r"    \bottomrule", r"  \end{tabular}", *(["  }"] if wide else [])]
    below = [*_column_notes(table), *table.notes, *table.legend()]
    if below:
        lines.append(r"  \par\smallskip{\footnotesize " + latex_text("; ".join(below)) + ".}")
    return "\n".join([*lines, r"\end{table}", ""])


def _printed_width(table: Table) -> int:
    """Characters of the widest line."""
    lines = [[table.corner, *map(_head, table.columns)], *(
        [row.label, *(cell.plain for cell in cells)] for row, cells in zip(table.rows, table.cells, strict=True))]
    return sum(max(len(line[place]) for line in lines) + 2 for place in range(len(lines[0])))


def _latex_cell(cell: Cell) -> str:
    if cell.absent:
        return latex_text(cell.absent)
    value = f"\\textbf{{{latex_text(cell.text)}}}" if cell.bold else latex_text(cell.text)
    ratio = f"({latex_text(cell.ratio_text)})" if cell.ratio_text else ""
    # A bracket after \\ would be read as its argument; here it never follows one, but braces cost nothing.
    interval = f"{{{cell.interval_text}}}" if cell.interval_text else ""
    return " ".join(part for part in (value + latex_text(cell.marks), interval, ratio) if part)


def latex_text(text: str) -> str:
    """Text with LaTeX's own characters escaped."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


# CSV and JSON --------------------------------------------------------------------------------------------------

def comma_separated(document: Document) -> str:
    """One line per cell (CSV_COLUMNS), figures at full precision in the unit that the line names."""
    file = io.StringIO()
    writer = csv.DictWriter(file, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for table in document.tables:
        for row, cells in zip(table.rows, table.cells, strict=True):
            for column, cell in zip(table.columns, cells, strict=True):
                writer.writerow({
                    "table": table.key, "section": table.section, "task": table.task,
                    "measure": table.measure if table.task else column.key, "label": table.label,
                    "row": row.key, "row_label": row.label, "column": column.key, "column_label": column.label,
                    "device": column.device, "protocol_id": column.protocol_id, "unit": column.unit or table.unit,
                    "value": _full(cell.value), "low": _full(cell.low), "high": _full(cell.high),
                    "coverage": _full(cell.coverage), "ratio_to_best": _full(cell.ratio), "runs": cell.runs,
                    "best": int(cell.bold), "absent": cell.absent, "marks": cell.marks,
                    "notes": "; ".join(cell.notes), "run_ids": " ".join(cell.run_ids),
                })
    return file.getvalue()


def _full(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def as_json(document: Document) -> str:
    """Everything the tables hold; strict JSON (what is no number is null)."""
    return json.dumps(_strict(asdict(document)), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strict(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


# HTML ----------------------------------------------------------------------------------------------------------

_STYLE = """:root{color-scheme:light dark}
body{font:16px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0}.scroll{overflow-x:auto}
th,td{padding:.25rem .75rem;border-bottom:1px solid #8886;text-align:right;white-space:nowrap}
th:first-child{text-align:left}caption{text-align:left;padding:.25rem 0}.absent,small{opacity:.75}
ul{font-size:.85em}"""


def html(document: Document) -> str:
    """A page of its own that asks for nothing else."""
    body = [f"<h1>{escape(document.title)}</h1>", *(f"<p>{escape(line)}</p>" for line in document.remarks)]
    section = None
    for table in document.tables:
        if table.section != section:
            body.append(f"<h2>{escape(table.section)}</h2>")
            section = table.section
        body.append(html_table(table))
    return ("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
            + "\n".join(body) + "\n</body>\n</html>\n")


def html_table(table: Table) -> str:
    """One table with its heading and notes, for a page."""
    head = "".join(f"<th scope=\"col\">{escape(text)}</th>" for text in (table.corner, *map(_head, table.columns)))
    rows = "\n".join(
        f"<tr><th scope=\"row\">{escape(row.label)}</th>{''.join(map(_html_cell, cells))}</tr>"
        for row, cells in zip(table.rows, table.cells, strict=True))
    lines = "".join(f"<br>{escape(line)}" for line in table.head)
    below = [*_column_notes(table), *table.notes, *table.legend()]
    notes = "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in below) + "</ul>\n" if below else ""
    return (f"<h3>{escape(table.heading)}</h3>\n<div class=\"scroll\"><table id=\"{escape(table.key)}\">\n"
            f"<caption>{escape(table.label)}{lines}</caption>\n<thead><tr>{head}</tr></thead>\n"
            f"<tbody>\n{rows}\n</tbody>\n</table></div>\n{notes}")


def _html_cell(cell: Cell) -> str:
    if cell.absent:
        return f"<td class=\"absent\">{escape(cell.absent)}</td>"
    value = f"<strong>{escape(cell.text)}</strong>" if cell.bold else escape(cell.text)
    extra = " ".join(part for part in (cell.interval_text, f"({cell.ratio_text})" if cell.ratio_text else "") if part)
    return f"<td>{value}{escape(cell.marks)}{f' <small>{escape(extra)}</small>' if extra else ''}</td>"


FORMATS: dict[str, Callable[[Document], str]] = {
    "md": markdown, "latex": latex, "csv": comma_separated, "json": as_json, "html": html,
}


def grid_markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A plain Markdown grid, for lists that are no comparison table."""
    texts = [[_markdown_text(text) for text in line] for line in (head, *lines)]
    widths = [max(len(line[place]) for line in texts) for place in range(len(head))]
    grid = ["| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |"
            for line in texts]
    grid.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(grid) + "\n"
