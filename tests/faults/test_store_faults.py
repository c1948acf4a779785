"""A store that is down, locked, slow or confused: at the start, while a run goes on, at its end."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.conftest import Injection, Server
from tests.faults.parents import Place

NOT_YET = "not in MLflow yet: python -m experiments journal ingest"
GOES_ON = "the tracking store does not answer"


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another program writes to the SQLite file and does not stop."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def impatient(place: Place, mode: str) -> None:
    """A client that takes a slow answer for none, while the server is slow."""
    place.variables["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "2" if mode == "slow" else "5"


def refused_at_the_start(place: Place, injection: Injection, what: str, *overrides: str) -> None:
    """Nothing is started; without the store being required the journal is enough."""
    place.plan()
    parent = place.run(*overrides)
    assert parent.status == 2 and place.journals() == [], parent.said
    assert parent.errors.read_text().count("\n") == 1 and parent.output.read_text() == ""
    injection.holds(f"store: {what} at the start", None, "does not answer", ingest=False)


def test_sqlite_folder_cannot_be_made(place: Place, injection: Injection) -> None:
    (place.folder / "file").write_text("no folder")
    place.uri = f"sqlite:///{place.folder}/file/mlflow.db"
    refused_at_the_start(place, injection, "SQLite in no folder")


def test_sqlite_file_is_something_else(place: Place, injection: Injection) -> None:
    place.database.write_bytes(b"this is no database, but long enough to look at " * 100)
    refused_at_the_start(place, injection, "SQLite file is something else")


def test_server_is_down_at_the_start(place: Place, injection: Injection) -> None:
    place.uri = "http://127.0.0.1:9"
    place.variables.update(
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="1", MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR="0"
    )
    refused_at_the_start(place, injection, "server down")


@pytest.mark.parametrize(
    ("mode", "more"),
    [("status", {"status": 500}), ("status", {"status": 401}), ("status", {"status": 404}), ("slow", {"seconds": 3}),
     ("drop", {}), ("garbage", {})],
)  # fmt: skip
def test_server_misbehaves_at_the_start(
    place: Place, injection: Injection, server: Server, mode: str, more: dict[str, object]
) -> None:
    server.order(mode, **more)
    impatient(place, mode)
    refused_at_the_start(
        place, injection, f"server {mode} {' '.join(map(str, more.values()))}".rstrip()
    )


def test_down_at_the_start_and_not_required(
    place: Place, injection: Injection, server: Server
) -> None:
    server.order("status", status=503)
    place.plan()
    assert place.run("tracking.required=false").status == 0
    server.order("ok")
    injection.holds("store: down, not required", "finished", NOT_YET)


def test_sqlite_locked_at_the_start(place: Place, injection: Injection) -> None:
    place.plan()
    with locked(place.database):
        parent = place.run(seconds=60)
    assert parent.status == 2 and place.journals() == []
    injection.holds("store: SQLite locked at the start", None, "database is locked", ingest=False)


@pytest.mark.parametrize("until", ["epoch2", "over"])
def test_sqlite_locked_while_the_run_goes_on(
    place: Place, injection: Injection, until: str
) -> None:
    place.plan("meet", "built")
    parent = place.start(f"tracking.flush_seconds={0.01 if until == 'epoch2' else 600}")
    place.paused()
    with locked(place.database):
        place.go()
        if until == "over":
            assert parent.wait(60) == 0
        else:
            time.sleep(1.5)
    assert parent.wait(60) == 0
    says = NOT_YET if until == "over" else "MLflow run"
    injection.holds(f"store: SQLite locked from the model's build until {until}", "finished", says)


def test_sqlite_file_is_removed_while_the_run_goes_on(place: Place, injection: Injection) -> None:
    place.plan("meet", "built")
    parent = place.start("tracking.flush_seconds=0.01")
    place.paused()
    empty = sqlite3.connect(place.database)
    copy = place.folder / "copy.db"
    with sqlite3.connect(copy) as target:
        empty.backup(target)
    empty.close()
    target.close()
    place.database.unlink()
    place.go()
    parent.wait(60)
    copy.replace(place.database)  # restored from yesterday's
    for mark in place.runs.glob("*/ingested.json"):
        mark.unlink()
    injection.holds("store: SQLite file replaced by an older one", "finished", "finished")


@pytest.mark.parametrize(
    ("mode", "more", "point"),
    [("status", {"status": 500}, "built"), ("status", {"status": 503}, "epoch2"), ("drop", {}, "built"),
     ("lost", {}, "built"), ("lost", {}, "epoch2"), ("slow", {"seconds": 3}, "epoch2"), ("garbage", {}, "built")],
)  # fmt: skip
def test_server_fails_while_the_run_goes_on_and_stays_away(
    place: Place,
    injection: Injection,
    server: Server,
    mode: str,
    more: dict[str, object],
    point: str,
) -> None:
    place.plan("meet", point)
    impatient(place, mode)
    parent = place.start("tracking.flush_seconds=0.01")
    place.paused()
    server.order(mode, **more)
    place.go()
    assert parent.wait(60) == 0, parent.said
    impatient(place, "")
    assert GOES_ON in parent.said and parent.said.count(GOES_ON) == 1
    server.order("ok")
    injection.holds(f"store: server {mode} from {point} on", "finished", NOT_YET)


@pytest.mark.parametrize("mode", ["status", "drop", "lost", "garbage"])
def test_server_fails_for_a_while(
    place: Place, injection: Injection, server: Server, mode: str
) -> None:
    place.plan("meet", "built", pace=0.3)  # so that what fails is not the last attempt
    parent = place.start("tracking.flush_seconds=0.01")
    place.paused()
    server.order(
        mode, match="log-batch", times=1 if mode == "garbage" else 2
    )  # the client asks twice on its own
    place.go()
    assert parent.wait(60) == 0
    injection.holds(f"store: server {mode} for a while", "finished", "MLflow run")


@pytest.mark.parametrize(
    "path", ["runs/create", "runs/log-batch", "runs/log-inputs", "runs/update", "runs/search"]
)
def test_answer_is_lost(place: Place, injection: Injection, server: Server, path: str) -> None:
    """The server has done what was asked, and the parent does not learn of it; then an ingest,
    answers lost again.
    """
    server.order("lost", match=path, times=2)
    place.plan()
    parent = place.run()
    assert parent.status == 0, parent.said
    server.order("lost", match=path, times=2)
    place.ingest()
    server.order("ok")
    injection.holds(f"store: answers to {path} are lost", "finished", "finished")


def test_slow_server_costs_the_worker_nothing(
    place: Place, injection: Injection, server: Server
) -> None:
    """Each answer takes a second; a limit of the epochs does not count the parent's waiting."""
    place.plan(pace=0.2)
    server.order("slow", match="log-batch", seconds=0.8)
    limits = ("timeouts.epoch=0.7", "timeouts.first_epoch=0.7")
    assert place.run("tracking.flush_seconds=0.01", "epochs=4", *limits).status == 0
    server.order("ok")
    injection.holds("store: server takes 0.8 s for a batch", "finished", "MLflow run")


@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_signal_while_a_slow_server_takes_the_end(
    place: Place, injection: Injection, server: Server, name: str
) -> None:
    import signal

    place.plan("meet", "epoch2")
    parent = place.start()
    place.paused()
    server.order("slow", match="mlflow", seconds=0.8)
    place.go()
    limit = time.monotonic() + 10
    while '"closed"' not in place.journal().read_text():
        assert time.monotonic() < limit
        time.sleep(0.01)
    time.sleep(0.2)
    parent.send(getattr(signal, name))
    status = parent.wait(20)
    server.order("ok")
    assert status == (130 if name == "SIGINT" else -9), parent.said
    says = "interrupted while the run was sent to the tracking store" if name == "SIGINT" else ""
    injection.holds(f"parent: {name} while a slow server takes the end", "finished", says)
