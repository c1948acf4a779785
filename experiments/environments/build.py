"""Find or build a backend's environment in the cache: once, under a lock, all or nothing."""

import hashlib
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.config.schema import BackendConfig
from experiments.environments import (
    fixes,
    install,
    installed,
    interpreters,
    named,
    specification,
)
from experiments.environments.installed import Environment, Place, build_lock
from experiments.environments.specification import Specification
from experiments.environments.steps import StepError
from experiments.errors import NotInstalled
from experiments.system.files import writing

Say = Callable[[str], None]
_SCHEMA = 1


class BuildError(NotInstalled):
    """An environment could not be built; `log` has all output and `tail` its last lines."""

    def __init__(self, message: str, log: Path | None = None, tail: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.log = log
        self.tail = tail


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what is built."""

    wanted: Specification
    fixes: list[str]
    kind: str
    content: str  # sha256 of all of it

    @property
    def name(self) -> str:
        return self.wanted.name


@dataclass(frozen=True)
class Manager:
    """One way to make an environment here."""

    name: str
    version: str  # of the interpreter it will make
    make: Callable[[install.Step], None]  # the environment, in the step's prefix

    def key(self, recipe: Recipe) -> str:
        whole = "\n".join([recipe.content, self.name, self.version])
        return hashlib.sha256(whole.encode()).hexdigest()[:12]


def recipe_of(backend: BackendConfig, kind: str) -> Recipe:
    """What the environment of a backend is made of; ConfigError for a missing or bad file."""
    wanted = specification.read(backend.environment, kind)
    names = list(backend.fixes)
    machine = [platform.system(), platform.machine()]
    whole = "\n".join([str(_SCHEMA), wanted.name, wanted.digest, fixes.digest(names), *machine])
    return Recipe(wanted, names, kind, hashlib.sha256(whole.encode()).hexdigest())


def lock_file(recipe: Recipe) -> Path:
    """The lock under which an environment of this content is built."""
    return installed.environments_folder() / ".locks" / f"{recipe.name}-{recipe.content[:12]}.lock"


def ensure(backend: BackendConfig, kind: str, say: Say) -> Environment:
    """The environment of `backend` for a kind of device ("cpu" or "gpu"), built first if missing.

    Raises NotInstalled if no interpreter was found or the one that the user names cannot be used,
    BuildError (a NotInstalled) if the build fails, after the log's last lines were said, and
    ConfigError for a missing or bad environment file.
    """
    begin = time.monotonic()
    if backend.python:
        return named.use(backend, kind, say)
    recipe = recipe_of(backend, kind)
    folder = installed.find_complete(recipe.name, recipe.content)
    if folder is None:
        lock = lock_file(recipe)
        with (
            writing(installed.environments_folder(), NotInstalled),
            build_lock(lock, recipe.name, say) as handle,
        ):
            folder = installed.find_complete(recipe.name, recipe.content)
            if folder is None:
                folder = _build(recipe, say, handle)
    return _environment(recipe, folder, begin)


def _environment(recipe: Recipe, folder: Path, begin: float) -> Environment:
    facts = installed.read_marker(folder)
    if facts is None:
        raise NotInstalled(f"the environment in {folder} was removed in the meantime; try again")
    place = Place(folder, folder / facts["python"], recipe.kind, facts["key"], owned=True)
    return Environment(
        python=place.python,
        key=place.key,
        kind=recipe.kind,
        manager=facts["manager"],
        folder=folder,
        variables=installed.fix_variables(recipe.fixes, place),
        seconds=time.monotonic() - begin,
        name=recipe.name,
    )


def _build(recipe: Recipe, say: Say, lock: int) -> Path:
    """Try this machine's managers in order; returns the folder of the complete environment."""
    failure: BuildError | None = None
    for manager in managers(recipe.wanted):
        if failure is not None:
            say(f"{failure}; trying {manager.name} instead")
        folder = installed.environments_folder() / f"{recipe.name}-{manager.key(recipe)}"
        try:
            _build_in(folder, recipe, manager, say, lock=lock)
            return folder
        except BuildError as error:
            failure = error
            for line in error.tail:
                say(f"  | {line}")
    raise failure or NotInstalled(_not_found(recipe.wanted))


def managers(wanted: Specification) -> Iterator[Manager]:
    """The ways to make an environment that this machine has, best first."""
    conda = install.conda_program()
    if conda is not None:
        yield Manager(
            conda.name, wanted.python, lambda step: install.with_conda(conda, wanted, step)
        )
    if wanted.conda_only:
        return
    interpreter = interpreters.find(wanted.python)
    if interpreter is not None:
        yield Manager(
            "venv", interpreter.version, lambda step: install.with_venv(interpreter, wanted, step)
        )


def _not_found(wanted: Specification) -> str:
    """One line: what was looked for, and the command that installs it."""
    name_one = "or name one with backend.python=/path"
    if wanted.conda_only:
        only = ", ".join(wanted.conda_only)
        return (
            f"{wanted.name} needs conda, mamba or micromamba for {only}, and none is on PATH; "
            f"install one, {name_one}"
        )
    get = interpreters.install_hint(wanted.python)
    return (
        f"{wanted.name} needs Python {wanted.python}: no conda, mamba or micromamba on PATH, and "
        f"no python{wanted.python} from pyenv, uv or PATH; install it with `{get}`, {name_one}"
    )


def _build_in(folder: Path, recipe: Recipe, manager: Manager, say: Say, *, lock: int) -> None:
    """Build into `folder`, its marker last.

    It is built in its final place, since installed scripts contain the folder's path.
    """
    begin = time.monotonic()
    name = recipe.name
    place = Place(
        folder, folder / "env" / "bin" / "python", recipe.kind, manager.key(recipe), owned=True
    )
    _require(recipe, place)
    if folder.exists():
        say(f"{name}: an earlier build in {folder} was interrupted; building it again")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    log = folder / installed.LOG
    say(
        f"{name}: building its environment with {manager.name} (Python {manager.version}) "
        f"in {folder}, once"
    )
    try:
        manager.make(install.Step(place.python.parent.parent, log, say, name, lock))
        if recipe.fixes:
            say(f"{name}: {', '.join(recipe.fixes)}")
        installed.apply_fixes(recipe.fixes, place)
    except (StepError, fixes.FixError) as error:
        reason = (
            f"{name}: its environment could not be built with {manager.name}: {error} (log: {log})"
        )
        raise BuildError(reason, log, getattr(error, "tail", ())) from None
    installed.write_keras_settings(folder)
    seconds = time.monotonic() - begin
    facts = {
        "schema": _SCHEMA,
        "name": name,
        "content": recipe.content,
        "key": place.key,
        "manager": manager.name,
        "version": manager.version,
        "python": str(place.python.relative_to(folder)),
        "seconds": round(seconds, 1),
        "bytes": installed.folder_bytes(folder),
        "built": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    installed.write_marker(folder, facts)
    say(f"{name}: built in {seconds:.0f} s")


def _require(recipe: Recipe, place: Place) -> None:
    """NotInstalled, before anything is downloaded, if this machine lacks what a fix needs."""
    try:
        installed.require_for_fixes(recipe.fixes, place)
    except fixes.FixError as error:
        raise NotInstalled(f"{recipe.name}: {error}") from None
