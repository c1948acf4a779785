"""The two ways to make an environment: a conda program, or a venv filled by uv or pip."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from experiments.environments import steps
from experiments.environments.interpreters import Interpreter, uv_program
from experiments.environments.specification import Specification

Say = Callable[[str], None]
_CONDA_PROGRAMS = ("conda", "mamba", "micromamba")
_INSTALLERS = ("pip", "setuptools", "wheel")
# The caller's variables that would break pip, uv or another Python.
_MISLEADING = (
    *("PYTHON", "VIRTUAL_ENV", "CONDA_PREFIX", "MLFLOW_"),
    *("PIP_NO_CACHE_DIR", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_CONSTRAINT", "PIP_REQUIRE"),
    *(
        "UV_TARGET",
        "UV_PREFIX",
        "UV_SYSTEM_PYTHON",
        "UV_CONSTRAINT",
        "UV_OVERRIDE",
        "UV_PROJECT",
        "UV_PYTHON",
    ),
)


@dataclass(frozen=True)
class Step:
    """What every step of a build shares."""

    prefix: Path  # the environment itself
    log: Path
    say: Say
    title: str  # what progress lines begin with
    keep: int | None  # file descriptor of the lock, inherited by the installers

    def run(self, command: list[str | Path], what: str) -> None:
        steps.run(
            command,
            self.log,
            self.say,
            f"{self.title}: {what}",
            clean_environment(),
            keep=self.keep,
        )


def clean_environment() -> dict[str, str]:
    """The caller's variables without those that would mix another Python into the environment."""
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(_MISLEADING)
    }
    variables.update(
        PYTHONNOUSERSITE="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", NO_COLOR="1"
    )
    variables.update(
        PIP_NO_WARN_SCRIPT_LOCATION="1", PIP_ROOT_USER_ACTION="ignore", CONDA_ALWAYS_YES="true"
    )
    # uv reads none of pip's settings: those that say where packages come from are passed on.
    for pip, uv in (
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
        ("PIP_CERT", "SSL_CERT_FILE"),
    ):
        if variables.get(pip):
            variables.setdefault(uv, variables[pip])
    return variables


def uv_settings() -> list[str]:
    """Options of `uv pip install` for what pip reads from the environment: folders of wheels."""
    options = ["--no-progress"]
    for place in os.environ.get("PIP_FIND_LINKS", "").split():
        options += ["--find-links", place]
    return options


def conda_program() -> Path | None:
    """conda, mamba or micromamba, on PATH or as an activated shell names it."""
    for name in _CONDA_PROGRAMS:
        found = shutil.which(name)
        if found:
            return Path(found)
    for variable in ("CONDA_EXE", "MAMBA_EXE"):
        named = os.environ.get(variable)
        if named and os.access(named, os.X_OK):
            return Path(named)
    return None


def with_conda(program: Path, specification: Specification, step: Step) -> None:
    """Create the environment with a conda program."""
    verb = ["create", "--yes"] if program.name.startswith("micromamba") else ["env", "create"]
    step.run(
        [program, *verb, "--prefix", step.prefix, "--file", specification.path],
        f"{program.name} creates it from {specification.path.name}",
    )


def with_venv(interpreter: Interpreter, specification: Specification, step: Step) -> None:
    """Create a venv and fill it with the pins.

    uv does not support old interpreters. Those are filled by their pip with --no-deps, since its
    resolver does not understand today's metadata; their list of pins is complete. Neither compiles
    bytecode: of thousands of modules the engine's check, before any run, compiles those in use.
    """
    python = step.prefix / "bin" / "python"
    uv = None if specification.legacy else uv_program()
    bare = ["--without-pip"] if uv is not None else []
    step.run([interpreter.path, "-m", "venv", *bare, step.prefix], "making the virtual environment")
    requirements = step.log.parent / "requirements.txt"
    requirements.write_text("".join(f"{pin}\n" for pin in specification.pins), encoding="utf-8")
    if uv is not None:
        command: list[str | Path] = [uv, "pip", "install", "--python", python, *uv_settings()]
    else:
        command = [python, "-m", "pip", "install", "--no-compile"]
        if os.environ.get("PIP_NO_CACHE_DIR"):
            command.append("--no-cache-dir")  # as a variable it crashes the pip of Python 3.6
        tools = specification.tools + tuple(
            pin for pin in specification.pins if _project(pin) in _INSTALLERS
        )
        if tools:
            step.run([*command, *tools], f"installing {', '.join(tools)}")
    if specification.pins:
        complete = ["--no-deps"] if specification.legacy else []
        step.run(
            [*command, *complete, "-r", requirements],
            f"installing {len(specification.pins)} packages",
        )


def _project(pin: str) -> str:
    return pin.partition("=")[0].partition("[")[0].strip().lower()
