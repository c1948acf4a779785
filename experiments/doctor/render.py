"""The report as tables; without colours if the output is not a terminal."""

import shutil
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from experiments.doctor.section import OK, OPTIONAL, Row, Section
from experiments.system.files import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.config.schema import BackendConfig

_COLOURS = {OK: "green", OPTIONAL: "dim"}


def show(found: list[Section]) -> int:
    """Print all sections and the commands that fix them; returns the exit status."""
    sections(found)
    console = _console()
    broken = [row for section in found for row in section.broken]
    others = [row for section in found for row in section.rows if row.fix and row not in broken]
    _commands(console, "Needed for a default run:", broken)
    _commands(console, "To complete the rest:", others)
    if not broken:
        console.print("Nothing is missing for a default run:  python experiments/train.py")
    return 1 if broken else 0


def _commands(console: Console, title: str, rows: list[Row]) -> None:
    if rows:
        console.print(f"[bold]{title}[/]")
        width = max(len(row.what) for row in rows)
        for row in rows:
            console.print(
                f"  {escape(row.what):<{width}}  {escape(row.fix or '')}",
                soft_wrap=True,
                highlight=False,
            )


def sections(found: list[Section]) -> None:
    """One table for each section."""
    console = _console()
    for section in found:
        console.print(f"[bold]{section.title}[/]")
        table = Table("what", "state", "detail", box=None, show_header=False, padding=(0, 0, 0, 2))
        table.columns[2].overflow = "fold"
        for row in section.rows:
            colour = _COLOURS.get(row.state, "red" if row.needed else "yellow")
            table.add_row(escape(row.what), f"[{colour}]{escape(row.state)}[/]", escape(row.detail))
        console.print(table)
        console.print()


def entries(found: "Sequence[Any]") -> None:
    """The cache of data, entry by entry (experiments.datasets.Entry)."""

    table = Table("kind", "name", "size", "content", box=SIMPLE_HEAD)
    for entry in found:
        table.add_row(entry.kind, escape(entry.name), size(entry.bytes), escape(entry.detail))
    if found:
        _console().print(table)


def environments(chosen: "Sequence[tuple[BackendConfig, str]]") -> None:
    """One row for each backend and kind of device."""
    from experiments.environments import inventory

    table = Table("backend", "kind", "Python", "made with", "state", "size", "key", box=SIMPLE_HEAD)
    table.columns[5].justify = "right"
    for backend, kind in chosen:
        entry = inventory.look(backend, kind)
        bytes_ = "" if entry.size_bytes is None else size(entry.size_bytes)
        key = "" if entry.folder is None else entry.folder.name.rpartition("-")[2]
        table.add_row(entry.backend, kind, entry.python, entry.found, entry.state, bytes_, key)
    _console().print(table)


def _console() -> Console:
    return Console(width=max(shutil.get_terminal_size((120, 24)).columns, 80))
