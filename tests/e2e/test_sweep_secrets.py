"""A store's password is in nothing that a sweep prints, writes to disk or stores."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sweeping import ROOT, Bench

pytestmark = pytest.mark.server
SECRET = "s3cr3t"


@pytest.fixture
def port(tmp_path: Path, empty_store: Path) -> Iterator[int]:
    """MLflow's web application on an empty store; it asks nobody for a password."""
    folder = tmp_path / "server"
    folder.mkdir()
    shutil.copy(empty_store, folder / "mlflow.db")
    with sqlite3.connect(folder / "mlflow.db") as database:
        database.execute("UPDATE experiments SET artifact_location = ?", (str(folder / "kept"),))
    database.close()
    (folder / "gate.json").write_text('{"mode": "ok"}')
    command = [sys.executable, str(ROOT / "tests" / "faults" / "server.py"), str(folder), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.kill()


def leaks(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


def test_a_reached_store_s_password_is_kept_nowhere(
    bench: Bench, tmp_path: Path, port: int
) -> None:
    """Two addresses, so that the cells' titles have them."""
    place = f"127.0.0.1:{port}"
    first, second = f"http://one:p@{SECRET}@{place}", f"http://two:p/{SECRET}@{place}"
    done = bench.run("backend=jax", f"tracking.uri='{first}','{second}'", MLFLOW_TRACKING_URI="")
    assert done.returncode == 0, done.stdout
    assert "[2/2] finished  mnist_mlp jax tracking.uri='http://" in done.stdout
    assert f"http://one:***@{place}" in done.stdout and f"http://two:***@{place}" in done.stdout
    assert SECRET not in done.stdout
    kept = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert {"sweep.json", "ingested.json", "config.yaml", "plan.json", "results.json"} <= kept
    assert leaks(tmp_path) == []
    with sqlite3.connect(tmp_path / "server" / "mlflow.db") as database:
        (command,) = database.execute("SELECT value FROM tags WHERE key = 'command'").fetchone()
    database.close()
    assert "http://one:***@" in command


@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit_local"])
def test_nor_is_that_of_a_store_that_does_not_answer(
    bench: Bench, tmp_path: Path, launcher: str
) -> None:
    done = bench.run(
        "backend=jax",
        f"hydra/launcher={launcher}",
        "tracking.required=false",
        f"tracking.uri='postgresql://user:p/{SECRET}@127.0.0.1:9/db'",
    )
    assert done.returncode == 0, done.stdout
    assert "postgresql://user:***@127.0.0.1:9/db does not answer" in done.stdout
    assert SECRET not in done.stdout
    assert leaks(tmp_path) == []
