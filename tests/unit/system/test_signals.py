"""A signal that ends this process is never lost."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LATE = """
import os, signal
from experiments.cli.frame import guarded

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
status = guarded(lambda: 7)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    os.kill(os.getpid(), number)
os._exit(status)
"""
SCRIPT = """
import signal, sys
from experiments.system import signals

number = getattr(signal, sys.argv[1])
signal.signal(number, signal.SIG_DFL)
signals.settle()

class Dropped:
    def __del__(self):
        if sys.argv[2] == "signal":
            signal.raise_signal(number)
        raise ValueError("a fault of somebody else's")

try:
    Dropped()
    signals.heed()
    print("nothing came")
except KeyboardInterrupt as stop:
    print("came:", stop)
"""


def said(*arguments: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize(("name", "words"), [("SIGINT", "came:"), ("SIGTERM", "came: ended by SIGTERM"),
                                             ("SIGHUP", "came: ended by SIGHUP")])  # fmt: skip
def test_a_signal_that_python_drops_is_raised_at_the_next_phase(name: str, words: str) -> None:
    assert said(name, "signal") == (words, "")


def test_other_dropped_faults_are_told_as_ever() -> None:
    out, err = said("SIGINT", "fault")
    assert out == "nothing came"
    assert "a fault of somebody else's" in err


def test_a_signal_that_others_drop_is_heeded_later() -> None:
    script = """
import signal
from experiments.system import signals

signals.heed()  # nothing came
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
    signals.settle()
    signals.heed()  # what came before counts no more
    try:
        signal.raise_signal(number)
    except BaseException:
        pass
    try:
        signals.heed()
    except KeyboardInterrupt as stop:
        print(type(stop).__name__, stop)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=ROOT, text=True, capture_output=True, check=False, timeout=30
    )
    assert (done.stdout, done.stderr) == ("KeyboardInterrupt \nTerminated ended by SIGTERM\n", "")


def test_a_command_that_is_done_keeps_its_status() -> None:
    command = [sys.executable, "-c", LATE]
    done = subprocess.run(
        command, cwd=ROOT, text=True, capture_output=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr) == (7, "")


WORK = """
import signal, sys, threading, time
from experiments.system import signals

signal.signal(signal.SIGINT, signal.default_int_handler)

def strike():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

done = "torn"
begin = time.monotonic()
for after in map(float, sys.argv[3:]):
    threading.Timer(after, strike).start()
try:
    with signals.held(float(sys.argv[1])):
        for _ in range(10):
            time.sleep(float(sys.argv[2]) / 10)
        done = "whole"
        raise OSError("the work failed")
except OSError:
    print("not interrupted")
except KeyboardInterrupt:
    print(done, time.monotonic() - begin < 5)
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""


@pytest.mark.parametrize(
    ("patience", "work", "strikes", "words"),
    [
        ("9", "1", ["0.3"], "whole True"),
        ("9", "1", [], "not interrupted"),
        ("0.5", "20", ["0.2"], "torn True"),
        ("9", "20", ["0.2", "0.5"], "torn True"),
    ],
    ids=["finished first", "nothing came", "patience ends", "a second signal"],
)
def test_work_comes_to_its_end_before_a_signal_strikes(
    patience: str, work: str, strikes: list[str], words: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORK, patience, work, *strikes],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout.strip(), done.stderr, done.returncode) == (words, "", 0)


def test_a_handler_that_does_not_raise_is_called_once_and_again() -> None:
    script = """
import signal
from experiments.system import signals

seen = []
signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
with signals.held(9):
    for _ in range(3):
        signal.raise_signal(signal.SIGTERM)
assert len(seen) == 2, seen
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=ROOT, text=True, capture_output=True, check=False, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
