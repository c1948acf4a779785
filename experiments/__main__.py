"""What runs need: `python -m experiments doctor | env | data | journal | server | share`.

Importing this module costs little: each command imports what it needs.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.cli.bootstrap import require_project_environment

require_project_environment()

import click  # noqa: E402

from experiments.cli.console import say  # noqa: E402
from experiments.cli.group import run_group  # noqa: E402
from experiments.config import members  # noqa: E402
from experiments.errors import DONE, ConfigError, UserError, fail  # noqa: E402

if TYPE_CHECKING:
    from experiments.config.schema import BackendConfig

Backends = list[tuple["BackendConfig", str]]
_NAMES = members.choices("backend")
_BACKENDS = click.argument("backends", nargs=-1, type=click.Choice(_NAMES), metavar="[BACKEND]...")
_BACKENDS_HELP = f"Backends: {', '.join(_NAMES)}; all of them if none is named."
_PYTHON = click.option(
    "--python", metavar="PATH", help="your own interpreter for one backend, used as it is"
)


def _kind(default: str) -> Callable[[Any], Any]:
    """The option --kind: the kind of device that an environment is for."""
    choices = click.Choice(("cpu", "gpu", "all"))
    return click.option("--kind", type=choices, default=default, help=f"device; default: {default}")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def commands() -> None:
    """Look after what runs need: environments, data, journals, a tracking server.

    \b
    Measure with   python experiments/train.py --help
                   python experiments/sweep.py --help
    Compare with   python -m analysis --help
    """


def main(arguments: Sequence[str] | None = None, program: str = "python -m experiments") -> int:
    """Run one command; returns the exit status: 0 done, 1 failed, 2 refused, 130 interrupted.

    program: the command's name in help and errors. `.venv/bin/kbb` passes its own name, which a
    shell can complete.
    """
    return run_group(commands, arguments, program, "_KBB_COMPLETE")


@commands.command()
def doctor() -> int:
    """Show what is missing and how to fix it.

    The exit status is 1 if a default run lacks something.
    """
    from experiments.doctor.checks import survey
    from experiments.doctor.render import show

    return show(survey())


# Environments ----------------------------------------------------------------------------------


class _WithCache(click.Group):
    """A group whose help ends with the folder that it works on."""

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the folder in full: it depends on KBB_CACHE and on the user."""
        from experiments.environments.installed import environments_folder

        formatter.write_paragraph()
        formatter.write_text(
            f"Environments are kept in {environments_folder()}; KBB_CACHE names another cache."
        )


@commands.group(cls=_WithCache)
def env() -> None:
    """List, build, check or remove the backends' environments.

    Every backend runs in its own environment, described by a file in conda/.
    """


@env.command("list", epilog=_BACKENDS_HELP)
@_BACKENDS
@_kind("all")
def env_list(backends: Sequence[str], kind: str) -> None:
    """Show which environments are built."""
    from experiments.doctor.render import environments

    environments(_chosen(backends, kind))


@env.command("build", epilog=_BACKENDS_HELP)
@_BACKENDS
@_kind("cpu")
@_PYTHON
def env_build(backends: Sequence[str], kind: str, python: str | None) -> int:
    """Build missing environments."""
    from experiments.environments import ensure

    def build(backend: "BackendConfig", kind: str) -> None:
        environment = ensure(backend, kind, say)
        say(f"{environment.name}: ready, {environment.python}")

    return _for_each(_chosen(backends, kind, python), build)


