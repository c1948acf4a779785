"""A sweep with real engines through `mlflow run`, as the README has it."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.test_mlflow_run import mlflow_run

# MLflow's client uses a loader of SQLAlchemy's that is deprecated.
pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")]


def test_mlflow_run_sweeps_and_keeps_its_run_for_the_summary(root: Path, tmp_path: Path) -> None:
    arguments = ["-e", "sweep", "--experiment-name", "keras-backend-benchmark"]
    for value in ("backends=tensorflow,jax", "tasks=mnist_mlp,imdb_fasttext", "profile=smoke", "gpu=cpu",
                  "data=synthetic"):  # fmt: skip
        arguments += ["-P", value]
    done = mlflow_run(root, tmp_path, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    kinds = Counter(run.data.tags["kind"] for run in client.search_runs(experiments))
    assert kinds == {"run": 4, "sweep": 1}
    runs = client.search_runs(experiments, "tags.kind = 'run'")
    assert {run.data.tags["state"] for run in runs} <= {"finished", "diverged"}
    assert all(run.data.metrics["steady_train_seconds"] > 0 for run in runs)
    (summary,) = client.search_runs(experiments, "tags.kind = 'sweep'")
    assert summary.data.params["backends"] == "tensorflow,jax"  # the run that mlflow opened
    plan = json.loads(Path(client.download_artifacts(summary.info.run_id, "plan.json")).read_text())
    assert {cell["protocol_id"] for cell in plan["cells"]} == {
        run.data.tags["protocol_id"] for run in runs
    }
    again = mlflow_run(root, tmp_path, *arguments)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "4 runs are finished already" in again.stdout + again.stderr
    assert len(client.search_runs(experiments, "tags.kind = 'run'")) == 4
