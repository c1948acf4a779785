"""Journals of commit 94f3d13, before the redesign, give the figures that it recorded for them.

Each folder holds a run that was measured and stored by that commit: its files, with neutral host name
and paths, and recorded.json, what its store then had.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from experiments import names
from experiments.config.schema import TrackingConfig
from experiments.journal import journal
from experiments.tracking.ingest import ingest
from experiments.tracking.store import connect

pytestmark = [
    pytest.mark.golden,
    # MLflow's client uses a loader of SQLAlchemy's that is deprecated.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
]
FOLDERS = sorted((Path(__file__).parent / "journals_94f3d13").iterdir())
# What the machine was doing is stored as metrics since; a parameter for each crowded MLflow's plots.
MOVED = {"host.load_average", "host.cpu_pressure", "host.hostname"}


def test_there_are_both_generations_and_a_generated_text() -> None:
    assert [folder.name for folder in FOLDERS] == [
        "mnist_cnn_theano",
        "mnist_mlp_jax",
        "text_gen_tensorflow",
    ]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_old_journal_gives_the_recorded_run(
    folder: Path, tmp_path: Path, empty_store: Path
) -> None:
    run, files, history = ingested(folder, tmp_path, empty_store)
    recorded = json.loads((folder / "recorded.json").read_text())
    assert run.info.status == recorded["status"]
    assert {key: run.data.metrics.get(key) for key in recorded["metrics"]} == recorded["metrics"]
    assert {key: history[key] for key in recorded["history"]} == recorded["history"]
    kept = {key: value for key, value in recorded["params"].items() if key not in MOVED}
    assert {key: run.data.params.get(key) for key in kept} == kept
    assert {key: run.data.tags.get(key) for key in recorded["tags"]} == recorded["tags"]
    assert files == {path.name for path in folder.iterdir()} - {"recorded.json"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_old_run_gets_the_identity_that_is_compared_today(
    folder: Path, tmp_path: Path, empty_store: Path
) -> None:
    run, _, _ = ingested(folder, tmp_path, empty_store)
    assert len(run.data.tags[names.TAG_WORK]) == 12
    assert json.loads(run.data.tags[names.TAG_STACK])["backend"] == run.data.params["backend"]
    assert json.loads(run.data.tags[names.TAG_PLACE])["threads"] == "2"


def ingested(
    folder: Path, tmp_path: Path, empty_store: Path
) -> tuple[Any, set[str], dict[str, list[list[float]]]]:
    """The run in a store of its own, its artifacts' names, and [step, value] of each metric."""
    copy = shutil.copytree(folder, tmp_path / folder.name)
    uri = f"sqlite:///{shutil.copy(empty_store, tmp_path / 'mlflow.db')}"
    store = connect(TrackingConfig(name="sqlite", uri=uri))
    assert "4 epochs" in ingest(copy / journal.FILE_NAME, store)
    (run,) = store.client.search_runs([store.experiment_id])
    files = {Path(found.path).name for found in store.client.list_artifacts(run.info.run_id)}
    history = {
        key: [[m.step, m.value] for m in store.client.get_metric_history(run.info.run_id, key)]
        for key in run.data.metrics
    }
    return run, files, history
