"""A parent that is killed or interrupted, in every phase: nothing is left running, nothing finished
is lost.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.conftest import Injection
from tests.faults.parents import ROOT, Parent, Place, store_of

SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGINT": signal.SIGINT}
PHASES = ("look", "check", "begin", "imported", "built", "epoch1", "epoch2", "end")


def wait_until_said(place: Place, text: str, seconds: float = 15) -> None:
    limit = time.monotonic() + seconds
    while text not in place.everything_said():
        assert time.monotonic() < limit, place.everything_said()
        time.sleep(0.01)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file as another process would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def ended_by(parent: Parent, name: str) -> None:
    """The exit status that this signal leads to."""
    status = parent.wait(15)
    assert status == (-signal.SIGKILL if name == "SIGKILL" else 130), parent.said


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", SIGNALS)
def test_signal_in_every_phase(place: Place, injection: Injection, name: str, phase: str) -> None:
    place.plan("hang", phase)
    parent = place.start("tracking.flush_seconds=0.01")
    place.paused()
    parent.send(SIGNALS[name])
    ended_by(parent, name)
    says = "interrupted by Ctrl-C" if name == "SIGINT" else ""
    whole_end = phase == "end"  # the worker had said that it finished
    state = "finished" if whole_end and name == "SIGKILL" else "killed"
    injection.holds(f"parent: {name} in phase {phase}", state, says)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_other_signals_end_it_in_order(place: Place, injection: Injection, name: str) -> None:
    place.plan("hang", "epoch1")
    parent = place.start()
    place.paused()
    parent.send(getattr(signal, name))
    assert parent.wait(15) == 130
    injection.holds(f"parent: {name} in epoch 2", "killed", f"killed: ended by {name}")


def test_impatient_interrupts(place: Place, injection: Injection) -> None:
    """Ctrl-C again and again while a worker that takes no SIGTERM is given its grace."""
    place.plan("deaf", "epoch1")
    parent = place.start()
    place.paused()
    for _ in range(3):
        parent.send(signal.SIGINT)
        time.sleep(0.3)
    assert parent.wait(15) == 130
    injection.holds("parent: SIGINT three times", "killed", "interrupted by Ctrl-C")


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("wait", ["the device's lock", "the data's lock", "the check's lock"])
def test_signal_while_waiting_for_another_run(
    place: Place, injection: Injection, name: str, wait: str
) -> None:
    import platform

    place.plan()
    cache = place.folder / "cache"
    if wait == "the device's lock":
        lock, says = (
            cache / "locks" / f"{platform.node()}-cpu.lock",
            "another measured run uses this cpu",
        )
    elif wait == "the data's lock":
        (entry,) = cache.glob("prepared/mnist-*")
        lock, says = (
            cache / "prepared" / f".{entry.name}.lock",
            "is being prepared by another process",
        )
        (entry / "manifest.json").unlink()
    else:
        assert place.run().status == 0
        (verdict,) = cache.glob("checks/*.json")
        verdict.unlink()
        lock, says = cache / "checks" / ".locks" / f"{verdict.stem}.lock", "waiting for process"
        place.journal().unlink()
        import sqlite3

        with sqlite3.connect(place.database) as store:
            for table in ("metrics", "latest_metrics", "params", "tags", "runs"):
                store.execute(f"DELETE FROM {table}")
        store.close()
    with locked(lock):
        parent = place.start()
        wait_until_said(place, says)
        parent.send(SIGNALS[name])
        ended_by(parent, name)
    injection.holds(f"parent: {name} while waiting for {wait}", "killed", says)


def test_killed_and_started_again_measures_anew(place: Place, injection: Injection) -> None:
    place.plan("hang", "epoch1")
    parent = place.start()
    place.paused()
    parent.send(signal.SIGKILL)
    parent.wait()
    place.plan()
    assert place.run().status == 0
    assert place.ingest().status == 0 and place.ingest().status == 0
    runs = store_of(place.database).runs
    assert [(run["state"], run["epochs"], run["doubled"]) for run in runs] == [
        ("killed", {1: 1}, []), ("finished", {1: 1, 2: 1}, [])
    ]  # fmt: skip
    injection.holds(
        "parent: SIGKILL, then another run",
        None,
        "finished",
        ingest=False,
        shown="killed, finished",
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_signal_that_a_library_drops(place: Place, injection: Injection, name: str) -> None:
    """Some compiled modules drop what a signal raises while they are imported; here, whatever looks
    for a device.
    """
    place.plan("hang", "begin")
    script = f"""
import os, runpy, signal, sys
sys.path[0] = sys.argv[1]; sys.argv[:] = sys.argv[2:]
from experiments.runs import prepare
from experiments.cli.bootstrap import require_project_environment
require_project_environment()
choose = prepare.choose_device

def deaf(*arguments):
    try:
        signal.raise_signal(signal.{name})
    except KeyboardInterrupt:
        return choose(*arguments)

prepare.choose_device = deaf
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    command = [sys.executable, "-c", script, str(ROOT), str(ROOT / "experiments" / "train.py"), "task=mnist_mlp",
               "backend=jax", "gpu=cpu", "profile=smoke", "data=synthetic", "threads=1", "fraction=0.001",
               f"backend.python={place.interpreter()}"]  # fmt: skip
    with (
        (place.folder / "output-0").open("w") as output,
        (place.folder / "errors-0").open("w") as errors,
    ):
        done = subprocess.run(
            command,
            env=place.environment(),
            cwd=ROOT,
            stdout=output,
            stderr=errors,
            timeout=30,
            check=False,
        )
    assert done.returncode == 130, place.everything_said()
    says = "interrupted by Ctrl-C" if name == "SIGINT" else "ended by SIGTERM"
    injection.holds(f"parent: {name} that a library drops", "killed", says)


@pytest.mark.parametrize("seconds", [0.05, 0.3, 0.8, 1.5, 2.5])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_signal_to_the_whole_command_while_it_starts(
    place: Place, injection: Injection, name: str, seconds: float
) -> None:
    """From the interpreter's start on, as a shell would: the command and nothing that it imported
    before.
    """
    place.plan("hang", "begin")
    environment = {**place.environment(), "PYTHONDONTWRITEBYTECODE": "1"}
    with (
        (place.folder / "output-0").open("w") as output,
        (place.folder / "errors-0").open("w") as errors,
    ):
        command = [sys.executable, "-c", "import time; time.sleep(0.05)\nimport runpy, sys\n"
                   "sys.path[0] = sys.argv[1]; sys.argv[:] = sys.argv[2:]\n"
                   "from experiments.cli.bootstrap import require_project_environment as r; r()\n"
                   "print('started', flush=True)\nrunpy.run_path(sys.argv[0], run_name='__main__')",
                   str(ROOT), str(ROOT / "experiments" / "train.py"), "task=mnist_mlp", "backend=jax", "gpu=cpu",
                   "profile=smoke", "data=synthetic", "threads=1", "fraction=0.001",
                   f"backend.python={place.interpreter()}"]  # fmt: skip
        child = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=output, stderr=errors)
        wait_until_said(place, "started", 30)
        time.sleep(seconds)
        child.send_signal(getattr(signal, name))
        status = child.wait(30)
    assert status in (130, -getattr(signal, name)), place.everything_said()
    begun = bool(place.journals())
    what = f"command: {name} {seconds} s after its start"
    injection.holds(what, "killed" if begun else None, ingest=begun, shown="not begun")
