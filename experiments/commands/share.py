"""`share`: runs that can be published."""

from collections.abc import Sequence
from pathlib import Path

import click

from experiments.cli.console import say
from experiments.errors import ConfigError


@click.group()
def share() -> None:
    """Pack runs into a folder that can be published, or unpack such a folder."""


@share.command("pack")
@click.argument("folders", nargs=-1, required=True, metavar="RUN...", type=Path)
@click.option("--to", "target", required=True, type=Path, help="folder to write: results/NAME")
@click.option("--command", default="", help="the command that made the runs, for NOTE.md")
@click.option("--data", multiple=True, metavar="NAME=TEXT", help="what a data set is, for NOTE.md")
@click.option("--remark", multiple=True, help="a line for NOTE.md")
def share_pack(
    folders: Sequence[Path], target: Path, command: str, data: Sequence[str], remark: Sequence[str]
) -> None:
    """Pack runs without names, paths and serial numbers.

    RUN is a folder of runs/; files beside the folders, such as logs of errors, are ignored.
    """
    from experiments.sharing.note import About
    from experiments.sharing.pack import pack
    from experiments.system.files import size

    if wrong := [text for text in data if "=" not in text]:
        raise ConfigError(f"--data {wrong[0]}: write NAME=TEXT")
    about = About(command, dict(text.split("=", 1) for text in data), remark)
    packed = pack([folder for folder in folders if not folder.is_file()], target, about)
    for place, count in sorted(packed.scrubbed.items()):
        say(f"scrubbed {place} ({count} times)")
    for folder in packed.unfinished:
        say(f"left out {folder}: it has no end; ingest it first")
    say(f"{target}: {packed.runs} runs, {size(packed.size)}; read NOTE.md before you publish it")


@share.command("unpack")
@click.argument("folder", type=Path)
@click.option("--to", "target", required=True, type=Path, help="folder to write journals to")
def share_unpack(folder: Path, target: Path) -> None:
    """Unpack a folder into journals for `journal ingest`."""
    from experiments.sharing.pack import unpack

    paths = unpack(folder, target)
    say(f"{len(paths)} journals; next: python -m experiments journal ingest {target}/*")
