"""Keeps what was read from a store in a Parquet file, one per tracking address and experiment.

A SQLite store that has not changed since is answered from that file alone, without MLflow.
"""

import contextlib
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.store.columns import COLUMNS, EPOCH_COLUMNS
from experiments.system.paths import cache_root
from experiments.tracking.store import sqlite_path

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
_KEY = b"keras-backend-benchmark"
# Another set of columns, or of their origins, is another cache.
_LAYOUT = hashlib.sha256(repr((VERSION, COLUMNS, EPOCH_COLUMNS)).encode()).hexdigest()[:16]

State = dict[str, Any]


def cache_file(uri: str, experiment: str) -> Path:
    """Where the runs of an experiment are cached; named by a hash, as an address may be secret."""
    digest = hashlib.sha256(f"{uri}\n{experiment}".encode()).hexdigest()[:16]
    return cache_root() / "analysis" / f"runs-{digest}.parquet"


def fingerprint(uri: str) -> list[Any] | None:
    """What changes with every write to a SQLite file; None for stores without such a sign.

    Size, time and inode of the file and of its write-ahead log, and the header's change counter
    (https://www.sqlite.org/fileformat.html, "File change counter"): a coarse clock, which may give
    two writes the same time, cannot hide one.
    """
    path = sqlite_path(uri)
    if path is None:
        return None
    signs: list[Any] = []
    for file, header in ((path, slice(24, 28)), (Path(f"{path}-wal"), slice(0, 32))):
        try:
            stat = file.stat()
            with file.open("rb") as opened:
                signs.append(
                    [stat.st_size, stat.st_mtime_ns, stat.st_ino, opened.read(100)[header].hex()]
                )
        except OSError:
            signs.append(None)
    return signs if signs[0] is not None else None


def state_of(facts: State) -> State:
    """What is kept with a table: the facts, and which columns it has."""
    return {"layout": _LAYOUT, **facts}


def read_file(path: Path) -> tuple["pd.DataFrame", State] | None:
    """The cached runs and their state, None where there are none that this version can use."""
    try:
        import pyarrow.parquet as pq

        table = pq.read_table(path, partitioning=None)
        state = json.loads(table.schema.metadata[_KEY])
        return (_from_arrow(table), state) if state["layout"] == _LAYOUT else None
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
    ):  # not there, cut short, or of another version
        return None


def write_file(path: Path, frame: "pd.DataFrame", state: State) -> None:
    """Replace the cache in one step; if its folder cannot be written, warn and go on."""
    import pyarrow.parquet as pq

    table = to_arrow(frame).replace_schema_metadata({_KEY: json.dumps(state).encode()})
    fresh = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, fresh, compression="zstd")
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        print(
            f"warning: {path.parent} cannot be written ({error.strerror or error}); "
            "the store is read again each time; set KBB_CACHE to another folder",
            file=sys.stderr,
        )


def to_arrow(frame: "pd.DataFrame") -> Any:
    """A tidy table as a pyarrow.Table, times as UTC milliseconds."""
    import pandas as pd
    import pyarrow as pa

    arrays = []
    for name in frame.columns:
        column = frame[name]
        if isinstance(
            column.dtype, pd.DatetimeTZDtype
        ):  # what pyarrow would read them by is deprecated
            arrays.append(
                pa.array(column.dt.tz_convert(None).to_numpy(), pa.timestamp("ms", "UTC"))
            )
        else:
            arrays.append(pa.array(column, from_pandas=True))
    return pa.table(dict(zip(frame.columns, arrays, strict=True)))


def _from_arrow(table: Any) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow as pa

    found: pd.DataFrame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return found
