"""The twelve tables of June 2017."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.compare.layout import board
from analysis.published import results
from analysis.store.select import Choice, require_published
from analysis.tables.heads import labelled
from analysis.tables.model import Document, Table
from analysis.tables.task import task_tables

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
