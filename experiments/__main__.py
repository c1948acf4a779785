"""What runs need: `python -m experiments doctor | env | data | journal | server | share`.

Importing this module costs little: each command imports what it needs.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

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
_EACH_BACKEND = click.argument("backends", nargs=-1, type=click.Choice(members.choices("backend")))
_KIND = click.Choice(("cpu", "gpu", "all"))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def commands() -> None:
    """Look after what runs need: environments, data, journals, a tracking server.

    Runs themselves are `python experiments/train.py` and `python experiments/sweep.py`; tables and the
    report are `python -m analysis`.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 1 failed, 2 refused, 130 interrupted."""
    return run_group(commands, arguments, "python -m experiments", "_KBB_COMPLETE")


@commands.command()
def doctor() -> int:
    """Show what is missing and how to fix it. Status 1 if a default run lacks something."""
    from experiments.doctor.checks import survey
    from experiments.doctor.render import show

    return show(survey())


# Environments ----------------------------------------------------------------------------------


@commands.group()
def env() -> None:
    """List, build, check and remove the environments of the backends.

    Every backend runs in an environment of its own, described by a file in conda/.
    """


@env.command("list")
@_EACH_BACKEND
@click.option("--kind", type=_KIND, default="all", help="kind of device; default: all")
def env_list(backends: Sequence[str], kind: str) -> None:
    """Show which environments are built, and how the others would be made."""
    from experiments.doctor.render import environments

    environments(_chosen(backends, kind))


@env.command("build")
@_EACH_BACKEND
@click.option("--kind", type=_KIND, default="cpu", help="kind of device; default: cpu")
@click.option(
    "--python", metavar="PATH", help="an interpreter of yours for one backend, used as it is"
)
def env_build(backends: Sequence[str], kind: str, python: str | None) -> int:
    """Build missing environments; all backends if none is named."""
    from experiments.environments import ensure

    def build(backend: "BackendConfig", kind: str) -> None:
        environment = ensure(backend, kind, say)
        say(f"{environment.name}: ready, {environment.python}")

    return _for_each(_chosen(backends, kind, python), build)


@env.command("check")
@_EACH_BACKEND
@click.option("--kind", type=_KIND, default="cpu", help="kind of device; default: cpu")
@click.option(
    "--python", metavar="PATH", help="an interpreter of yours for one backend, used as it is"
)
@click.option("--threads", metavar="N", default="auto", help="threads of the engine; default: auto")
@click.option("--again", is_flag=True, help="check even if a verdict is kept")
def env_check(
    backends: Sequence[str], kind: str, python: str | None, threads: str, again: bool
) -> int:
    """Build what is missing and check that each engine computes the right numbers.

    The verdict is kept until something changes.
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
            say(f"  wrong: {line}")
        if not result.sound:
            raise EngineUnsound(result.message)

    return _for_each(_chosen(backends, kind, python), check_one)


@env.command("clean")
@_EACH_BACKEND
@click.option("--kind", type=_KIND, default="all", help="kind of device; default: all")
@click.option("--all", "everything", is_flag=True, help="current environments, too")
def env_clean(backends: Sequence[str], kind: str, everything: bool) -> None:
    """Remove environments that no file in conda/ describes any more."""
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
                "--python is for one backend: name it, as in `env build theano --python PATH`"
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


@commands.group()
def data() -> None:
    """List, download and remove the files of the data sets."""


@data.command("list")
def data_list() -> None:
    """Show what is downloaded and what is prepared."""
    from experiments.datasets import list_entries
    from experiments.doctor.project import data as data_section
    from experiments.doctor.render import entries, sections

    sections([data_section()])
    entries(list_entries())


@data.command("fetch")
@click.argument("names", nargs=-1, type=click.Choice(members.choices("dataset")))
def data_fetch(names: Sequence[str]) -> int:
    """Download the publishers' files; all data sets if none is named."""
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
@click.option("--kind", type=click.Choice(("all", "downloads", "prepared")), default="all")
@click.option("--name", default="", metavar="BEGINNING", help="only entries whose name begins so")
def data_clean(kind: str, name: str) -> None:
    """Remove downloads and prepared arrays."""
    from experiments.datasets import clean
    from experiments.system.files import size

    say(f"{size(clean(kind, name))} freed")


# Journals --------------------------------------------------------------------------------------

