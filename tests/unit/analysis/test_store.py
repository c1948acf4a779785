"""The tidy table, its cache, and that a changed store is read again."""

import math
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analysis
from analysis.store import cache, columns, read
from experiments import names
from experiments.errors import TrackingError
from experiments.tracking import store
from tests.support import planted
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


def test_the_second_reading_needs_no_query(
    planted_store: Make, kbb_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = planted_store(planted.grid(repetitions=1))
    first = read.read(uri)
    monkeypatch.setattr(store, "open_client", lambda uri: pytest.fail("the store was asked"))
    second = read.read(uri)
    assert (first.how, second.how) == ("read", "unchanged")
    assert second.frame.equals(first.frame)


@pytest.fixture
def watched(planted_store: Make, kbb_cache: Path) -> tuple[str, list[str]]:
    """A store of 186 runs that was read once, and their ids."""
    uri = planted_store(
        [
            *planted.grid(repetitions=5),
            *planted.grid(tasks=["mnist_mlp"], repetitions=1, sweep="two"),
        ]
    )
    return uri, list(read.read(uri).frame["run_id"])


def reread(uri: str) -> read.Reading:
    """What a second look at a changed store has, which is then what the cache answers."""
    again = read.read(uri)
    kept = read.read(uri)
    assert (again.how, kept.how) == ("read", "unchanged")
    assert kept.frame.equals(again.frame)
    assert (kept.foreign, kept.sweeps, kept.newer) == (again.foreign, again.sweeps, again.newer)
    return again


def test_a_deleted_run_disappears_and_a_restored_one_returns(
    watched: tuple[str, list[str]],
) -> None:
    uri, ids = watched
    client(uri).delete_run(ids[70])
    reading = reread(uri)
    assert len(reading.frame) == len(ids) - 1
    assert ids[70] not in set(reading.frame["run_id"])
    client(uri).restore_run(ids[70])
    reading = reread(uri)
    assert len(reading.frame) == len(ids)


@pytest.mark.parametrize(
    ("key", "value", "column"),
    [
        (names.TAG_STATE, "diverged", "state"),
        (names.TAG_FLAGS, "noisy", "flags"),
        (names.TAG_DEVICE_NAME, "It's another CPU", "device_name"),
        (names.TAG_PROTOCOL, "0" * 12, "protocol_id"),
        (names.TAG_SWEEP, "three", "sweep_id"),
        (names.TAG_HOST, "elsewhere", "host"),
        (names.TAG_NOTES, "odd", "notes"),
        (names.TAG_REPETITION, "9", "repetition"),
        (names.TAG_BLOCK, "9", "block"),
        (names.TAG_REASON, "why", "reason"),
    ],
)
def test_a_retagged_run_is_noticed(
    watched: tuple[str, list[str]], key: str, value: str, column: str
) -> None:
    uri, ids = watched
    client(uri).set_tag(ids[3], key, value)
    reading = reread(uri)
    assert str(reading.frame.set_index("run_id").loc[ids[3], column]) == value


def test_another_reason_for_a_failure_is_noticed(watched: tuple[str, list[str]]) -> None:
    uri, ids = watched
    client(uri).set_tag(ids[3], names.TAG_REASON, """'quoted' and "quoted\"""")
    reread(uri)
    client(uri).set_tag(ids[3], names.TAG_REASON, "corrected")
    reading = reread(uri)
    assert reading.frame.set_index("run_id").loc[ids[3], "reason"] == "corrected"


def test_two_runs_that_swap_tags_are_noticed(watched: tuple[str, list[str]]) -> None:
    uri, ids = watched
    frame = read.read(uri).frame.set_index("run_id")["protocol_id"]
    a, b = ids[0], next(one for one in ids if frame[one] != frame[ids[0]])
    client(uri).set_tag(a, names.TAG_PROTOCOL, frame[b])
    client(uri).set_tag(b, names.TAG_PROTOCOL, frame[a])
    after = reread(uri).frame.set_index("run_id")["protocol_id"]
    assert (after[a], after[b]) == (frame[b], frame[a])


def test_a_run_that_loses_our_tag_is_foreign_and_one_that_gains_it_is_ours(
    watched: tuple[str, list[str]],
) -> None:
    uri, ids = watched
    client(uri).delete_tag(ids[5], names.TAG_SCHEMA)
    reading = reread(uri)
    assert (reading.foreign, len(reading.frame)) == (1, len(ids) - 1)
    client(uri).set_tag(ids[5], names.TAG_SCHEMA, "1")
    assert reread(uri).foreign == 0


def test_new_runs_are_found_wherever_their_time_puts_them(watched: tuple[str, list[str]]) -> None:
    uri, ids = watched
    times = (
        planted.START - 10**9,
        planted.START + 1500,
        planted.START + 2000,
        planted.START + 10**9,
    )
    fresh = planted.write(
        Path(uri.removeprefix("sqlite:///")), [run(start_time=when) for when in times]
    )
    reading = reread(uri)
    assert set(fresh) <= set(reading.frame["run_id"])
    assert len(reading.frame) == len(ids) + 4


def test_a_resumed_run_is_read_again_as_it_goes_on(watched: tuple[str, list[str]]) -> None:
    uri, ids = watched
    client(uri).update_run(ids[9], status="RUNNING")
    reading = reread(uri)
    assert reading.remarks() == ["1 run still going (or their process died): not counted"]
    client(uri).log_metric(ids[9], "steady_train_seconds", 123.0)
    client(uri).set_terminated(ids[9])
    reading = reread(uri)
    assert reading.frame.set_index("run_id").loc[ids[9], "steady_train_seconds"] == 123.0


def test_runs_of_others_are_ignored_and_counted(planted_store: Make, kbb_cache: Path) -> None:
    uri = planted_store(
        [run(), run(tags={names.TAG_KIND: "sweep"}), run(tags={names.TAG_SCHEMA: "99"})]
    )
    foreign = client(uri)
    experiment = foreign.get_experiment_by_name(names.EXPERIMENT).experiment_id
    for number in range(70):
        foreign.log_metric(foreign.create_run(experiment).info.run_id, "accuracy", number)
    reading = read.read(uri)
    assert (len(reading.frame), reading.foreign, reading.sweeps, reading.newer) == (1, 70, 1, 1)
    assert any(line.startswith("70 runs of another project") for line in reading.remarks())
    assert any("newer version of this program" in line for line in reading.remarks())


def test_runs_of_a_newer_version_alone_are_told_as_that(planted_store: Make) -> None:
    uri = planted_store([planted.run(tags={names.TAG_SCHEMA: str(names.SCHEMA_VERSION + 1)})])
    with pytest.raises(
        TrackingError, match="1 written by a newer version of it: update the checkout"
    ):
        read.read(uri)


@pytest.mark.parametrize("damage", ["cut", "garbage", "other layout", "gone"])
def test_a_damaged_cache_is_read_anew(planted_store: Make, kbb_cache: Path, damage: str) -> None:
    uri = planted_store(planted.grid(tasks=["mnist_mlp"], repetitions=1))
    first = read.read(uri)
    (path,) = (kbb_cache / "analysis").glob("runs-*.parquet")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:500])
    elif damage == "garbage":
        path.write_bytes(b"no parquet")
    elif damage == "gone":
        path.unlink()
    else:
        frame, state = cache.read_file(path)  # type: ignore[misc]
        cache.write_file(path, frame, {**state, "layout": "older"})
    second = read.read(uri)
    assert second.how == "read"
    assert second.frame.equals(first.frame)
    assert read.read(uri).how == "unchanged"


