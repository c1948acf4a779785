"""What end-to-end tests share: the data that engines train on, and benches for sweeps."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.sweeping import Bench


@pytest.fixture(scope="session")
def data() -> list[str]:
    """Overrides for the data: real files if KBB_TEST_DATA names their folder, else synthetic."""
    named = os.environ.get("KBB_TEST_DATA")
    return ["data=local", f"data.dir={named}"] if named else ["data=synthetic"]


@pytest.fixture(scope="session")
def sweep_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of prepared data and checks, so that no test prepares them again."""
    return tmp_path_factory.mktemp("sweep-cache")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose schema is there: MLflow takes seconds to create it."""
    from experiments.config.schema import TrackingConfig
    from experiments.tracking.store import connect

    path = tmp_path_factory.mktemp("empty-store") / "mlflow.db"
    connect(TrackingConfig(name="sqlite", uri=f"sqlite:///{path}"))
    return path


@pytest.fixture
def bench(tmp_path: Path, sweep_cache: Path, empty_store: Path) -> Bench:
    """A store, a folder of runs and an engine of the test's own."""
    return Bench(tmp_path, sweep_cache, empty_store)


@pytest.fixture
def new_bench(tmp_path: Path, sweep_cache: Path) -> Callable[[str], Bench]:
    """A bench in a folder of its own without a store."""

    def make(name: str) -> Bench:
        folder = tmp_path / name
        folder.mkdir()
        return Bench(folder, sweep_cache, None)

    return make