_JOURNALS = click.argument("files", nargs=-1, required=True, metavar="FILE…", type=Path)


@commands.group()
def journal() -> None:
    """Show journals, or replay them into the tracking store."""


@journal.command("ingest")
@_JOURNALS
def journal_ingest(files: Sequence[Path]) -> int:
    """Replay journals (events.jsonl, or folders of runs) into the store. Twice changes nothing."""
    from experiments.tracking.ingest import ingest_files

    return ingest_files(_journal_files(files))


@journal.command("show")
@_JOURNALS
def journal_show(files: Sequence[Path]) -> None:
    """Print what journals contain, a line an event."""
    from experiments.journal.show import show

    for path in _journal_files(files):
        show(path)


def _journal_files(files: Sequence[Path]) -> list[Path]:
    from experiments.journal.journal import FILE_NAME

    found = [path / FILE_NAME if path.is_dir() else path for path in files]
    for path in found:
        if not path.is_file():
            raise ConfigError(f"{path}: no such journal; a run keeps it as runs/*/{FILE_NAME}")
    return found


# Server ----------------------------------------------------------------------------------------


@commands.group()
def server() -> None:
    """Start or stop a tracking server: MLflow on PostgreSQL, for this machine only."""


@server.command("start")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=5000, help="on 127.0.0.1; default: 5000"
)
def server_start(port: int) -> None:
    """Start the server; what is stored survives a stop."""
    from experiments.tracking.server import Server, server_folder

    one = Server(server_folder())
    say(f"starting PostgreSQL and MLflow in {one.folder} (up to a minute)")
    uri = one.start(port)
    named = "" if port == 5000 and uri.endswith(":5000") else f" tracking.uri={uri}"
    say(f"MLflow answers on {uri}; use it with tracking=server{named}")


@server.command("stop")
def server_stop() -> None:
    """Stop the server; what is stored stays."""
    from experiments.tracking.server import Server, server_folder

    say("stopped" if Server(server_folder()).stop() else "it was not running")


@server.command("status")
def server_status() -> int:
    """Say whether the server runs. Status 1 if it does not."""
    from experiments.tracking.server import Server, server_folder

    one = Server(server_folder())
    facts = one.running()
    say(f"MLflow answers on {facts['uri']} ({one.folder})" if facts else "not running")
    return DONE if facts else 1


# Sharing ---------------------------------------------------------------------------------------


@commands.group()
def share() -> None:
    """Pack journals into a folder that can be published, or unpack such a folder."""


@share.command("pack")
@click.argument("folders", nargs=-1, required=True, metavar="RUN…", type=Path)
@click.option("--to", "target", required=True, type=Path, help="folder to write: results/NAME")
@click.option("--command", default="", help="the command that made the runs, for NOTE.md")
@click.option("--data", multiple=True, metavar="NAME=TEXT", help="what a data set is, for NOTE.md")
@click.option("--remark", multiple=True, help="a line for NOTE.md")
def share_pack(
    folders: Sequence[Path], target: Path, command: str, data: Sequence[str], remark: Sequence[str]
) -> None:
    """Pack folders of runs without host and user names, paths and serial numbers."""
    from experiments.sharing.note import About
    from experiments.sharing.pack import pack
    from experiments.system.files import size

    if wrong := [text for text in data if "=" not in text]:
        raise ConfigError(f"--data {wrong[0]}: write NAME=TEXT")
    about = About(command, dict(text.split("=", 1) for text in data), remark)
    packed = pack(folders, target, about)
    for place, count in sorted(packed.scrubbed.items()):
        say(f"scrubbed {place} ({count} times)")
    for folder in packed.unfinished:
        say(f"left out {folder}: it has no end; ingest it first")
    say(f"{target}: {packed.runs} runs, {size(packed.size)}; read NOTE.md before you publish it")


@share.command("unpack")
@click.argument("folder", type=Path)
@click.option("--to", "target", required=True, type=Path, help="folder to write journals to")
def share_unpack(folder: Path, target: Path) -> None:
    """Unpack a folder into one journal per run, ready for `journal ingest`."""
    from experiments.sharing.pack import unpack

    paths = unpack(folder, target)
    say(f"{len(paths)} journals; next: python -m experiments journal ingest {target}/*")


if __name__ == "__main__":
    sys.exit(main())
