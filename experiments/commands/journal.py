"""`journal`: what runs wrote down."""

from collections.abc import Sequence
from pathlib import Path

import click

from experiments.errors import ConfigError

_JOURNALS = click.argument("files", nargs=-1, required=True, metavar="FILE...", type=Path)


@click.group()
def journal() -> None:
    """Show journals, or replay them into the tracking store."""


@journal.command("ingest")
@_JOURNALS
def journal_ingest(files: Sequence[Path]) -> int:
    """Replay journals into the tracking store.

    FILE is an events.jsonl or the folder of a run. Stored runs are not stored twice.
    """
    from experiments.tracking.ingest import ingest_files

    return ingest_files(_journal_files(files))


@journal.command("show")
@_JOURNALS
def journal_show(files: Sequence[Path]) -> None:
    """Print the events of journals, one a line."""
    from experiments.journal.show import show

    for path in _journal_files(files):
        show(path)


def _journal_files(files: Sequence[Path]) -> list[Path]:
    from experiments.journal.journal import FILE_NAME

    found = [path / FILE_NAME if path.is_dir() else path for path in files]
    for path in found:
        if not path.is_file():
            raise ConfigError(f"{path}: no such journal; a run writes runs/*/{FILE_NAME}")
    return found
