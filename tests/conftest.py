"""What all tests share: the project's root, real data where it is named, and a store and cache of their own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout under test."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """A folder of Keras-named data files; the test is skipped where KBB_TEST_DATA does not name one."""
    named = os.environ.get("KBB_TEST_DATA")
    if not named:
        pytest.skip("KBB_TEST_DATA names no folder with mnist.npz, imdb.npz, nietzsche.txt and CIFAR-10")
    return Path(named)


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run one of the project's commands with a store and a runs folder of its own; caches are shared."""

    def run(*arguments: str, timeout: float = 900, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {
            **os.environ, "KBB_RUNS": str(tmp_path / "runs"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}", **variables,
        }
        return subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=environment, text=True,
            capture_output=True, timeout=timeout, check=False,
        )

    return run
