"""A worker that dies, hangs, floods or writes nonsense, in every phase."""

import os
from pathlib import Path

import pytest

from tests.faults.conftest import Injection
from tests.faults.parents import Place, store_of

POINTS = ("begin", "start", "imported", "device", "data", "built", "epoch1", "epoch2")
WHERE = {
    "begin": "in its start", "start": "in importing Keras", "imported": "in looking for its device",
    "device": "in loading the data", "data": "in building the model", "built": "in epoch 1", "epoch1": "in epoch 2",
    "epoch2": "in the phase after the last epoch",
}  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
def test_killed(place: Place, injection: Injection, point: str) -> None:
    place.plan("kill", point)
    assert place.run().status == 1
    says = f"killed by SIGKILL (usually the kernel's out-of-memory killer) {WHERE[point]}"
    injection.holds(f"worker: SIGKILL after {point}", "failed", says)


@pytest.mark.parametrize("point", POINTS)
def test_hangs(place: Place, injection: Injection, point: str) -> None:
    """Each phase has a limit of its own; past it the whole process group ends, helpers included."""
    place.plan("hang", point)
    limit = {"built": "first_epoch", "epoch1": "epoch", "epoch2": "epoch"}.get(point, "build")
    assert place.run(f"timeouts.{limit}=0.5").status == 1
    injection.holds(
        f"worker: hangs after {point}", "timeout", f"timeouts.{limit}=0.5 s passed {WHERE[point]}"
    )


@pytest.mark.parametrize(
    ("fault", "limit", "state"),
    [("deaf", "total", "timeout"), ("polite", "epoch", "timeout"), ("chatter", "total", "timeout")],
)
def test_hangs_otherwise(
    place: Place, injection: Injection, fault: str, limit: str, state: str
) -> None:
    place.plan(fault, "epoch1")
    assert place.run(f"timeouts.{limit}=1").status == 1
    injection.holds(f"worker: hangs, {fault}", state, f"timeouts.{limit}=1 s passed in epoch 2")


@pytest.mark.parametrize(
    ("fault", "more", "state", "says"),
    [
        ("segfault", {}, "failed", "killed by SIGSEGV in epoch 2"),
        ("exit", {"status": 0}, "failed", "ended with status 0 in epoch 2, without finishing"),
        ("exit", {"status": 41}, "failed", "ended with status 41 in epoch 2, without finishing"),
        ("crash", {}, "failed", "ended with status 1 in epoch 2, without finishing"),
        (
            "end",
            {"state": "finished"},
            "failed",
            "says finished, with 1 of 2 epochs in its journal",
        ),
        (
            "end",
            {"state": "failed", "reason": "ValueError: shapes"},
            "failed",
            "failed: ValueError: shapes",
        ),
        (
            "end",
            {"state": "diverged", "reason": "loss is nan"},
            "diverged",
            "diverged: loss is nan",
        ),
        (
            "end",
            {"state": "device_mismatch", "reason": "no GPU"},
            "device_mismatch",
            "device_mismatch: no GPU",
        ),
        ("end", {"state": "a state of tomorrow", "reason": "why"}, "failed", "failed: why"),
        ("allocate", {}, "failed", "ended with status 1 in epoch 2"),
    ],
)
def test_ends_without_finishing(
    place: Place, injection: Injection, fault: str, more: dict[str, object], state: str, says: str
) -> None:
    place.plan(fault, "epoch1", **more)
    assert place.run().status == (0 if state == "diverged" else 1)
    injection.holds(f"worker: {fault} {' '.join(map(str, more.values()))}".rstrip(), state, says)


def test_allocates_until_the_kernel_kills_it(place: Place, injection: Injection) -> None:
    root = Path("/sys/fs/cgroup")
    old = (root / "memory" / "memory.limit_in_bytes").exists()
    group = (root / "memory" if old else root) / f"kbb-fault-{os.getpid()}"
    limit = group / ("memory.limit_in_bytes" if old else "memory.max")
    if not old and not (root / "cgroup.controllers").exists():
        pytest.skip("no control groups here")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here ({error.strerror})")
    try:
        if not limit.exists():
            pytest.skip("control groups have no memory limit here")
        limit.write_text(str(64 << 20))
        place.plan("allocate", "epoch1", group=str(group))
        assert place.run().status == 1
        injection.holds(
            "worker: allocates until the kernel kills it",
            "failed",
            "out-of-memory killer) in epoch 2",
        )
    finally:
        group.rmdir()


