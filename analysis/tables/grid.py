"""A plain Markdown grid, for lists that are not comparison tables."""

from collections.abc import Sequence


def grid_markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A rectangular grid with aligned columns; ends with a line feed."""
    texts = [[escaped(text) for text in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(head))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
        for row in texts
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")
