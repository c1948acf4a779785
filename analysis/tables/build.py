"""The comparison tables: 2017's shape, the standard ones, the wide ones, and the summary over
tasks.

Rows are backends, columns are places (`analysis.compare.conditions`); a figure is divided only by
the best of its own column.
"""

from typing import TYPE_CHECKING

from analysis.compare.layout import Board, board
from analysis.store.select import Choice
from analysis.tables.model import Document
from analysis.tables.task import task_tables
from analysis.tables.wide import summary_tables, wide_tables

if TYPE_CHECKING:
    import pandas as pd


def build(frame: "pd.DataFrame", choice: Choice | None = None) -> Document:
    """All tables of a view. Raises UserError if the choice leaves no run."""
    choice = choice or Choice()
    laid_out = board(frame, choice)
    return wide(laid_out) if choice.view == "wide" else by_task(laid_out)


def by_task(laid_out: Board) -> Document:
    """Quality and speed of every task; then the summary over tasks, but not in the view of 2017."""
    tables = [table for task in laid_out.tasks() for table in task_tables(laid_out, task)]
    if laid_out.choice.view != "2017":
        tables += summary_tables(laid_out)
    return Document("Keras backend benchmark", tables)


def wide(laid_out: Board) -> Document:
    """Every figure of a run beside the others."""
    return Document("Keras backend benchmark: wide tables", wide_tables(laid_out))
