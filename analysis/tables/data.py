"""Tables as CSV and JSON, at full precision."""

import csv
import io
import json
import math
from dataclasses import fields, is_dataclass
from typing import Any

from analysis.tables.model import Document

CSV_COLUMNS = (
    "table",
    "section",
    "task",
    "measure",
    "label",
    "row",
    "row_label",
    "column",
    "column_label",
    "device",
    "protocol_id",
    "unit",
    "value",
    "low",
    "high",
    "coverage",
    "ratio_to_best",
    "runs",
    "best",
    "absent",
    "marks",
    "notes",
    "run_ids",
)


def comma_separated(document: Document) -> str:
    """One line per cell (CSV_COLUMNS): figures at full precision, in the unit of the line."""
    file = io.StringIO()
    writer = csv.DictWriter(file, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for table in document.tables:
        for row, cells in zip(table.rows, table.cells, strict=True):
            for column, cell in zip(table.columns, cells, strict=True):
                writer.writerow(
                    {
                        "table": table.key,
                        "section": table.section,
                        "task": table.task,
                        "measure": table.measure if table.task else column.key,
                        "label": table.label,
                        "row": row.key,
                        "row_label": row.label,
                        "column": column.key,
                        "column_label": column.label,
                        "device": column.device,
                        "protocol_id": column.protocol_id,
                        "unit": column.unit or table.unit,
                        "value": _full(cell.value),
                        "low": _full(cell.low),
                        "high": _full(cell.high),
                        "coverage": _full(cell.coverage),
                        "ratio_to_best": _full(cell.ratio),
                        "runs": cell.runs,
                        "best": int(cell.bold),
                        "absent": cell.absent,
                        "marks": cell.marks,
                        "notes": "; ".join(cell.notes),
                        "run_ids": " ".join(cell.run_ids),
                    }
                )
    return file.getvalue()


def _full(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def as_json(document: Document) -> str:
    """Everything in the tables; strict JSON (NaN and infinity are null)."""
    return json.dumps(_plain(document), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        known = [known for known in fields(value) if "page_only" not in known.metadata]
        return {one.name: _plain(getattr(value, one.name)) for one in known}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
