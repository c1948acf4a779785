"""The tidy table, its cache, and that a changed store is read again."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analysis
from analysis.store import columns, read
from experiments import names
from experiments.errors import TrackingError
from experiments.tracking import store
from tests.support.planted import run

Make = Callable[..., str]


def client(uri: str) -> Any:
    return store.open_client(uri)


def test_every_run_is_a_row_with_documented_columns_and_types(
    planted_store: Make, kbb_cache: Path
) -> None:
    uri = planted_store(
        [run("mnist_mlp", "jax", seconds=0.5), run("text_gen", "theano", seconds=8.0)]
    )
    frame = analysis.load(uri)
    assert list(frame.columns) == [column.name for column in columns.COLUMNS]
    assert [str(kind) for kind in frame.dtypes] == [column.dtype for column in columns.COLUMNS]
    row = frame.set_index("backend").loc["jax"]
    assert row["steady_train_seconds"] == 0.5
    assert row["steady_samples_per_second"] == 12_000
    assert (row["epochs"], row["keras_generation"], row["threads"]) == (4, 3, 2)
    assert row["state"] == "finished"
    assert '"model.hidden": "[512, 512]"' in row["hyper"]
    assert '"jax": "1.2.3"' in row["versions"]


def test_every_metric_and_tag_that_runs_are_stored_under_has_a_column() -> None:
    keys = {column.key for column in columns.COLUMNS}
    assert set(names.SUMMARY_METRICS) <= keys
    stored = {value for name, value in vars(names).items() if name.startswith("TAG_")}
    assert stored <= keys
    for column in columns.COLUMNS:
        assert column.meaning
        assert column.meaning != "summary metric", f"{column.name} has no documented meaning"


def test_missing_and_odd_figures_are_gaps(planted_store: Make, kbb_cache: Path) -> None:
    odd = run(
        metrics={
            "steady_train_seconds": math.nan,
            "last_loss": math.inf,
            "best_val_loss": -math.inf,
        }
    )
    del odd.metrics["peak_rss_bytes"], odd.params[names.PARAM_EPOCHS]
    odd.tags[names.TAG_BLOCK] = "first"
    row = analysis.load(planted_store([odd])).iloc[0]
    assert math.isnan(row["steady_train_seconds"])
    assert row["last_loss"] == math.inf
    assert row["best_val_loss"] == -math.inf
    assert math.isnan(row["peak_rss_bytes"])
    assert row[["epochs", "block"]].isna().all()


def test_epochs_are_read_once_and_kept_for_ended_runs(
    planted_store: Make, kbb_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = run("mnist_cnn", "jax", seconds=3.0)
    going.status = "RUNNING"
    failed = run("mnist_cnn", "torch", state=names.FAILED)
    uri = planted_store([run("mnist_mlp", "jax", seconds=1.0, epochs=3), going, failed])
    frame = analysis.load(uri)
    epochs = analysis.epochs(frame, uri)
    assert list(epochs.columns) == [column.name for column in columns.EPOCH_COLUMNS]
    by_run = epochs.groupby("run_id")["train_seconds"].apply(list).to_dict()
    ids = dict(zip(frame["backend"] + frame["task"], frame["run_id"], strict=True))
    assert by_run[ids["jaxmnist_mlp"]] == [1.4, 1.0, 1.0]
    assert ids["torchmnist_cnn"] not in by_run
    asked: list[str] = []
    original = store.open_client

    class Watched:
        def __init__(self, uri: str) -> None:
            self._client = original(uri)

        def get_metric_history(self, run_id: str, key: str) -> Any:
            asked.append(run_id)
            return self._client.get_metric_history(run_id, key)

    monkeypatch.setattr(store, "open_client", Watched)
    assert analysis.epochs(frame, uri).equals(epochs)
    assert set(asked) == {ids["jaxmnist_cnn"]}, "only the run that still goes on is asked for again"


def test_states_that_nobody_could_write_come_from_mlflow(
    planted_store: Make, kbb_cache: Path
) -> None:
    lost = run(state=names.FAILED)
    del lost.tags[names.TAG_STATE]
    assert list(analysis.load(planted_store([lost]))["state"]) == ["failed"]


def test_an_address_is_resolved_and_its_password_hidden(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here.db")
    assert store.address(None) == f"sqlite:///{tmp_path}/here.db"
    assert store.address("http://x") == "http://x"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert store.address(None).endswith("/mlflow.db")
    assert store.redacted("postgresql://me:s3cr3t@host/db") == "postgresql://me:***@host/db"


def test_the_store_is_not_created_by_looking(tmp_path: Path, kbb_cache: Path) -> None:
    with pytest.raises(TrackingError, match="no store at"):
        read.read(f"sqlite:///{tmp_path / 'none.db'}")
    assert not list(tmp_path.glob("none.db*"))


def test_infinity_survives_the_cache(planted_store: Make, kbb_cache: Path) -> None:
    uri = planted_store([run(metrics={"last_loss": math.inf})])
    read.read(uri)
    again = read.read(uri)
    assert again.how == "unchanged"
    assert np.isinf(again.frame["last_loss"]).all()
