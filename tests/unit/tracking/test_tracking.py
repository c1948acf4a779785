"""A real SQLite store: what a journal becomes there, once, however often it is told."""

import json
import math
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments import names
from experiments.config.schema import TrackingConfig
from experiments.errors import TrackingError, UserError
from experiments.journal import journal
from experiments.tracking import ingest as ingesting
from experiments.tracking.ingest import in_use, ingest, pending, read_mark
from experiments.tracking.recorder import Recorder
from experiments.tracking.store import Store, connect
from tests.support.journals import EPOCHS, complete_journal


def rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """All that the store holds about runs, table by table."""
    database = sqlite3.connect(store.uri.removeprefix("sqlite:///"))
    tables = (
        "runs",
        "metrics",
        "latest_metrics",
        "params",
        "tags",
        "datasets",
        "inputs",
        "input_tags",
    )
    found = {
        table: sorted(map(repr, database.execute(f"SELECT * FROM {table}"))) for table in tables
    }
    database.close()
    return found


def histories(store: Store, run_id: str) -> dict[str, list[tuple[int, float]]]:
    return {
        key: [
            (metric.step, metric.value) for metric in store.client.get_metric_history(run_id, key)
        ]
        for key in names.EPOCH_METRICS
    }


def test_journal_becomes_one_run(store: Store, tmp_path: Path) -> None:
    path = complete_journal(tmp_path / "run")
    said = ingest(path, store)
    run = store.client.search_runs([store.experiment_id])[0]
    assert said == f"run {run.info.run_id}, 3 epochs"
    assert (
        run.info.status == "FINISHED"
        and run.info.start_time == 1_000_000
        and run.info.end_time == 1_010_000
    )
    assert run.data.tags[names.TAG_STATE] == "finished" and run.data.tags[names.TAG_REASON] == ""
    assert run.data.tags[names.TAG_PROTOCOL] == "0123456789ab"
    assert run.data.tags[names.TAG_FLAGS] == "noisy,loaded"
    assert (
        run.data.params["task"] == "mnist_mlp"
        and run.data.params["hp.optimizer.learning_rate"] == "0.001"
    )
    assert run.data.params["version.keras"] == "3.15.1" and run.data.params["run.tf32"] == "false"
    assert run.data.tags[names.TAG_STEADY] == "2 2"
    assert run.data.metrics["steady_train_seconds"] == 2.0 and run.data.metrics["epochs_done"] == 3
    assert run.data.metrics["parameters"] == 1000 and run.data.metrics["total_seconds"] == 9.5
    assert set(run.data.metrics) <= {*names.EPOCH_METRICS, *names.SUMMARY_METRICS}
    assert histories(store, run.info.run_id)["loss"] == [(1, 1.0), (2, 0.5), (3, 0.25)]
    assert [entry.dataset.name for entry in run.inputs.dataset_inputs] == ["mnist"]
    assert {file.path for file in store.client.list_artifacts(run.info.run_id)} == {
        "events.jsonl",
        "worker.log",
    }
    assert (read_mark(path.parent) or {}).get("complete") is True


def test_replay_changes_nothing(store: Store, tmp_path: Path) -> None:
    path = complete_journal(tmp_path / "run")
    ingest(path, store)
    once, text = rows(store), path.read_bytes()
    ingest(path, store)
    shutil.copytree(path.parent, tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / ingesting.MARK).unlink()  # as it comes from another machine
    ingest(tmp_path / "elsewhere" / journal.FILE_NAME, store)
    assert rows(store) == once and path.read_bytes() == text


def test_non_finite_metrics_are_kept_and_not_doubled(store: Store, tmp_path: Path) -> None:
    epochs = [{**EPOCHS[0], "loss": math.nan, "val_loss": math.inf, "val_accuracy": -math.inf}]
    path = complete_journal(tmp_path / "run", epochs=epochs, state="diverged")
    ingest(path, store)
    once = rows(store)
    ingest(path, store)
    assert rows(store) == once
    run = store.client.search_runs([store.experiment_id])[0]
    assert math.isnan(run.data.metrics["loss"]) and run.data.metrics["val_loss"] > 1e308
    assert (
        math.isnan(run.data.metrics["last_loss"]) and run.data.tags[names.TAG_STATE] == "diverged"
    )


class Interrupted(Exception):
    """The connection broke."""


