"""What the commands of `python -m analysis` do; the parser is in `analysis.__main__`."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors import ConfigError, UserError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.store import Reading
    from analysis.tables import Choice

_ENDINGS = {".md": "md", ".tex": "latex", ".csv": "csv", ".json": "json", ".html": "html", ".htm": "html",
            ".parquet": "parquet"}
_RUN_COLUMNS = ("start_time", "task", "backend", "device_name", "profile", "keras_generation", "repetition", "state",
                "steady_train_seconds", "mean_epoch_seconds", "quality_metric", "last_quality", "flags", "source",
                "run_id")


def run(args: argparse.Namespace) -> int:
    """Carry out a parsed command and return the exit status. Raises UserError in one line."""
    return _COMMANDS[args.command](args)


def _reading(args: argparse.Namespace) -> "Reading":
    from analysis.store import read

    return read(args.uri, args.experiment, refresh=args.refresh)


def _choice(args: argparse.Namespace, view: str = "standard") -> "Choice":
    from analysis.tables import Choice

    return Choice(view, args.source, args.profile, args.sweep, args.pool_hosts)


def tables(args: argparse.Namespace) -> int:
    """`tables`: the comparison tables."""
    form = _format(args, "md")
    _check_output(args.output)
    reading = _reading(args)
    from analysis.formats import render
    from analysis.tables import build

    document = replace(build(reading.frame, _choice(args, args.view)), remarks=reading.remarks())
    if form == "csv":
        _note(reading.remarks())
    _put(render(document, form), args.output, form)
    return 0


def report(args: argparse.Namespace) -> int:
    """`report`: one HTML page."""
    _check_output(args.output)
    reading = _reading(args)
    from analysis.report import write

    size = write(reading, Path(args.output), args.ui_url)
    print(f"{args.output}: {size / 1e6:.2f} MB")
    return 0


def findings(args: argparse.Namespace) -> int:
    """`findings`: sentences with their arithmetic."""
    form = _format(args, "md")
    _check_output(args.output)
    reading = _reading(args)
    from analysis.findings import findings as find

    found = find(reading.frame, _choice(args))
    if form == "json":
        text = json.dumps({"remarks": reading.remarks(), "findings": [asdict(one) for one in found]},
                          indent=1, ensure_ascii=False) + "\n"
    else:
        lines = [*reading.remarks(), *(one.line for one in found)]
        text = "".join(f"- {line}\n" for line in lines) or "Nothing can be said from these runs.\n"
    _put(text, args.output, form)
    return 0


def compare(args: argparse.Namespace) -> int:
    """`compare A B`: status 1 where --fail-if-slower finds a regression."""
    from analysis.selections import parse, percentage

    first, second = parse(args.first), parse(args.second)
    limit = percentage(args.fail_if_slower) if args.fail_if_slower is not None else None
    form = _format(args, "md")
    _check_output(args.output)
    reading = _reading(args)
    from analysis.compare import FEW, MEASURES, lines
    from analysis.compare import compare as compare_
    from analysis.formats import grid_markdown

    result = compare_(reading.frame, first, second, measure=MEASURES[args.measure],
                      names_=(args.first, args.second), pool_hosts=args.pool_hosts)
    worse = [pair for pair in result.pairs if limit is not None and pair.slower_by(limit)]
    if form == "json":
        text = json.dumps({**result.as_json(), "regressions": [pair.cell for pair in worse]},
                          indent=1, ensure_ascii=False) + "\n"
    else:
        head = f"A: {args.first}\n\nB: {args.second}\n\n{result.measure.label}.\n\n"
        text = head + grid_markdown(*lines(result))
    _put(text, args.output, form)
    if limit is None:
        return 0
    if worse:
        cells = "; ".join(f"{pair.cell} ({pair.verdict if pair.ratio is None else f'{pair.ratio:.3g}x'})"
                          for pair in worse)
        print(f"regression: B is worse by {100 * limit:g} % or more, or has no figure: {cells}", file=sys.stderr)
        return 1
    if not result.judged:
        few = sum(pair.verdict == FEW for pair in result.pairs)
        raise UserError(f"nothing could be judged: {few} of {len(result.pairs)} cells have fewer than 3 finished runs "
                        "on a side, the others did other work; repeat the runs")
    return 0


def runs(args: argparse.Namespace) -> int:
    """`runs`: a list of the runs, newest last."""
    form = _format(args, "md")
    _check_output(args.output)
    reading = _reading(args)
    from analysis.formats import grid_markdown
    from analysis.tables import select
    from analysis.titles import counted

    frame = _with_quality(_selected(select(reading.frame, _choice(args)), args.select))[list(_RUN_COLUMNS)]
    _note(reading.remarks())
    if form == "csv":
        text = frame.to_csv(index=False, lineterminator="\n")
    elif form == "json":
        text = _records(frame) + "\n"
    else:
        shown = [[_shown(value) for value in line] for line in frame.itertuples(index=False)]
        text = grid_markdown(_RUN_COLUMNS, shown) + f"\n{counted(len(frame), 'run')}.\n"
    _put(text, args.output, form)
    return 0


def _with_quality(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A column with the last value of each run's own quality metric."""
    values = [getattr(row, f"last_{row.quality_metric}", float("nan")) for row in frame.itertuples()]
    return frame.assign(last_quality=values)


