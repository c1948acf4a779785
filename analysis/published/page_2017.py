"""The twelve tables of June 2017."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.compare.layout import board
from analysis.published import results
from analysis.tables.heads import labelled
from analysis.tables.model import Cell, Document, Table
from analysis.tables.task import task_tables

if TYPE_CHECKING:
    import pandas as pd
from collections.abc import Mapping
from typing import TYPE_CHECKING

from analysis.store.select import Choice, require_published

if TYPE_CHECKING:
    import pandas as pd


VIEW = Choice(view="2017", source="published")


def document(frame: "pd.DataFrame") -> Document:
    """The twelve tables of the page of June 2017: its columns, its order, its names."""
    return Document("Keras backend benchmark, 2017", _tables(frame))


def _tables(frame: "pd.DataFrame") -> list[Table]:
    page = results.page()
    columns = {
        (column["source"], column["hardware"]): column["label"] for column in page["columns"]
    }
    wanted = [
        (str(source), str(device)) in columns
        for source, device in zip(frame["published_source"], frame["device_name"], strict=True)
    ]
    chosen = frame[
        np.asarray(wanted) & frame["task"].isin([table["task"] for table in page["tables"]])
    ]
    require_published(len(chosen), "the store")
    laid_out = board(chosen, VIEW)
    order = list(columns)
    tables = []
    for task in dict.fromkeys(table["task"] for table in page["tables"]):
        some = sorted(
            laid_out.of_task(task), key=lambda place: order.index((place.source, place.device))
        )
        heads = [
            replace(column, label=columns[place.source, place.device])
            for place, column in zip(some, labelled(some), strict=True)
        ]
        tables += task_tables(laid_out, task, some, heads)
    return tables


@dataclass(frozen=True)
class Numbers:
    """The published numbers as the page arranges them: tables of this program and mean seconds per epoch."""

    tables: Mapping[str, Table]
    frame: "pd.DataFrame"
    columns: Mapping[str, tuple[str, str]]

    def seconds(self, task: str, backend: str, column: str) -> float | None:
        """Mean seconds per epoch of a cell, None where the page has none."""
        return self._cell(f"{task}.speed", backend, column).value

    def printed(self, task: str, backend: str, column: str) -> str:
        """The same as it is printed."""
        return self._cell(f"{task}.speed", backend, column).text

    def _cell(self, table: str, backend: str, column: str) -> Cell:
        found = self.tables[table]
        keys = {head.label: head.key for head in found.columns}
        return found.cell(backend, keys[column])

    def tasks(self) -> list[str]:
        """The page's tasks, in its order."""
        return list(dict.fromkeys(table.task for table in self.tables.values()))


def numbers(frame: "pd.DataFrame") -> Numbers:
    """Arrange the store's published runs as the page does. TrackingError where there are none."""
    tables = document(frame).tables
    columns = {
        column["label"]: (column["source"], column["hardware"])
        for column in results.page()["columns"]
    }
    return Numbers({table.key: table for table in tables}, frame, columns)
