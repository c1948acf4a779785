"""The published numbers as the page of 2017 arranges them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.published import page_2017, results
from analysis.tables.model import Cell, Table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Numbers:
    """The published numbers as the page arranges them: tables, and mean seconds per epoch."""

    tables: Mapping[str, Table]
    frame: "pd.DataFrame"
    columns: Mapping[str, tuple[str, str]]

    def seconds(self, task: str, backend: str, column: str) -> float | None:
        """Mean seconds per epoch of a cell, None where the page has none."""
        return self.cell(f"{task}.speed", backend, column).value

    def printed(self, task: str, backend: str, column: str) -> str:
        """The same as it is printed."""
        return self.cell(f"{task}.speed", backend, column).text

    def cell(self, table: str, backend: str, column: str) -> Cell:
        found = self.tables[table]
        keys = {head.label: head.key for head in found.columns}
        return found.cell(backend, keys[column])

    def tasks(self) -> list[str]:
        """The page's tasks, in its order."""
        return list(dict.fromkeys(table.task for table in self.tables.values()))


def numbers(frame: "pd.DataFrame") -> Numbers:
    """Arrange the store's published runs as the page does. TrackingError where there are none."""
    tables = page_2017.document(frame).tables
    columns = {
        column["label"]: (column["source"], column["hardware"])
        for column in results.page()["columns"]
    }
    return Numbers({table.key: table for table in tables}, frame, columns)
