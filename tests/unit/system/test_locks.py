"""One measured run per device: a second waits, or shares and is tagged, and a crash lets go."""

import multiprocessing
import os
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from experiments.system.locks import device_lock

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KBB_CACHE", str(tmp_path))


def measure(sharing: bool, inside: Event, leave: Event, said: "multiprocessing.Queue[str]") -> None:
    with device_lock("cpu", sharing, said.put) as shared:
        inside.set()
        leave.wait(20)
        said.put(f"shared: {shared()}")


class Run:
    """A measured run in another process."""

    def __init__(self, sharing: bool) -> None:
        self.inside, self.leave, self.said = FORK.Event(), FORK.Event(), FORK.Queue()
        self.process = FORK.Process(
            target=measure, args=(sharing, self.inside, self.leave, self.said), daemon=True
        )
        self.process.start()

    def end(self) -> str:
        self.leave.set()
        self.process.join(20)
        lines = []
        while not self.said.empty():
            lines.append(self.said.get())
        return "; ".join(lines)


def test_alone() -> None:
    run = Run(sharing=False)
    assert run.inside.wait(10)
    assert run.end() == "shared: False"


def test_a_second_run_waits_and_says_so() -> None:
    first = Run(sharing=False)
    assert first.inside.wait(10)
    second = Run(sharing=False)
    waiting = second.said.get(timeout=20)  # said before it waits, however slow the machine
    assert not second.inside.is_set()
    assert first.end() == "shared: False"
    assert second.inside.wait(20)
    told = f"{waiting}; {second.end()}"
    assert "another measured run uses this cpu" in told
    assert told.endswith("shared: False")


def test_both_sharers_are_tagged() -> None:
    first, second = Run(sharing=True), Run(sharing=True)
    assert first.inside.wait(10)
    assert second.inside.wait(10)
    assert second.end() == "shared: True"
    assert first.end() == "shared: True"  # the other has come and gone


def test_a_run_that_would_be_alone_waits_for_sharers() -> None:
    sharer = Run(sharing=True)
    assert sharer.inside.wait(10)
    alone = Run(sharing=False)
    assert not alone.inside.wait(0.7)
    assert sharer.end() == "shared: False"
    assert alone.inside.wait(10)
    assert alone.end().endswith("shared: False")


def test_a_run_beside_which_another_was_measured_is_tagged() -> None:
    alone = Run(sharing=False)
    assert alone.inside.wait(10)
    sharer = Run(sharing=True)
    assert sharer.inside.wait(10)
    assert sharer.end() == "shared: True"
    assert alone.end() == "shared: True"


def test_a_killed_run_lets_go() -> None:
    first = Run(sharing=False)
    assert first.inside.wait(10)
    assert first.process.pid is not None
    os.kill(first.process.pid, signal.SIGKILL)
    began = time.monotonic()
    second = Run(sharing=False)
    assert second.inside.wait(10)
    assert time.monotonic() - began < 5
    second.end()
