"""What the tests of sweeps share."""

from pathlib import Path

import pytest

from experiments.config.schema import RunConfig
from tests.support.composing import composed


@pytest.fixture(scope="module")
def config() -> RunConfig:
    return composed("task=mnist_mlp", "backend=torch", "profile=smoke", "gpu=cpu", "data=synthetic")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KBB_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"
