"""`data`: downloads and prepared arrays."""

from collections.abc import Sequence

import click

from experiments.cli.console import say
from experiments.config import members
from experiments.errors import DONE, UserError, fail

_DATASETS = members.choices("dataset")


@click.group()
def data() -> None:
    """List, download or remove the files of the data sets."""


@data.command("list")
def data_list() -> None:
    """Show what is downloaded and what is prepared."""
    from experiments.datasets import list_entries
    from experiments.doctor.project import data as data_section
    from experiments.doctor.render import entries, sections

    sections([data_section()])
    entries(list_entries())


@data.command("fetch", epilog=f"Data sets: {', '.join(_DATASETS)}; all of them if none is named.")
@click.argument("names", nargs=-1, type=click.Choice(_DATASETS), metavar="[DATASET]...")
def data_fetch(names: Sequence[str]) -> int:
    """Download the publishers' files."""
    from experiments.datasets import official_files

    status = DONE
    for name, dataset in members.datasets().items():
        if names and name not in names:
            continue
        try:
            for path in official_files(dataset, say).values():
                say(f"{name}: {path}")
        except UserError as error:
            status = max(status, fail(error))
    return status


@data.command("clean")
@click.option(
    "--kind",
    type=click.Choice(("all", "downloads", "prepared")),
    default="all",
    help="what to remove; default: all",
)
@click.option("--name", default="", metavar="PREFIX", help="only entries whose name starts with it")
def data_clean(kind: str, name: str) -> None:
    """Remove downloads and prepared arrays."""
    from experiments.datasets import clean
    from experiments.system.files import size

    say(f"{size(clean(kind, name))} freed")
