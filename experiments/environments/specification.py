"""What conda/*.yaml says about a backend's environment: its Python and its pins.

The files are conda's own environment files, so `conda env create -f` takes them too. A backend's
interpreter and versions are stated nowhere else.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from experiments.errors import ConfigError
from experiments.system.paths import project_root

KINDS = ("cpu", "gpu")
# Conda packages that every Python environment has; all others need conda itself.
_TOOLS = ("pip", "setuptools", "wheel")


@dataclass(frozen=True)
class Specification:
    """One environment file, read and checked."""

    name: str  # theano, theano-gpu
    path: Path
    python: str  # minor version, "3.6"
    tools: tuple[str, ...]  # pip requirements of the installer, "pip==21.3.1"; may be empty
    pins: tuple[str, ...]  # pip requirements of the environment
    conda_only: tuple[str, ...]  # conda packages that pip does not have
    digest: str  # sha256 of the file's meaning: comments and blank lines do not count

    @property
    def legacy(self) -> bool:
        """Whether this Python is older than uv and today's pip support."""
        return tuple(int(part) for part in self.python.split(".")) < (3, 8)


def conda_folder() -> Path:
    """Where the environment files lie."""
    return project_root() / "conda"


def environment_file(environment: str, kind: str) -> Path:
    """The file of an `environment` for one kind of device: a name in conda/, or your own path."""
    if kind not in KINDS:
        raise ConfigError(f"environment kind {kind!r} is unknown; choose from {', '.join(KINDS)}")
    suffix = "-gpu" if kind == "gpu" else ""
    if environment.endswith((".yaml", ".yml")):
        own = project_root() / Path(environment).expanduser()
        return own.with_name(f"{own.stem}{suffix}{own.suffix}")
    return conda_folder() / f"{environment}{suffix}.yaml"


def read(environment: str, kind: str) -> Specification:
    """Read one environment file.

    Raises ConfigError if there is no such file, or if it is not a conda environment file with
    pinned pip requirements.
    """
    path = environment_file(environment, kind)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = ", ".join(sorted(file.stem for file in conda_folder().glob("*.yaml")))
        raise ConfigError(f"no environment file {path}; choose from {there}") from None
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"environment file {path} cannot be read: {_one_line(error)}") from None
    return _parse(path, content)


def _parse(path: Path, content: Any) -> Specification:
    dependencies = content.get("dependencies") if isinstance(content, dict) else None
    if not isinstance(dependencies, list):
        raise ConfigError(f"environment file {path} has no list of dependencies")
    conda: dict[str, str] = {}
    pins: list[str] = []
    for entry in dependencies:
        if isinstance(entry, dict):
            pins += [str(pin) for pin in entry.get("pip") or []]
        else:
            name, _, version = str(entry).partition("=")
            conda[name.strip()] = version.strip("= ")
    python = re.fullmatch(r"(\d+\.\d+)(?:\.\d+)?", conda.pop("python", ""))
    if python is None:
        raise ConfigError(
            f"environment file {path} names no Python; add a dependency such as python=3.11"
        )
    loose = [pin for pin in pins if "==" not in pin and " @ " not in pin]
    if loose:
        raise ConfigError(
            f"environment file {path} leaves {loose[0]!r} unpinned; write name==version"
        )
    tools = tuple(f"{name}=={conda[name]}" for name in _TOOLS if conda.get(name))
    only = tuple(
        f"{name}={version}" if version else name
        for name, version in conda.items()
        if name not in _TOOLS
    )
    meaning = repr((content.get("channels"), python[1], tools, sorted(pins), only))
    return Specification(
        name=path.stem,
        path=path,
        python=python[1],
        tools=tools,
        pins=tuple(pins),
        conda_only=only,
        digest=hashlib.sha256(meaning.encode()).hexdigest(),
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
