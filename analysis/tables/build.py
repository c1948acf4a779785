"""The comparison tables: 2017's shape, the standard ones, the wide ones, and the summary over
tasks.

Rows are backends, columns are places (`analysis.compare.conditions`); a figure is divided only by
the best of its own column.
"""

from typing import TYPE_CHECKING

from analysis.compare.layout import board
from analysis.store.select import Choice
from analysis.tables.model import Document
from analysis.tables.task import task_tables

if TYPE_CHECKING:
    import pandas as pd


def build(frame: "pd.DataFrame", choice: Choice | None = None) -> Document:
    """All tables of a view. Raises UserError where the choice leaves no run."""
    choice = choice or Choice()
    laid_out = board(frame, choice)
    if choice.view == "wide":
        from analysis.tables.wide import wide_tables

        return Document("Keras backend benchmark: wide tables", wide_tables(laid_out))
    tables = [table for task in laid_out.tasks() for table in task_tables(laid_out, task)]
    if choice.view != "2017":
        from analysis.tables.wide import summary_tables

        tables += summary_tables(laid_out)
    return Document("Keras backend benchmark", tables)
