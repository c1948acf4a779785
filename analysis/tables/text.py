"""Tables as Markdown and LaTeX: what a reader needs, rounded."""

import re

from analysis.tables.grid import escaped
from analysis.tables.model import Cell, Column, Document, Table

# Markdown -----------------------------------------------------------------------------------------


def markdown(document: Document) -> str:
    """GitHub-flavoured Markdown."""
    parts = [f"# {document.title}", *document.remarks]
    for section in document.sections():
        parts.append(f"## {section.title}")
        parts += [markdown_table(table) for table in section.tables]
    return "\n\n".join(parts) + "\n"


def markdown_table(table: Table) -> str:
    """One table with its heading, head lines, grid and notes."""
    head = [table.corner, *(column_head(column) for column in table.columns)]
    lines = [
        head,
        *(
            [row.label, *(_markdown_cell(cell) for cell in cells)]
            for row, cells in zip(table.rows, table.cells, strict=True)
        ),
    ]
    texts = [[escaped(text) for text in line] for line in lines]
    widths = [max(len(line[i]) for line in texts) for i in range(len(head))]
    grid = [
        "| "
        + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        + " |"
        for line in texts
    ]
    rule = (
        "|"
        + "|".join(
            "-" * (width + 2) if not i else "-" * (width + 1) + ":"
            for i, width in enumerate(widths)
        )
        + "|"
    )
    grid.insert(1, rule)
    parts = [
        f"### {table.heading}",
        table.label + ("." if table.head else ""),
        *table.head,
        "\n".join(grid),
    ]
    below = [*column_notes(table), *table.notes, *table.legend()]
    if below:
        parts.append("\n".join(f"- {escaped(line)}" for line in below))
    return "\n\n".join(parts)


def column_head(column: Column) -> str:
    return f"{column.label} ({column.unit})" if column.unit else column.label


def _markdown_cell(cell: Cell) -> str:
    if cell.absent:
        return cell.absent
    value = f"**{cell.text}**" if cell.bold else cell.text
    return " ".join(part for part in (value + cell.marks, cell.extra) if part)


def column_notes(table: Table) -> list[str]:
    return [f"{column.label}: {column.note}" for column in table.columns if column.note]


# LaTeX --------------------------------------------------------------------------------------------

_LINE = 72  # characters of a figure table that a page of 345 pt holds
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "·": r"\textperiodcentered{}",
    "≥": r"$\geq$",
    "×": r"$\times$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "…": r"\ldots{}",
    "µ": r"\textmu{}",
}


def latex(document: Document) -> str:
    r"""A file for \input: one table environment each; needs booktabs, textcomp, graphicx."""
    head = [
        "% Input this file where the tables belong; the preamble needs: "
        "\\usepackage{booktabs,textcomp,graphicx}",
        *(f"% {line}" for line in document.remarks),
    ]
    return "\n".join(head) + "\n\n" + "\n".join(latex_table(table) for table in document.tables)


def latex_table(table: Table) -> str:
    """One table environment with its caption; notes stand below the rules in small print."""
    caption = (
        f"{table.section}: {table.heading.lower()}. {table.label}."
        if table.heading
        else table.label
    )
    wide = _printed_width(table) > _LINE
    lines = [
        r"\begin{table}[htbp]",
        r"  \centering",
        f"  \\caption{{{latex_text(' '.join((caption, *table.head)))}}}",
        f"  \\label{{tab:{re.sub(r'[^A-Za-z0-9.-]+', '-', table.key)}}}",
        *([r"  \resizebox{\ifdim\width>\linewidth \linewidth\else\width\fi}{!}{"] if wide else []),
        f"  \\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"    \toprule",
    ]
    lines.append(
        "    "
        + " & ".join(map(latex_text, (table.corner, *map(column_head, table.columns))))
        + r" \\"
    )
    lines.append(r"    \midrule")
    for row, cells in zip(table.rows, table.cells, strict=True):
        lines.append(
            "    " + " & ".join([latex_text(row.label), *map(_latex_cell, cells)]) + r" \\"
        )
    lines += [r"    \bottomrule", r"  \end{tabular}", *(["  }"] if wide else [])]
    below = [*column_notes(table), *table.notes, *table.legend()]
    if below:
        lines.append(r"  \par\smallskip{\footnotesize " + latex_text("; ".join(below)) + ".}")
    return "\n".join([*lines, r"\end{table}", ""])


def _printed_width(table: Table) -> int:
    """Characters of the widest line."""
    lines = [
        [table.corner, *map(column_head, table.columns)],
        *(
            [row.label, *(cell.plain for cell in cells)]
            for row, cells in zip(table.rows, table.cells, strict=True)
        ),
    ]
    return sum(max(len(line[i]) for line in lines) + 2 for i in range(len(lines[0])))


def _latex_cell(cell: Cell) -> str:
    if cell.absent:
        return latex_text(cell.absent)
    value = f"\\textbf{{{latex_text(cell.text)}}}" if cell.bold else latex_text(cell.text)
    ratio = f"({latex_text(cell.ratio_text)})" if cell.ratio_text else ""
    # A bracket right after \\ would be read as its argument; braces prevent that.
    interval = f"{{{cell.interval_text}}}" if cell.interval_text else ""
    return " ".join(part for part in (value + latex_text(cell.marks), interval, ratio) if part)


def latex_text(text: str) -> str:
    """Text with LaTeX's own characters escaped."""
    return "".join(_LATEX.get(letter, letter) for letter in text)