@env.command("check", epilog=_BACKENDS_HELP)
@_BACKENDS
@_kind("cpu")
@_PYTHON
@click.option("--threads", metavar="N", default="auto", help="threads of the engine; default: auto")
@click.option("--again", is_flag=True, help="check even if there is a verdict already")
def env_check(
    backends: Sequence[str], kind: str, python: str | None, threads: str, again: bool
) -> int:
    """Check that engines compute the right numbers.

    Missing environments are built first. A verdict is kept until something changes.
    """
    from experiments.environments import check, ensure
    from experiments.errors import EngineUnsound
    from experiments.system.threads import resolve_threads

    count = resolve_threads(threads)

    def check_one(backend: "BackendConfig", kind: str) -> None:
        result = check(ensure(backend, kind, say), backend, count, say, again=again)
        if result.cached:
            say(f"{result.message} (checked before)")
        for line in result.failed:
            say(f"  failed: {line}")
        if not result.sound:
            raise EngineUnsound(result.message)

    return _for_each(_chosen(backends, kind, python), check_one)


@env.command("clean", epilog=_BACKENDS_HELP)
@_BACKENDS
@_kind("all")
@click.option("--all", "everything", is_flag=True, help="remove current environments, too")
def env_clean(backends: Sequence[str], kind: str, everything: bool) -> None:
    """Remove environments that are out of date.

    They are out of date if no file in conda/ describes them any more.
    """
    from experiments.environments.inventory import clean
    from experiments.system.files import size

    say(f"{size(clean(_chosen(backends, kind), everything, say))} freed")


def _chosen(names: Sequence[str], kind: str, python: str | None = None) -> Backends:
    """(backend, kind of device) for each name, all backends if none is named."""
    from experiments.environments.specification import KINDS

    known = members.backends()
    wanted = list(names) or list(known)
    if python is not None:
        if len(wanted) > 1:
            raise ConfigError(
                "--python is for one backend; name it, as in `env build theano --python PATH`"
            )
        known[wanted[0]] = replace(known[wanted[0]], python=python)
    kinds = KINDS if kind == "all" else (kind,)
    return [(known[name], each) for each in kinds for name in wanted]


def _for_each(chosen: Backends, work: Callable[["BackendConfig", str], None]) -> int:
    """Do the work for every chosen backend: one that fails does not stop the others."""
    status = DONE
    for backend, kind in chosen:
        try:
            work(backend, kind)
        except UserError as error:
            status = max(status, fail(error))
    return status


# Data ------------------------------------------------------------------------------------------


_DATASETS = members.choices("dataset")


@commands.group()
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


# Journals --------------------------------------------------------------------------------------

_JOURNALS = click.argument("files", nargs=-1, required=True, metavar="FILE...", type=Path)


@commands.group()
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


# Server ----------------------------------------------------------------------------------------


@commands.group()
def server() -> None:
    """Run a tracking server on this machine: MLflow on PostgreSQL."""


@server.command("start")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=5000, help="of 127.0.0.1; default: 5000"
)
def server_start(port: int) -> None:
    """Start the server."""
    from experiments.tracking.server import Server, server_folder

    tracking = Server(server_folder())
    say(f"starting PostgreSQL and MLflow in {tracking.folder} (up to a minute)")
    uri = tracking.start(port)
    named = "" if port == 5000 and uri.endswith(":5000") else f" tracking.uri={uri}"
    say(f"MLflow answers on {uri}; use it with tracking=server{named}")


@server.command("stop")
def server_stop() -> None:
    """Stop the server; stored runs are kept."""
    from experiments.tracking.server import Server, server_folder

    say("stopped" if Server(server_folder()).stop() else "the server was not running")


@server.command("status")
def server_status() -> int:
    """Show whether the server is running; exit status 1 if not."""
    from experiments.tracking.server import Server, server_folder

    tracking = Server(server_folder())
    facts = tracking.running()
    say(f"MLflow answers on {facts['uri']} ({tracking.folder})" if facts else "not running")
    return DONE if facts else 1


# Sharing ---------------------------------------------------------------------------------------


@commands.group()
def share() -> None:
    """Pack runs into a folder that can be published, or unpack such a folder."""


@share.command("pack")
@click.argument("folders", nargs=-1, required=True, metavar="RUN…", type=Path)
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


if __name__ == "__main__":
    sys.exit(main())
