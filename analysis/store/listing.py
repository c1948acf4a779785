"""The tidy table for reading and for other programs: a list of runs, Parquet, CSV, JSON."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.output import write
from analysis.store.cache import to_arrow
from analysis.store.columns import COLUMNS, EPOCH_COLUMNS, Column
from analysis.tables.grid import grid_markdown
from analysis.titles import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

EXPORT_ENDINGS = (".parquet", ".csv", ".json")
_LISTED = (
    *("start_time", "task", "backend", "device_name", "profile", "keras_generation", "repetition"),
    *("state", "steady_train_seconds", "mean_epoch_seconds", "quality_metric", "last_quality"),
    *("flags", "source", "run_id"),
)


def as_text(frame: "pd.DataFrame", form: str) -> str:
    """A list of runs as Markdown, CSV or JSON ("md", "csv", "json")."""
    listed = _with_quality(frame)[list(_LISTED)]
    if form == "csv":
        return str(listed.to_csv(index=False, lineterminator="\n"))
    if form == "json":
        return _records(listed) + "\n"
    shown = [[_shown(value) for value in row] for row in listed.itertuples(index=False)]
    return grid_markdown(_LISTED, shown) + f"\n{counted(len(listed), 'run')}.\n"


def write_table(path: Path, frame: "pd.DataFrame", epochs: bool) -> tuple[int, int]:
    """Write the tidy table in the format of the file's ending; returns (rows, columns).

    epochs: the table of epochs instead of that of runs. Raises ConfigError if it cannot be written.
    """
    columns = EPOCH_COLUMNS if epochs else COLUMNS
    form = path.suffix.lower()
    if form == ".parquet":
        write(path, _parquet(frame, columns))
    elif form == ".csv":
        write(path, str(frame.to_csv(index=False, lineterminator="\n")))
    else:
        described = json.dumps([asdict(column) for column in columns], ensure_ascii=False)
        write(path, f'{{"columns": {described},\n"rows": {_records(frame)}}}\n')
    return len(frame), len(columns)


def _with_quality(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Add a column with the last value of each run's own quality metric."""
    rows = frame.itertuples()
    values = [getattr(row, f"last_{row.quality_metric}", float("nan")) for row in rows]
    return frame.assign(last_quality=values)


def _shown(value: Any) -> str:
    import pandas as pd

    if pd.isna(value):
        return "–"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _records(frame: "pd.DataFrame") -> str:
    # 15 digits are the most that pandas writes; 10 would be its default.
    return str(
        frame.to_json(orient="records", double_precision=15, date_format="iso", force_ascii=False)
    )


def _parquet(frame: "pd.DataFrame", columns: "Sequence[Column]") -> bytes:
    """Parquet whose fields have unit and meaning as metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = to_arrow(frame)
    fields = [
        table.schema.field(column.name).with_metadata(
            {"unit": column.unit, "meaning": column.meaning}
        )
        for column in columns
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(table.cast(pa.schema(fields)), sink, compression="zstd")
    return bytes(sink.getvalue())
