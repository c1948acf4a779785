"""The tables that the command line shows, by view."""

from dataclasses import replace
from typing import TYPE_CHECKING

from analysis.published import page_2017
from analysis.tables.build import build
from analysis.tables.model import Document

if TYPE_CHECKING:
    from analysis.store.read import Reading
    from analysis.store.select import Choice


def document(reading: "Reading", choice: "Choice") -> Document:
    """All tables of a view. Raises UserError if the choice leaves no run."""
    if choice.view == "2017" and choice.source == "published":
        found = page_2017.document(reading.frame)
    else:
        found = build(reading.frame, choice)
    return replace(found, remarks=reading.remarks())
