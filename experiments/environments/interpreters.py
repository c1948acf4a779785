"""Find a Python of the right minor version: this one, pyenv's, uv's, or one on PATH.

Candidates are run until one answers, mostly the first, in 0.02 s. findpython would run every Python
of the machine to sort them by version: 55 programs and 3 s here, on each start of a run.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROBE = (
    "import json, sys;"
    "print(json.dumps({'version': '%d.%d.%d' % sys.version_info[:3],"
    "'bits': 64 if sys.maxsize > 2**32 else 32,"
    "'base': getattr(sys, '_base_executable', None) or sys.executable, 'prefix': sys.base_prefix}))"
)
_PROBE_SECONDS = 30
_LAST_PATCH = {"3.6": "3.6.15", "3.7": "3.7.17"}  # older pyenvs want the whole version


@dataclass(frozen=True)
class Interpreter:
    """A Python that an environment can be made from."""

    path: Path
    version: str  # "3.6.15"
    origin: str  # what found it: "this one", "pyenv", "uv", "PATH"

    @property
    def minor(self) -> str:
        return ".".join(self.version.split(".")[:2])


def find(minor: str) -> Interpreter | None:
    """The first working 64-bit interpreter of a minor version ("3.6"), or None."""
    for origin, path in _candidates(minor):
        found = probe(path, origin)
        if found is not None and found.minor == minor:
            return found
    return None


def probe(path: Path, origin: str = "PATH") -> Interpreter | None:
    """Ask a Python about itself; None if it does not run. A virtual environment gives its base."""
    facts = _ask(path)
    if facts is None or facts["bits"] != "64":
        return None
    named = Path(facts["prefix"]) / "bin" / f"python{facts['version'].rpartition('.')[0]}"
    bases = [base for base in (Path(facts["base"]), named) if _is_base(base)]
    return Interpreter(bases[0] if bases else path, facts["version"], origin)


def _is_base(program: Path) -> bool:
    """Whether a program can be run and is outside every virtual environment.

    An environment made from a virtual environment would break with it.
    """
    return os.access(program, os.X_OK) and not (program.parent.parent / "pyvenv.cfg").exists()


def _ask(path: Path) -> dict[str, str] | None:
    # pyenv has shims for versions that are not selected, which fail: only running one tells.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    }
    command = [str(path), "-I", "-S", "-c", _PROBE]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            env=environment,
            check=True,
        )
        answer = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return {name: str(value) for name, value in answer.items()}


def _candidates(minor: str) -> Iterator[tuple[str, Path]]:
    if "{}.{}".format(*sys.version_info) == minor:
        yield "this one", Path(sys.executable)
    for version in _pyenv_versions(minor):
        yield "pyenv", version / "bin" / f"python{minor}"
    uv_python = _ask_uv(minor)
    if uv_python is not None:
        yield "uv", uv_python
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        candidate = Path(folder) / f"python{minor}"
        if folder and os.access(candidate, os.X_OK):
            yield "PATH", candidate


def _pyenv_versions(minor: str) -> list[Path]:
    """Folders of pyenv's interpreters of a minor version, newest patch first."""
    root = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser() / "versions"

    def patch(folder: Path) -> int:
        tail = folder.name.rpartition(".")[2]
        return int(tail) if tail.isdigit() else -1

    return sorted((f for f in root.glob(f"{minor}.*") if patch(f) >= 0), key=patch, reverse=True)


def install_hint(minor: str) -> str:
    """The command that installs a Python of a minor version; uv offers none below 3.8."""
    if int(minor.split(".")[1]) < 8:
        return f"pyenv install {_LAST_PATCH.get(minor, minor)}"
    uv = "uv" if shutil.which("uv") else uv_program() or "uv"
    return f"{uv} python install {minor}"


def uv_program() -> Path | None:
    """The uv that this project was installed with, else one on PATH."""
    try:
        from uv import find_uv_bin

        return Path(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
        return Path(found) if found else None


def _ask_uv(minor: str) -> Path | None:
    uv = uv_program()
    if uv is None:
        return None
    command = [
        str(uv),
        "python",
        "find",
        "--system",
        "--no-project",
        "--no-python-downloads",
        minor,
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return Path(done.stdout.strip()) if done.stdout.strip() else None