def break_at(call: int, arrives: bool, client: type, patch: pytest.MonkeyPatch) -> None:
    """From its `call`th writing call on the store's answers are lost; that call itself arrives or
    does not.
    """
    count = [0]

    def broken(real: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*args: Any, **kwargs: Any) -> Any:
            count[0] += 1
            result = (
                real(*args, **kwargs) if count[0] < call or (arrives and count[0] == call) else None
            )
            if count[0] >= call:
                raise Interrupted("connection reset")
            return result

        return asked

    for name in (
        "create_run",
        "log_batch",
        "log_inputs",
        "log_artifact",
        "set_terminated",
        "get_run",
    ):
        patch.setattr(client, name, broken(getattr(client, name)))


def test_connection_lost_at_any_call_loses_and_doubles_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(complete_journal(tmp_path / "whole"), store)
    expected, lost = content(store), 0
    for call in range(1, 9):
        for arrives in (True, False):
            path = complete_journal(tmp_path / f"{call}-{arrives}", identity=f"{call}{arrives}")
            with monkeypatch.context() as patch:
                break_at(call, arrives, type(store.client), patch)
                try:
                    ingest(path, store)
                except TrackingError as error:
                    lost += 1
                    assert "connection reset" in str(error) and "the journal is untouched" in str(
                        error
                    )
                    assert not (read_mark(path.parent) or {}).get("complete")
            ingest(path, store)
    assert lost == 14, "the eighth call is one too many: a run takes seven"
    assert content(store) == expected * 17


def content(store: Store) -> list[tuple[Any, ...]]:
    """Each run's data without what tells runs apart."""
    found = []
    for run in store.client.search_runs([store.experiment_id]):
        tags = {
            k: v for k, v in run.data.tags.items() if k not in (names.TAG_JOURNAL, "mlflow.runName")
        }
        history = histories(store, run.info.run_id)
        data_sets = len(run.inputs.dataset_inputs)
        found.append((run.info.status, tags, run.data.params, run.data.metrics, history, data_sets))
    return sorted(found, key=repr)


def test_run_that_mlflow_opened_is_resumed_with_its_parameters(
    store: Store, tmp_path: Path
) -> None:
    opened = store.client.create_run(store.experiment_id)
    store.client.log_param(opened.info.run_id, "task", "mnist_mlp")
    store.client.log_param(opened.info.run_id, "epochs", "auto")
    store.client.log_param(opened.info.run_id, "backend", "another spelling")
    path = complete_journal(tmp_path / "run", mlflow_run_id=opened.info.run_id)
    ingest(path, store)
    ingest(path, store)
    runs = store.client.search_runs([store.experiment_id])
    assert [run.info.run_id for run in runs] == [opened.info.run_id]
    assert (
        runs[0].data.params["backend"] == "another spelling"
        and runs[0].data.params["profile"] == "smoke"
    )
    assert runs[0].data.metrics["epochs_done"] == 3


@pytest.mark.parametrize(("given", "kept"), [(None, False), ("tuesday's try", True)])
def test_run_that_mlflow_opened_gets_our_name_unless_a_person_named_it(
    store: Store, tmp_path: Path, given: str | None, kept: bool
) -> None:
    opened = store.client.create_run(store.experiment_id, run_name=given)
    path = complete_journal(tmp_path / "run", mlflow_run_id=opened.info.run_id)
    ingest(path, store)
    ours = json.loads(path.read_text().splitlines()[0])["name"]
    assert store.client.get_run(opened.info.run_id).info.run_name == (given if kept else ours)


def test_run_of_another_store_is_created_here(store: Store, tmp_path: Path) -> None:
    path = complete_journal(tmp_path / "run", mlflow_run_id="f" * 32)
    ingest(path, store)
    assert len(store.client.search_runs([store.experiment_id])) == 1


def test_many_epochs_are_sent_in_batches_that_mlflow_takes(store: Store, tmp_path: Path) -> None:
    epochs = [{**EPOCHS[0], "epoch": number} for number in range(1, 301)]
    params = {f"hp.p{number}": number for number in range(150)}
    ingest(complete_journal(tmp_path / "run", epochs=epochs, params=params), store)
    run = store.client.search_runs([store.experiment_id])[0]
    assert len(histories(store, run.info.run_id)["train_seconds"]) == 300
    assert {f"hp.p{number}" for number in range(150)} <= set(run.data.params)