def test_diverges(place: Place, injection: Injection) -> None:
    place.plan("nan")
    assert place.run().status == 0
    injection.holds(
        "worker: NaN in the last epoch", "diverged", "diverged: loss is nan after epoch 2"
    )


def test_floods_stdout(place: Place, injection: Injection) -> None:
    place.plan("flood", "epoch1", mebibytes=48)
    assert place.run().status == 0
    log = place.journal().parent / "worker.log"
    (kept,) = place.database.parent.glob("artifacts/*/artifacts/worker.log")
    assert log.stat().st_size == 48 << 20 and kept.stat().st_size < 9 << 20
    assert sum(map(len, place.everything_said())) < 4000
    injection.holds("worker: floods stdout with 48 MiB", "finished", "finished")


def test_leaves_a_helper_behind(place: Place, injection: Injection) -> None:
    place.plan("straggler", "epoch2")
    assert place.run().status == 0
    injection.holds("worker: leaves a helper behind", "finished", "finished")


@pytest.mark.parametrize(
    ("fault", "point", "state"),
    [
        ("torn", "epoch1", "failed"),
        ("torn", "epoch2", "failed"),
        ("torn", "end", "failed"),
        ("no newline", "epoch2", "failed"),
        ("torn, then on", "epoch1", "failed"),
        ("twice", "", "finished"),
        ("reorder", "", "finished"),
        ("other version", "epoch1", "finished"),
        ("other journal", "epoch1", "finished"),
        ("same epoch again", "epoch1", "finished"),
        ("wrong fields", "epoch1", "finished"),
        ("garbage", "epoch1", "finished"),
        ("silent", "", "finished"),
    ],
)
def test_writes_nonsense_into_the_journal(
    place: Place, injection: Injection, fault: str, point: str, state: str
) -> None:
    place.plan(fault, point)
    assert place.run().status == (0 if state == "finished" else 1)
    assert store_of(place.database).only["metrics"].get("loss") != 77.0
    injection.holds(f"journal: {fault} {point}".rstrip(), state, state)


def test_journal_is_removed(place: Place, injection: Injection) -> None:
    place.plan("remove", "epoch1")
    assert place.run().status == 1
    run = store_of(place.database).only
    # What was read before the file was missed is kept: none, one or both of the epochs.
    assert run["state"] == "failed" and run["epochs"] in ({}, {1: 1}, {1: 1, 2: 1}), run
    injection.holds("journal: removed while the worker trains", None, "No such file or directory", ingest=False,
                    shown="failed")  # fmt: skip


@pytest.mark.parametrize("seconds", [-3600.0, -4e9, 4e9, 1e15])
def test_clock_jumps(place: Place, injection: Injection, seconds: float) -> None:
    place.plan("clock", "", clock={"epoch1": seconds, "end": -seconds})
    assert place.run().status == 0
    injection.holds(f"clock: jumps by {seconds:g} s", "finished", "finished")


@pytest.mark.parametrize(
    ("fault", "state", "says"),
    [
        ("unsound", "engine_unsound", "its engine is unsound for mnist_mlp: dense gradient is 0.4"),
        (
            "crash",
            "engine_unsound",
            "its engine's check ended badly: RuntimeError: no such operation",
        ),
        ("kill", "engine_unsound", "its engine's check ended badly: it was killed by SIGKILL"),
    ],
)
def test_check_goes_wrong(
    place: Place, injection: Injection, fault: str, state: str, says: str
) -> None:
    place.plan(fault, "check")
    assert place.run().status == 1
    injection.holds(f"self-check: {fault}", state, says)


def test_interpreter_is_missing(place: Place, injection: Injection) -> None:
    place.plan()
    assert place.run(f"backend.python={place.folder / 'nowhere'}").status == 1
    injection.holds("interpreter: missing", "not_installed", "there is no such file")


def test_interpreter_is_no_python(place: Place, injection: Injection) -> None:
    place.plan()
    assert place.run("backend.python=/bin/false").status == 1
    injection.holds("interpreter: no Python", "not_installed", "it does not run as Python 3")
