"""Environments in the cache: where, which are complete, and what a process in one needs."""

import contextlib
import json
import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.environments import fixes
from experiments.environments.install import clean_environment
from experiments.errors import NotInstalled
from experiments.system.locks import file_lock, holder
from experiments.system.paths import cache_root, write_whole
from experiments.system.process import output_of

MARKER = "complete.json"
LOG = "build.log"
KERAS_HOME = "keras"


@dataclass(frozen=True)
class Environment:
    """An interpreter that a backend can be measured in."""

    python: Path
    key: str  # identity of its content
    kind: str  # "cpu" | "gpu"
    manager: str  # "conda", "mamba", "micromamba", "venv" or "named"
    folder: Path | None  # under the cache: its log, its fixes, its Keras settings
    variables: dict[str, str]  # that a process in it needs
    seconds: float  # that this call took
    name: str = ""  # theano, theano-gpu


@dataclass(frozen=True)
class Place:
    """An interpreter, and the folder in the cache that belongs to it."""

    folder: Path
    python: Path
    kind: str
    key: str
    owned: bool  # the interpreter lies in the folder, built by this project


def environments_folder() -> Path:
    """Where environments are kept."""
    return cache_root() / "envs"


def compiled_folder(fix: str, key: str) -> Path:
    """The folder of an engine's compiled functions, by environment."""
    return cache_root() / "compiled" / f"{fix.partition('_')[0]}-{key}"


def find_complete(name: str, content: str) -> Path | None:
    """The folder of a complete environment of this content whose Python still exists."""
    for marker in sorted(environments_folder().glob(f"{name}-*/{MARKER}")):
        facts = read_marker(marker.parent)
        if (
            facts
            and facts["content"] == content
            and os.access(marker.parent / facts["python"], os.X_OK)
        ):
            return marker.parent
    return None


def read_marker(folder: Path) -> dict[str, Any] | None:
    """What was written when the environment in `folder` was complete; None if it is not."""
    try:
        facts = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = (
        isinstance(facts, dict) and {"name", "content", "python", "key", "manager"} <= facts.keys()
    )
    return facts if whole else None


def write_marker(folder: Path, facts: dict[str, Any]) -> None:
    """Mark the environment in `folder` as complete, durably."""
    write_whole(folder / MARKER, json.dumps(facts, indent=1), durable=True)


def build_lock(path: Path, what: str, say: Callable[[str], None]) -> AbstractContextManager[int]:
    """Hold the lock under which `what` is built or checked; a waiting process says for which one.

    Yields the descriptor, which installers inherit: the lock holds until the last of them has
    ended.
    """

    def waiting(seconds: float) -> None:
        say(f"{what}: waiting for process {holder(path)} that builds it ({seconds:.0f} s)")

    return file_lock(path, waiting=waiting)


def write_keras_settings(folder: Path) -> None:
    """Write Keras' settings file.

    Keras would write a missing one itself, and of two processes that start at once one would read
    half.
    """
    settings = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}
    home = folder / KERAS_HOME
    home.mkdir(exist_ok=True)
    write_whole(home / "keras.json", json.dumps(settings))


def fix_target(place: Place, name: str) -> fixes.Target:
    """What the fix `name` works on in an environment, and where it keeps its products."""

    def write(line: str) -> None:
        with (place.folder / LOG).open("a", encoding="utf-8") as output:
            output.write(line + "\n")

    return fixes.Target(
        folder=place.folder / "fixes" / name,
        python=place.python,
        owned=place.owned,
        kind=place.kind,
        compiled=compiled_folder(name, place.key),
        log=write,
    )


def require_for_fixes(names: list[str], place: Place) -> None:
    """FixError if this machine lacks what a fix needs; `place.python` may not be there yet."""
    for name in names:
        fixes.find(name).require(fix_target(place, name))


def apply_fixes(names: list[str], place: Place) -> None:
    """Apply each fix; FixError if one fails."""
    for name in names:
        target = fix_target(place, name)
        target.folder.mkdir(parents=True, exist_ok=True)
        fixes.find(name).apply(target)


def fix_variables(names: list[str], place: Place) -> dict[str, str]:
    """The variables of all fixes of an environment; NotInstalled if one no longer works."""
    variables: dict[str, str] = {}
    for name in names:
        try:
            variables.update(fixes.find(name).variables(fix_target(place, name)))
        except fixes.FixError as error:
            raise NotInstalled(str(error)) from None
    return variables


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; a file linked from several places counts in full."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 (100,000 files: speed)
    return total


_SECONDS = 120


# Reads the metadata files themselves: Python 3.6 has no importlib.metadata, and some environments
# no pip.
_LIST = r"""
import glob, io, json, os, sys
found = {}
for folder in reversed([p for p in sys.path if os.path.isdir(p)]):
    for meta in glob.glob(os.path.join(folder, "*.dist-info", "METADATA")) + \
            glob.glob(os.path.join(folder, "*.egg-info", "PKG-INFO")):
        head = {}
        with io.open(meta, encoding="utf-8", errors="replace") as text:
            for line in text:
                if not line.strip():
                    break
                key, _, value = line.partition(":")
                head.setdefault(key.strip().lower(), value.strip())
        if "name" in head and "version" in head:
            found[head["name"].lower()] = head["name"] + "==" + head["version"]
print(json.dumps({"python": sys.version.replace("\n", " "), "packages": sorted(found.values(),
key=str.lower)}))
"""


def freeze(env: Environment) -> str:
    """All packages of an environment, a ``name==version`` a line, after comments on its origin.

    Raises NotInstalled if its interpreter does not run.
    """
    command = [str(env.python), "-c", _LIST]
    try:
        facts = json.loads(output_of(command, clean_environment(), _SECONDS, env.folder))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise NotInstalled(
            f"{env.python} does not list its packages: {type(error).__name__}"
        ) from None
    head = [
        f"# environment {env.name} {env.key} ({env.kind}, {env.manager})",
        f"# Python {facts['python']}",
    ]
    return "\n".join([*head, *facts["packages"]]) + "\n"
