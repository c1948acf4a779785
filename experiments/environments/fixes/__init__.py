"""What an environment needs beyond its packages: one module per fix, found by name.

A fix module has

- ``require(target: Target) -> None``: FixError in one line if this machine lacks what it needs;
- ``apply(target: Target) -> None``: make what is missing, or raise FixError;
- ``variables(target: Target) -> dict[str, str]``: what a process in the environment must set.

`require` runs before an environment is built, while nothing is downloaded; `apply` at the end of
the build; `variables` at every use, so it must be quick.
"""

import hashlib
import importlib
import pkgutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.environments.install import clean_environment
from experiments.errors import ConfigError


class FixError(Exception):
    """A fix cannot be made here; the message is one line with what would help."""


@dataclass(frozen=True)
class Target:
    """The environment that a fix works on."""

    folder: Path  # of this fix's own products
    python: Path
    owned: bool  # built by this project; nothing is added to an interpreter that the user names
    kind: str  # "cpu" | "gpu"
    compiled: Path  # where an engine keeps what it compiles; may not exist yet
    log: Callable[[str], None]


def find(name: str) -> Any:
    """The module of a fix; ConfigError with the choices if there is none."""
    choices = sorted(module.name for module in pkgutil.iter_modules(__path__))
    if name not in choices:
        raise ConfigError(f"there is no fix {name!r}; choose from {', '.join(choices)}")
    return importlib.import_module(f"{__name__}.{name}")


def digest(names: Sequence[str]) -> str:
    """sha256 over the source of the named fixes: a changed fix means another environment."""
    total = hashlib.sha256()
    for name in names:
        total.update(name.encode() + b"\0" + Path(find(name).__file__).read_bytes())
    return total.hexdigest()


def capture(command: Sequence[str | Path], target: Target) -> str:
    """Standard output of a command, the rest logged; FixError with the last line if it fails."""
    words = [str(word) for word in command]
    target.log("$ " + " ".join(words))
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env=clean_environment(),
        )
    except OSError as error:
        raise FixError(f"{words[0]} does not start: {error.strerror}") from None
    if done.stderr.strip():
        target.log(done.stderr.rstrip())
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise FixError(f"{Path(words[0]).name}: {last}")
    return done.stdout