def test_live_recorder_and_replay_write_the_same(store: Store, tmp_path: Path) -> None:
    path = complete_journal(tmp_path / "run")
    events = journal.read(path).events
    recorder = Recorder(store, events[0])
    for event in events:
        recorder.apply(event)
        recorder.flush()
    recorder.artifacts([path, path.parent / "worker.log"])
    recorder.finish(events[-1])
    live = rows(store)
    ingest(path, store)
    assert rows(store) == live


def test_parent_died_is_told_as_killed(store: Store, tmp_path: Path) -> None:
    path = complete_journal(tmp_path / "run", end=False)
    ingest(path, store)
    run = store.client.search_runs([store.experiment_id])[0]
    assert run.info.status == "KILLED" and run.data.tags[names.TAG_STATE] == "killed"
    assert run.data.tags[names.TAG_REASON] == ingesting.UNTOLD
    assert run.info.end_time == 1_007_000, (
        "the run ended with its last event, not when it was ingested"
    )
    assert run.data.metrics["epochs_done"] == 3


@pytest.mark.parametrize(
    ("plan", "state"),
    [
        ({"epochs": 3, "floor": 0.1}, "finished"),
        ({"epochs": 5, "floor": 0.1}, "failed"),
        ({"epochs": 3, "floor": 0.95}, "diverged"),
    ],
)
def test_parent_died_after_the_worker_had_finished(
    store: Store, tmp_path: Path, plan: dict[str, Any], state: str
) -> None:
    facts = {**plan, "quality_metric": "val_accuracy", "quality_better": "higher"}
    ingest(complete_journal(tmp_path / "run", closed=False, facts=facts), store)
    run = store.client.search_runs([store.experiment_id])[0]
    assert run.data.tags[names.TAG_STATE] == state


def test_clock_that_jumped_keeps_every_epoch(store: Store, tmp_path: Path) -> None:
    path = complete_journal(tmp_path / "run")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line, when in zip(lines, (1e9, 0, -5, 1e18, 3, 2.5, 1, 1e9, 0, 0), strict=False):
        line["t"] = when
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    ingest(path, store)
    once = rows(store)
    ingest(path, store)
    assert rows(store) == once
    run = store.client.search_runs([store.experiment_id])[0]
    assert sorted(step for step, _ in histories(store, run.info.run_id)["loss"]) == [1, 2, 3]
    assert run.info.end_time >= run.info.start_time


def test_flooded_log_is_cut_for_the_store_and_whole_on_disk(store: Store, tmp_path: Path) -> None:
    path = complete_journal(tmp_path / "run")
    log = path.parent / "worker.log"
    log.write_bytes(b"first\n" + b"x" * (20 << 20) + b"\nlast")
    ingest(path, store)
    run = store.client.search_runs([store.experiment_id])[0]
    kept = Path(store.client.download_artifacts(run.info.run_id, "worker.log")).read_bytes()
    assert kept.startswith(b"first\n") and kept.endswith(b"\nlast") and b"bytes left out" in kept
    assert len(kept) < 9 << 20 and log.stat().st_size > 20 << 20


def test_lock_keeps_a_running_run_out_of_the_store(store: Store, tmp_path: Path) -> None:
    path = complete_journal(tmp_path / "runs" / "run")
    with in_use(path.parent):
        with pytest.raises(UserError, match="another process is writing this run"):
            ingest(path, store)
        assert pending(tmp_path / "runs") == []
    assert pending(tmp_path / "runs") == [path]
    ingest(path, store)
    assert pending(tmp_path / "runs") == [] and pending(tmp_path / "nothing") == []


def test_inactive_experiment_and_address_are_told_in_one_line(store: Store, tmp_path: Path) -> None:
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(TrackingError, match="was deleted") as refusal:
        connect(TrackingConfig(name="sqlite", uri=store.uri))
    assert "\n" not in str(refusal.value)
    (tmp_path / "file").write_text("not a folder")
    for uri in (f"sqlite:///{tmp_path}/file/mlflow.db", "nonsense://x", "http://127.0.0.1:9"):
        with pytest.raises(TrackingError, match="does not answer") as refusal:
            connect(TrackingConfig(name="sqlite", uri=uri))
        assert "\n" not in str(refusal.value)
