"""The order of one run, and what interrupts it."""

import os
import subprocess
import sys
from pathlib import Path

DROPPED = """
import signal
from experiments.runs import record, run
from experiments.system import signals
from tests.support.composing import composed

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
signals.settle()

def swallow(self, store):
    try:
        signal.raise_signal(signal.SIGTERM)
    except BaseException:
        pass

def prepare(config, say):
    raise AssertionError("a build of minutes would begin here")

record.RunRecord.open_mirror, run.prepare = swallow, prepare
outcome = run.run(composed("task=mnist_mlp", "backend=jax", "tracking=journal"))
print(outcome.state, outcome.reason, outcome.exit_status, sep="; ")
"""


def test_a_signal_that_a_library_drops_ends_the_run_before_it_prepares_anything(
    root: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DROPPED],
        cwd=root,
        env={**os.environ, "KBB_RUNS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "killed; ended by SIGTERM; 130"