def _shown(value: Any) -> str:
    import pandas as pd

    if pd.isna(value):
        return "–"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def export(args: argparse.Namespace) -> int:
    """`export`: the tidy table, everything in it."""
    from analysis.columns import COLUMNS, EPOCH_COLUMNS

    form = _ENDINGS.get(Path(args.output).suffix.lower())
    if form not in ("parquet", "csv", "json"):
        raise ConfigError(f"{args.output}: name a file that ends in .parquet, .csv or .json")
    _check_output(args.output)
    reading = _reading(args)
    _note(reading.remarks())
    frame = _selected(reading.frame, args.select)
    columns = EPOCH_COLUMNS if args.epochs else COLUMNS
    if args.epochs:
        from analysis.epoch_table import read as read_epochs

        frame = read_epochs(frame, args.uri, args.experiment)
    if form == "parquet":
        _write(args.output, _parquet(frame, columns))
    elif form == "csv":
        _write(args.output, frame.to_csv(index=False, lineterminator="\n").encode())
    else:
        described = json.dumps([asdict(column) for column in columns], ensure_ascii=False)
        _write(args.output, f'{{"columns": {described},\n"rows": {_records(frame)}}}\n'.encode())
    print(f"{args.output}: {len(frame)} rows, {len(columns)} columns", file=sys.stderr)
    return 0


def _records(frame: "pd.DataFrame") -> str:
    # 15 digits are all that pandas writes; 10 would be its default.
    return str(frame.to_json(orient="records", double_precision=15, date_format="iso", force_ascii=False))


def _parquet(frame: "pd.DataFrame", columns: Any) -> bytes:
    """Parquet whose fields carry unit and meaning as metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from analysis.cache import to_arrow

    table = to_arrow(frame)
    fields = [table.schema.field(column.name).with_metadata({"unit": column.unit, "meaning": column.meaning})
              for column in columns]
    sink = pa.BufferOutputStream()
    pq.write_table(table.cast(pa.schema(fields)), sink, compression="zstd")
    return bytes(sink.getvalue())


def columns(args: argparse.Namespace) -> int:
    """`columns`: what the tidy table holds."""
    from analysis.columns import COLUMNS, EPOCH_COLUMNS
    from analysis.formats import grid_markdown

    listed = EPOCH_COLUMNS if args.epochs else COLUMNS
    print(grid_markdown(("Column", "Type", "Unit", "MLflow", "Meaning"), [
        (one.name, one.dtype, one.unit, f"{one.kind} {one.key}", one.meaning) for one in listed]), end="")
    return 0


def import_published(args: argparse.Namespace) -> int:
    """`import-published`: write the published results, once."""
    from analysis.published import import_published as import_

    added, present = import_(args.uri, args.experiment)
    print(f"{added} published results added, {present} were there already")
    return 0


def _selected(frame: "pd.DataFrame", text: str | None) -> "pd.DataFrame":
    from analysis.selections import choose, parse

    return choose(frame, parse(text)) if text is not None else frame


def _format(args: argparse.Namespace, default: str) -> str:
    """The format asked for, else what the file's ending says."""
    if args.format:
        return str(args.format)
    return _ENDINGS.get(Path(args.output).suffix.lower(), default) if args.output else default


def _check_output(output: str | None) -> None:
    """Refuse a path that cannot be written before anything is read."""
    if output is None:
        return
    path = Path(output)
    if path.is_dir():
        raise ConfigError(f"{output} is a folder: name a file with -o")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"{output} cannot be written: there is no folder {path.absolute().parent}")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise ConfigError(f"{output} cannot be written: permission denied; -o names another file")


def _put(text: str, output: str | None, form: str) -> None:
    if output is not None:
        _write(output, text.encode())
    elif form == "md" and sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        sys.stdout.write(text)


def _write(output: str, content: bytes) -> None:
    path = Path(output)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(content)
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise ConfigError(f"{output} cannot be written ({error.strerror or error}); -o names another file") from error


def _note(lines: list[str]) -> None:
    for line in lines:
        print(f"note: {line}", file=sys.stderr)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "tables": tables, "report": report, "findings": findings, "compare": compare, "runs": runs, "export": export,
    "columns": columns, "import-published": import_published,
}
