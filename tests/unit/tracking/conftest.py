"""What the tests of the store share."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.config.schema import TrackingConfig
from experiments.tracking.store import Store, connect


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh store; MLflow takes seconds to create one."""
    folder = tmp_path_factory.mktemp("store")
    connect(TrackingConfig(name="sqlite", uri=f"sqlite:///{folder / 'mlflow.db'}"))
    return folder / "mlflow.db"


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Iterator[Store]:
    """A copy of the fresh store, with its artifacts in the test's folder."""
    shutil.copy(template, tmp_path / "mlflow.db")
    database = sqlite3.connect(tmp_path / "mlflow.db")
    database.execute("UPDATE experiments SET artifact_location = ?", (str(tmp_path / "artifacts"),))
    database.commit()
    database.close()
    yield connect(TrackingConfig(name="sqlite", uri=f"sqlite:///{tmp_path / 'mlflow.db'}"))
