"""A changed store is read again, an unchanged one is not."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.store import cache, read
from experiments import names
from experiments.errors import TrackingError
from experiments.tracking import store
from tests.support import planted
from tests.support.planted import run
from tests.support.planted_store import write

Make = Callable[..., str]


def client(uri: str) -> Any:
    return store.open_client(uri)


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
    fresh = write(Path(uri.removeprefix("sqlite:///")), [run(start_time=when) for when in times])
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
    write(Path(uri.removeprefix("sqlite:///")), [run(backend="torch")], "second")
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
