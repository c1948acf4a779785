"""Pieces of work at once: all are done, a failure waits for the others, Ctrl-C ends their steps."""

import _thread
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from experiments.environments import steps
from experiments.sweeps import lanes


@pytest.mark.parametrize("count", [1, 2, 9])
def test_every_piece_is_done_once(count: int) -> None:
    done: list[int] = []
    lanes.run([partial(done.append, number) for number in range(5)], count, lambda: None)
    assert sorted(done) == list(range(5))


def test_pieces_run_side_by_side_but_no_more_than_lanes() -> None:
    meeting, running, most = threading.Barrier(2, timeout=10), 0, 0

    def piece() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        meeting.wait()
        running -= 1
        meeting.wait()

    lanes.run([piece] * 4, 2, lambda: None)
    assert most == 2


def test_a_failure_is_raised_after_the_others_are_done() -> None:
    done: list[str] = []

    def fail() -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        lanes.run([fail, partial(done.append, "a"), partial(done.append, "b")], 2, lambda: None)
    assert done == ["a", "b"]


def test_ctrl_c_ends_the_steps_of_all_lanes(tmp_path: Path) -> None:
    reasons: list[str] = []

    def step(name: str) -> None:
        with pytest.raises(steps.StepError) as caught:
            steps.run(["sleep", "60"], tmp_path / name, reasons.append, name, {})
        reasons.append(caught.value.reason)

    def interrupt() -> None:
        while len(steps._running) < 2:
            time.sleep(0.01)
        _thread.interrupt_main()

    steps.restart()
    # Importing a command of ours lets SIGINT end the process at once, and then nothing is raised.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt, daemon=True).start()
    begin = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            lanes.run([partial(step, name) for name in ("a", "b", "c")], 2, steps.stop)
        assert time.monotonic() - begin < 30
        assert reasons == ["it was killed by SIGTERM"] * 2, "the third is not begun"
        with pytest.raises(steps.StepError, match="interrupted"):
            steps.run(["true"], tmp_path / "d", reasons.append, "d", {})
    finally:
        signal.signal(signal.SIGINT, before)
        steps.restart()
    assert steps.run(["true"], tmp_path / "d", reasons.append, "d", {"PATH": "/bin:/usr/bin"}) == 0