def test_a_cache_folder_that_cannot_be_written_costs_speed_alone(
    planted_store: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KBB_CACHE", str(tmp_path / "file" / "cache"))
    uri = planted_store([run()])
    assert len(read.read(uri).frame) == 1
    assert "set KBB_CACHE to another folder" in capsys.readouterr().err


def test_two_stores_and_two_experiments_have_caches_of_their_own(
    planted_store: Make, kbb_cache: Path
) -> None:
    uri = planted_store([run()])
    other = client(uri)
    other.create_experiment("second")
    planted.write(Path(uri.removeprefix("sqlite:///")), [run(backend="torch")], "second")
    assert list(read.read(uri).frame["backend"]) == ["jax"]
    assert list(read.read(uri, "second").frame["backend"]) == ["torch"]
    assert len(list((kbb_cache / "analysis").iterdir())) == 2


def test_a_store_in_write_ahead_mode_is_watched_too(planted_store: Make, kbb_cache: Path) -> None:
    uri = planted_store([run()])
    path = Path(uri.removeprefix("sqlite:///"))
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=WAL")
        read.read(uri)
        before = cache.fingerprint(uri)
        database.execute("UPDATE tags SET value = 'diverged' WHERE key = 'state'")
        database.commit()
        assert cache.fingerprint(uri) != before
        assert list(read.read(uri).frame["state"]) == ["diverged"]
    database.close()


def test_a_change_within_the_clocks_step_is_seen(planted_store: Make, kbb_cache: Path) -> None:
    uri = planted_store([run()])
    path = Path(uri.removeprefix("sqlite:///"))
    read.read(uri)
    times = path.stat()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE tags SET value = 'diverged' WHERE key = 'state'")
    database.close()
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_size == times.st_size
    assert list(read.read(uri).frame["state"]) == ["diverged"]


def test_a_store_replaced_by_another_is_read_anew(
    planted_store: Make, kbb_cache: Path, command: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "mlflow.db"
    for backend in ("jax", "torch"):
        Path(planted_store([run(backend=backend)]).removeprefix("sqlite:///")).replace(path)
        done = command("-m", "analysis", "runs", "--format", "csv")
        assert done.returncode == 0, done.stderr
        assert f",mnist_mlp,{backend}," in done.stdout


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
