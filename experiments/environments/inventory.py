"""Cached environments, and which of them are stale."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from experiments.config.schema import BackendConfig
from experiments.environments import install, installed, interpreters
from experiments.environments.build import Recipe, lock_file, recipe_of
from experiments.environments.soundness import checks_folder
from experiments.environments.specification import Specification
from experiments.errors import NotInstalled
from experiments.system.files import size as read_size
from experiments.system.locks import is_held
from experiments.system.paths import cache_root

Say = Callable[[str], None]
BUILT, BUILDING, UNFINISHED, STALE, MISSING = "built", "building", "unfinished", "stale", "missing"


@dataclass(frozen=True)
class Entry:
    """One backend's environment for one kind of device, as it stands."""

    backend: str
    kind: str
    python: str  # that it needs, "3.6"
    found: str  # what it would be, or was, made with
    state: str  # built, building, unfinished (cut off), stale (of an older file) or missing
    size_bytes: int | None
    folder: Path | None


def look(backend: BackendConfig, kind: str) -> Entry:
    """How the environment of `backend` stands."""
    recipe = recipe_of(backend, kind)
    needs = recipe.wanted.python
    folder = installed.find_complete(recipe.name, recipe.content)
    if folder is not None:
        facts = installed.read_marker(folder) or {}
        found = f"{facts.get('version')} ({facts.get('manager')})"
        return Entry(backend.name, kind, needs, found, BUILT, facts.get("bytes"), folder)
    state, others = MISSING, _folders(recipe.name)
    if is_held(lock_file(recipe)):
        state = BUILDING
    elif others:
        whole = any(installed.read_marker(other) for other in others)
        state = STALE if whole else UNFINISHED
    size = sum(installed.folder_bytes(other) for other in others) if others else None
    return Entry(
        backend.name,
        kind,
        needs,
        available(recipe.wanted),
        state,
        size,
        others[0] if others else None,
    )


def available(wanted: Specification) -> str:
    """What an environment would be made with here, in words; "none" if nothing is suitable."""
    conda = install.conda_program()
    if conda is not None:
        return f"{wanted.python} ({conda.name})"
    if wanted.conda_only:
        return "none (needs conda)"
    interpreter = interpreters.find(wanted.python)
    return f"{interpreter.version} ({interpreter.origin})" if interpreter else "none"


def _folders(name: str) -> list[Path]:
    """All folders of an environment, complete or not. The key follows the last hyphen."""
    return sorted(
        folder
        for folder in installed.environments_folder().glob(f"{name}-*")
        if folder.is_dir() and folder.name.rpartition("-")[0] == name
    )


def clean(chosen: Iterable[tuple[BackendConfig, str]], everything: bool, say: Say) -> int:
    """Remove stale environments, or `everything` of the chosen; returns the bytes freed.

    Stale: no file in conda/ describes it any more. Its verdicts and compiled functions are removed
    with it. One that is being built is skipped. Nothing outside the cache is touched.
    """
    freed = 0
    for backend, kind in chosen:
        recipe = recipe_of(backend, kind)
        if is_held(lock_file(recipe)):
            say(f"{recipe.name}: is being built; skipped")
            continue
        current = installed.find_complete(recipe.name, recipe.content)
        for folder in _folders(recipe.name) + (
            _folders(_named(backend, kind)) if everything else []
        ):
            if everything or folder != current:
                freed += _remove(folder, recipe, say)
    return freed


def _named(backend: BackendConfig, kind: str) -> str:
    return f"{backend.name}-named" if kind == "cpu" else f"{backend.name}-gpu-named"


def _remove(folder: Path, recipe: Recipe, say: Say) -> int:
    key = folder.name.rpartition("-")[2]
    compiled = sorted((cache_root() / "compiled").glob(f"*-{key}"))
    size = sum(installed.folder_bytes(each) for each in (folder, *compiled))
    try:
        # The marker first, so that what is left never looks complete.
        (folder / installed.MARKER).unlink(missing_ok=True)
        for each in (folder, *compiled):
            shutil.rmtree(each)
        for verdict in checks_folder().glob(f"{folder.name}-*"):
            verdict.unlink()
    except OSError as error:
        raise NotInstalled(f"cannot remove {error.filename or folder}: {error.strerror}") from None
    say(f"{recipe.name}: removed {folder} ({read_size(size)})")
    return size
