"""`mlflow run .`: the command of the README, in the environment that runs the tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.backends import need

pytestmark = pytest.mark.e2e


def mlflow_run(root: Path, tmp_path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    folder = Path(sys.executable).parent
    variables = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "KBB_RUNS": str(tmp_path / "runs"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}",
    }
    return subprocess.run(
        [str(folder / "mlflow"), "run", str(root), "--env-manager", "local", *arguments],
        env=variables,
        cwd=tmp_path,
        text=True,
        capture_output=True,
        timeout=900,
        check=False,
    )


def test_mlflow_run_trains_into_the_run_that_it_opened(
    root: Path, tmp_path: Path, data: list[str]
) -> None:
    need("tensorflow")
    values = [value.replace("data.dir", "data_dir") for value in data]
    done = mlflow_run(
        root,
        tmp_path,
        "-P",
        "task=mnist_mlp",
        "-P",
        "backend=tensorflow",
        "-P",
        "profile=smoke",
        "-P",
        "gpu=cpu",
        *(word for value in values for word in ("-P", value)),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    from experiments.tracking.store import quiet

    with quiet():  # SQLAlchemy's deprecations are MLflow's affair
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
        (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert run.data.params["backend"] == "tensorflow"
    assert run.data.tags["state"] in ("finished", "diverged")
    assert run.data.metrics["epochs_done"] == 2


def test_mlflow_run_refuses_a_value_in_one_line(root: Path, tmp_path: Path) -> None:
    done = mlflow_run(root, tmp_path, "-P", "epochs=abc")
    assert done.returncode != 0
    assert "epochs=abc: must be a whole number of at least 1 or auto" in done.stderr
