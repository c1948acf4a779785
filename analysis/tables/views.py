"""What `python -m analysis tables` shows, by view and format."""

import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from analysis.published import page_2017
from analysis.tables import terminal
from analysis.tables.answer import Answer, answers, answers_by_device
from analysis.tables.answer import document as answer_document
from analysis.tables.build import build
from analysis.tables.model import Document
from analysis.tables.render import render

if TYPE_CHECKING:
    import pandas as pd

    from analysis.store.select import Choice

TEXT = "text"  # aligned text, the default format of the answer


def shown(frame: "pd.DataFrame", choice: "Choice", form: str, by: str, remarks: list[str]) -> str:
    """A view in a format; `by`: what is across in the answer, "backend" or "device".

    Raises UserError if the choice leaves no run.
    """
    if choice.view == "answer":
        found = answers(frame, choice) if by == "backend" else answers_by_device(frame, choice)
        if form == TEXT:
            return answer_text(found, remarks)
        return render(replace(answer_document(found), remarks=remarks), form)
    return render(
        replace(_document(frame, choice), remarks=remarks), "md" if form == TEXT else form
    )


def answer_text(found: list[Answer], remarks: list[str]) -> str:
    """Answers for the terminal: its width, and its colours if it is one."""
    on_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if on_terminal else terminal.WIDTH
    text = terminal.text(found, width=min(max(width, 40), terminal.WIDTH), colour=on_terminal)
    return text + "".join(f"- {remark}\n" for remark in remarks)


def _document(frame: "pd.DataFrame", choice: "Choice") -> Document:
    if choice.view == "2017" and choice.source == "published":
        return page_2017.document(frame)
    return build(frame, choice)
