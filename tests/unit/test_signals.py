"""A signal that ends this process is never lost."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LATE = """
import os, signal
from experiments.command import guarded

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
status = guarded(lambda: 7)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    os.kill(os.getpid(), number)
os._exit(status)
"""
SCRIPT = """
import select, signal, sys
from experiments import signals

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
    select.select([], [], [], 10 if sys.argv[2] == "signal" else 0)
    print("nothing came")
except KeyboardInterrupt as stop:
    print("came:", stop)
"""


def said(*arguments: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], cwd=ROOT, text=True, capture_output=True, check=True, timeout=30
    )
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize(("name", "words"), [("SIGINT", "came:"), ("SIGTERM", "came: ended by SIGTERM"),
                                             ("SIGHUP", "came: ended by SIGHUP")])  # fmt: skip
def test_a_signal_that_python_drops_is_sent_again(name: str, words: str) -> None:
    assert said(name, "signal") == (words, "")


def test_other_dropped_faults_are_told_as_ever() -> None:
    out, err = said("SIGINT", "fault")
    assert out == "nothing came"
    assert "a fault of somebody else's" in err


def test_a_command_that_is_done_keeps_its_status() -> None:
    command = [sys.executable, "-c", LATE]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (7, "")
