"""python -m experiments.environments: list, build, check and clean the backends' environments."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from experiments.command import fail, guarded
from experiments.config import BackendConfig
from experiments.environments import inventory
from experiments.environments.specification import KINDS
from experiments.errors import ConfigError, EngineUnsound, UserError

HELP = """usage: python -m experiments.environments COMMAND [key=value ...]

Every backend runs in an environment of its own, described by a file in conda/.

commands:
  list    what is there, what is missing, and what it would be made with
  build   build what is missing
  check   build, and check that the engine computes what it should (kept until something changes)
  clean   remove environments that no file describes any more

keys:
  backend={backends}, several with commas, or all (the default)
  kind=cpu|gpu|all       kind of device; all is the default of list and clean, cpu of the others
  python=/path           an interpreter of your own for one backend, used as it is (build, check)
  threads=auto|N         threads of the engine while it is checked
  again=true             check although a verdict is kept
  scope=stale|all        what clean removes: all takes current environments, too

Environments are kept in {cache}; KBB_CACHE names another folder.
"""
_KEYS = {
    "list": ("backend", "kind"),
    "build": ("backend", "kind", "python"),
    "check": ("backend", "kind", "python", "threads", "again"),
    "clean": ("backend", "kind", "scope"),
}


@dataclass(frozen=True)
class Request:
    """A command line that was understood."""

    command: str
    chosen: list[tuple[BackendConfig, str]]
    threads: str = "auto"
    again: bool = False
    everything: bool = False


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives the exit status: 0, 1 where a backend failed, 2 for a line that is not understood."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or {"-h", "--help", "help"} & set(words):
        print(help_text(), end="")
        return 0 if words else 2
    return guarded(lambda: _run(words))


def _run(words: list[str]) -> int:
    request = understand(words)
    return _COMMANDS[request.command](request)


def help_text() -> str:
    """The help, with the backends and the cache of this place."""
    from experiments.environments.installed import environments_folder

    return HELP.format(backends="|".join(inventory.backends()), cache=environments_folder())


def understand(words: list[str]) -> Request:
    """Read a command line; ConfigError with the valid choices for what is not understood."""
    command, *settings = words
    if command not in _KEYS:
        raise ConfigError(f"no command {command!r}; choose one of: {', '.join(_KEYS)}")
    values = {}
    for word in settings:
        key, equals, value = word.partition("=")
        key = "python" if key == "backend.python" else key
        if not equals or key not in _KEYS[command]:
            raise ConfigError(f"{command} takes no {word!r}; its keys are: {', '.join(_KEYS[command])}, as key=value")
        values[key] = value
    scope = _one_of("scope", values.get("scope", "stale"), ("stale", "all"))
    return Request(
        command,
        _chosen(values, "all" if command in ("list", "clean") else "cpu"),
        threads=values.get("threads", "auto"),
        again=_one_of("again", values.get("again", "false"), ("true", "false")) == "true",
        everything=scope == "all",
    )


def _one_of(key: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ConfigError(f"{key}={value} is not known; choose one of: {', '.join(choices)}")
    return value


def _chosen(values: dict[str, str], kind: str) -> list[tuple[BackendConfig, str]]:
    known = inventory.backends()
    wanted = values.get("backend", "all")
    names = list(known) if wanted == "all" else wanted.split(",")
    for name in names:
        _one_of("backend", name, (*known, "all"))
    kind = _one_of("kind", values.get("kind", kind), (*KINDS, "all"))
    kinds = KINDS if kind == "all" else (kind,)
    python = values.get("python")
    if python is not None:
        if len(names) > 1:
            raise ConfigError("python=/path is for one backend; name it with backend=")
        known[names[0]] = replace(known[names[0]], python=python)
    return [(known[name], each) for each in kinds for name in names]


def _list(request: Request) -> int:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table("backend", "kind", "Python", "made with", "state", "MB", "key", box=SIMPLE_HEAD)
    table.columns[5].justify = "right"
    for backend, kind in request.chosen:
        entry = inventory.look(backend, kind)
        size = "" if entry.size_bytes is None else f"{entry.size_bytes / 1e6:,.0f}"
        key = "" if entry.folder is None else entry.folder.name.rpartition("-")[2]
        table.add_row(entry.backend, kind, entry.python, entry.found, entry.state, size, key)
    Console().print(table)
    return 0


def _build(request: Request) -> int:
    from experiments.environments.build import ensure

    def one(backend: BackendConfig, kind: str) -> None:
        environment = ensure(backend, kind, _say)
        _say(f"{environment.name}: ready, {environment.python}")

    return _each(request, one)


def _check(request: Request) -> int:
    from experiments.environments import check, ensure, resolve_threads

    threads = resolve_threads(request.threads)

    def one(backend: BackendConfig, kind: str) -> None:
        result = check(ensure(backend, kind, _say), backend, threads, _say, again=request.again)
        if result.cached:
            _say(f"{result.message} (checked before)")
        for line in result.failed:
            _say(f"  wrong: {line}")
        if not result.sound:
            raise EngineUnsound(result.message)

    return _each(request, one)


def _clean(request: Request) -> int:
    freed = inventory.clean(request.chosen, request.everything, _say)
    _say(f"{freed / 1e6:,.0f} MB freed")
    return 0


def _each(request: Request, work: Callable[[BackendConfig, str], None]) -> int:
    """Do the work for every chosen backend: one that fails does not stop the others."""
    status = 0
    for backend, kind in request.chosen:
        try:
            work(backend, kind)
        except UserError as error:
            status = fail(error, 1)
    return status


def _say(line: str) -> None:
    print(line, flush=True)


_COMMANDS: dict[str, Callable[[Request], int]] = {"list": _list, "build": _build, "check": _check, "clean": _clean}


if __name__ == "__main__":
    sys.exit(main())
