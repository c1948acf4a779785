"""`env`: the environments that backends run in."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from experiments.cli.console import say
from experiments.config import members
from experiments.errors import DONE, ConfigError, UserError, fail

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


class _WithCache(click.Group):
    """A group whose help ends with the folder that it works on."""

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the folder in full: it depends on KBB_CACHE and on the user."""
        from experiments.environments.installed import environments_folder

        formatter.write_paragraph()
        formatter.write_text(
            f"Environments are kept in {environments_folder()}; KBB_CACHE names another cache."
        )


@click.group(cls=_WithCache)
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
