"""One exit status for each kind of error, in every command of both packages."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., "subprocess.CompletedProcess[str]"]
TRAIN = ("experiments/train.py", "task=mnist_mlp", "profile=smoke", "data=synthetic", "gpu=cpu")
SWEEP = ("experiments/sweep.py", "-m", *TRAIN[1:])
NOWHERE = "tracking.uri=sqlite:////dev/null/mlflow.db"
# What each command imports once its arguments are accepted.
WORK = {
    TRAIN: "experiments.runs.run",
    SWEEP: "experiments.sweeps.sweep",
    ("-m", "experiments", "data", "list"): "experiments.datasets",
    ("-m", "analysis", "tables"): "analysis.store.read",
}
FINDER = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            raise {error}

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("experiments/train.py", "backend=nope"),
        (*TRAIN, NOWHERE),
        ("experiments/sweep.py", "-m", "backend=jax,nope"),
        (*SWEEP, NOWHERE),
        ("-m", "experiments", "nope"),
        ("-m", "experiments", "env", "build", "nope"),
        ("-m", "experiments", "journal", "ingest", "/nowhere"),
        ("-m", "analysis", "nope"),
        ("-m", "analysis", "tables", "--uri", "sqlite:////nowhere/mlflow.db"),
        ("-m", "analysis", "compare", "backend=jax"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_2(command: Command, arguments: tuple[str, ...]) -> None:
    done = command(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        (*TRAIN, "tracking=journal", "backend.python=/bin/false"),
        (*SWEEP, "tracking=journal", "backend.python=/bin/false"),
        ("-m", "experiments", "env", "check", "jax", "--python", "/bin/false"),
        ("-m", "experiments", "server", "status"),
    ],
    ids=" ".join,
)
def test_what_was_asked_for_and_failed_is_1(
    command: Command, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    done = command(*arguments, KBB_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        ('ZeroDivisionError("planted")', 70, "error: ZeroDivisionError: planted (a bug; traceback"),
        ("KeyboardInterrupt", 130, ""),
    ],
    ids=["a bug is 70", "an interrupt is 130"],
)
@pytest.mark.parametrize("arguments", WORK, ids=" ".join)
def test_what_strikes_a_command_at_work(
    command: Command,
    arguments: tuple[str, ...],
    error: str,
    status: int,
    says: str,
    tmp_path: Path,
) -> None:
    planted = FINDER.format(module=WORK[arguments], error=error)
    (tmp_path / "sitecustomize.py").write_text(planted)
    done = command(*arguments, PYTHONPATH=str(tmp_path))
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith(says) and done.stderr.count("\n") == 1
    assert says or done.stderr in ("\n", "interrupted\n")  # click ends the line alone
    assert len(list(tmp_path.glob("runs/error-*.log"))) == (status == 70)
