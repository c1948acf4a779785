"""Two at once: parents on one device, on one journal, on one store."""

import signal
import time

import pytest

from tests.faults.conftest import Injection
from tests.faults.parents import Place


def rows(place: Place) -> list[tuple[str, dict[int, int], list[tuple[str, int]]]]:
    return sorted((run["state"], run["epochs"], run["doubled"]) for run in place.kept().runs)


def test_ingest_of_a_run_that_goes_on(place: Place, injection: Injection) -> None:
    place.plan("meet", "epoch1")
    parent = place.start()
    place.paused()
    early = place.start_module("experiments", "journal", "ingest", str(place.journal()))
    assert early.wait() == 2
    assert early.said.startswith("error: ") and early.said.count("\n") == 1
    place.go()
    assert parent.wait() == 0
    injection.holds(
        "meeting: ingest of a run that goes on", "finished", "another process is writing this run"
    )


@pytest.mark.parametrize("kill", [False, True])
def test_two_ingests_of_one_journal(place: Place, injection: Injection, kill: bool) -> None:
    """At once; or the first is killed half way."""
    place.plan()
    assert place.run("tracking=journal").status == 0
    first = place.start_module("experiments", "journal", "ingest", str(place.journal()))
    if kill:
        time.sleep(0.15)
        first.send(signal.SIGKILL)
    second = place.start_module("experiments", "journal", "ingest", str(place.journal()))
    statuses = first.wait(), second.wait()
    assert statuses[1] in (0, 2) and statuses[0] in (0, 2, -signal.SIGKILL)
    assert kill or 0 in statuses
    what = "an ingest after one that was killed" if kill else "two ingests at once"
    injection.holds(f"meeting: {what}", "finished")


@pytest.mark.parametrize("name", ["finishes", "SIGKILL"])
def test_two_runs_on_one_device(place: Place, injection: Injection, name: str) -> None:
    """The second waits until the first has ended, in whatever way."""
    place.plan("meet", "epoch1")
    first = place.start()
    place.paused()
    folder = place.journal().parent
    second = place.start()
    limit = time.monotonic() + 15
    while "another measured run uses this cpu" not in second.said:
        assert time.monotonic() < limit, second.said
        time.sleep(0.01)
    if name == "SIGKILL":
        first.send(signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL
        assert place.orphans(of=folder) == []
    place.go()
    assert first.wait() == (0 if name == "finishes" else -signal.SIGKILL)
    assert second.wait() == 0
    place.ingest()
    both = {1: 1, 2: 1}
    ended = ("finished", both, []) if name == "finishes" else ("killed", {1: 1}, [])
    assert rows(place) == sorted([ended, ("finished", both, [])], key=lambda row: row[0])
    what, says = f"meeting: two runs on one device, the first {name}", "another measured run uses"
    injection.holds(what, None, says, ingest=False, shown=f"{ended[0]}, finished")


def test_two_runs_share_a_device_on_purpose(place: Place, injection: Injection) -> None:
    place.plan("meet", "epoch1")
    parents = [place.start("allow_sharing=true")]
    place.paused()
    parents.append(place.start("allow_sharing=true"))
    limit = time.monotonic() + 15
    while not all("epoch 1/2" in parent.said for parent in parents):
        assert time.monotonic() < limit, place.everything_said()
        time.sleep(0.01)
    place.go()
    assert [parent.wait() for parent in parents] == [0, 0]
    runs = place.kept().runs
    assert ["shared" in run["tags"]["flags"] for run in runs] == [True, True], [
        run["tags"]["flags"] for run in runs
    ]
    assert rows(place) == [("finished", {1: 1, 2: 1}, [])] * 2
    injection.holds(
        "meeting: two runs share a device", None, "finished", ingest=False, shown="both finished"
    )


def test_inherited_run_is_resumed_after_a_killed_parent(place: Place, injection: Injection) -> None:
    """`mlflow run` has opened the run; its parent dies, and the ingest finds that same run."""
    place.plan("hang", "epoch1")
    place.variables["MLFLOW_RUN_ID"] = identity = open_run(place)
    parent = place.start()
    place.paused()
    parent.send(signal.SIGKILL)
    parent.wait()
    del place.variables["MLFLOW_RUN_ID"]
    injection.holds("meeting: a run that `mlflow run` opened, parent killed", "killed")
    assert place.kept().only["id"] == identity


def open_run(place: Place) -> str:
    """A run with a parameter of its own, as `mlflow run` leaves it."""
    from experiments.config.schema import TrackingConfig
    from experiments.tracking.store import connect

    store = connect(TrackingConfig(name="sqlite", uri=f"sqlite:///{place.database}"))
    run = store.client.create_run(store.experiment_id)
    store.client.log_param(run.info.run_id, "task", "mnist_mlp")
    return str(run.info.run_id)
