"""Backends that cannot be built here: one line each before the sweep, and the exit status."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sweeping import GRID, ROOT, Bench

pytestmark = pytest.mark.e2e


@pytest.fixture
def without_python36(tmp_path: Path) -> dict[str, str]:
    """Variables under which no Python 3.6 and no conda is found, and nothing is built yet."""
    folders = [
        folder
        for folder in os.environ["PATH"].split(os.pathsep)
        if not any(shutil.which(name, path=folder) for name in ("python3.6", "conda", "mamba"))
    ]
    return {
        "PATH": os.pathsep.join(folders),
        "PYENV_ROOT": str(tmp_path / "no-pyenv"),
        "CONDA_EXE": "",
        "MAMBA_EXE": "",
        "KBB_CACHE": str(tmp_path / "cache"),
    }


def command(
    script: str, *arguments: str, variables: dict[str, str]
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, f"experiments/{script}.py", *arguments],
        cwd=ROOT,
        env=variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )


def test_a_backend_that_cannot_be_built_costs_a_sweep_one_line(
    bench: Bench, without_python36: dict[str, str]
) -> None:
    grid = ("task=mnist_mlp,text_gen", "backend=theano,cntk")
    variables = bench.variables(**without_python36)
    done = command("sweep", "-m", *GRID, *grid, variables=variables)
    assert done.returncode == 1, done.stdout
    told = [line for line in done.stdout.splitlines() if "needs Python 3.6" in line]
    starts = " is not measured, all 2 cells are recorded as not_installed: "
    assert sorted(line.partition(":")[0] + ": " for line in told) == [
        f"CNTK{starts}",
        f"Theano{starts}",
    ]
    assert "0 finished, 4 failed, 0 left" in done.stdout
    assert "mnist_mlp theano" not in done.stdout.partition("cells are recorded")[2]
    stored = [(run.data.params["task"], run.data.params["backend"], run.data.tags["state"])
              for run in bench.stored()]  # fmt: skip
    assert sorted(stored) == [
        (task, backend, "not_installed")
        for task in ("mnist_mlp", "text_gen")
        for backend in ("cntk", "theano")
    ]


def test_the_default_backend_is_one_that_can_be_built_here(
    bench: Bench, without_python36: dict[str, str]
) -> None:
    """It stops before anything is built, at a value that no run takes."""
    variables = bench.variables(**without_python36)
    done = command("train", *GRID, "epochs=0", variables=variables)
    said, refused = done.stdout.splitlines()
    assert (
        said == "backend=tensorflow2 (no Python 3.6 here for tensorflow; name a backend to choose)"
    )
    assert refused.startswith("error: epochs=0: must be") and done.returncode == 2
    named = command("train", *GRID, "epochs=0", "backend=tensorflow", variables=variables)
    assert named.stdout == f"{refused}\n"
