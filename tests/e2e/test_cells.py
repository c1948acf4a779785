"""Real engines: each of the six backends, each of the six tasks, by the command of the README.

The data are real if KBB_TEST_DATA names a folder of them, else synthetic; engines cannot tell.

KBB_ALL_CELLS=1 trains all 36 cells; without it a set in which every backend and every task appears.
"""

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.backends import need

TASKS = sorted(path.stem for path in (Path(__file__).parents[2] / "conf" / "task").glob("*.yaml"))
BACKENDS = sorted(
    path.stem for path in (Path(__file__).parents[2] / "conf" / "backend").glob("*.yaml")
)
# Theano compiles an LSTM for minutes, so its second cell is a cheap one.
CHOSEN = [("mnist_mlp", backend) for backend in BACKENDS] + [
    ("text_gen", "cntk"),
    ("imdb_bilstm", "tensorflow"),
    ("imdb_fasttext", "theano"),
    ("mnist_cnn", "jax"),
    ("cifar10_cnn", "torch"),
    ("text_gen", "tensorflow2"),
    ("imdb_bilstm", "jax"),
]
# Two threads of CNTK spin where another test has the other processor: seconds become a minute. One
# does not, and its engine is checked anew for it.
ONE_THREAD = [("text_gen", "cntk")]
CELLS = [(t, b) for b in BACKENDS for t in TASKS] if os.environ.get("KBB_ALL_CELLS") else CHOSEN
# A backend's first cell builds its environment and checks its engine; Theano compiles for minutes.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]
Command = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize(
    ("task", "backend"), CELLS, ids=[f"{task}-{backend}" for task, backend in CELLS]
)
def test_cell_trains(
    task: str,
    backend: str,
    command: Command,
    data: list[str],
    empty_store: Path,
    tmp_path: Path,
) -> None:
    need(backend)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    done = command(
        "experiments/train.py",
        f"task={task}",
        f"backend={backend}",
        "profile=smoke",
        "gpu=cpu",
        *data,
        *(["threads=1"] if (task, backend) in ONE_THREAD else []),
        timeout=1700,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    events = _journal(tmp_path)
    epochs = [event for event in events if event["event"] == "epoch"]
    assert [event["epoch"] for event in epochs] == [1, 2]
    assert all(event["train_seconds"] > 0 and event["validation_seconds"] > 0 for event in epochs)
    assert all(
        math.isfinite(event["loss"]) and math.isfinite(event["val_loss"]) for event in epochs
    )
    assert events[-1]["state"] in (
        "finished",
        "diverged",
    )  # two smoke epochs may stay below the floor
    imported = next(event for event in events if event["event"] == "imported")
    expected = {"tensorflow2": "tensorflow"}.get(backend, backend)
    assert imported["keras_backend"] == expected
    prepared = next(event for event in events if event["event"] == "prepared")
    assert f"data={prepared['data_source']}" == data[0]
    _check_store(tmp_path, task, backend)
    if task == "text_gen":
        sample = next((tmp_path / "runs").glob("*/sample.txt")).read_text(encoding="utf-8")
        assert len(sample) >= 400


def _journal(folder: Path) -> list[dict[str, object]]:
    (path,) = (folder / "runs").glob("*/events.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _check_store(folder: Path, task: str, backend: str) -> None:
    from experiments.tracking.store import quiet

    with quiet():  # SQLAlchemy's deprecations are MLflow's affair
        _check_run(folder, task, backend)


def _check_run(folder: Path, task: str, backend: str) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("keras-backend-benchmark")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert (run.data.params["task"], run.data.params["backend"]) == (task, backend)
    steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "epoch_seconds")]
    assert steps == [1, 2]
    assert run.data.metrics["steady_train_seconds"] > 0
    assert {"config.yaml", "events.jsonl", "worker.log", "environment.txt"} <= {
        item.path for item in client.list_artifacts(run.info.run_id)
    }
