"""A document in any of the formats."""

from collections.abc import Callable

from analysis.tables.data import as_json, comma_separated
from analysis.tables.html import html
from analysis.tables.model import Document
from analysis.tables.text import latex, markdown

FORMATS: dict[str, Callable[[Document], str]] = {
    "md": markdown,
    "latex": latex,
    "csv": comma_separated,
    "json": as_json,
    "html": html,
}


def render(document: Document, form: str) -> str:
    """The document in one of FORMATS; ends with a line feed."""
    return FORMATS[form](document)
