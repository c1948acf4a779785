"""Measure a grid: `python experiments/sweep.py -m backend=theano,tensorflow,cntk repetitions=3`."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # run as a script, from anywhere

from experiments.cli.bootstrap import require_project_environment  # noqa: E402

require_project_environment()

from experiments.sweeps.entry import sweep_command  # noqa: E402

if __name__ == "__main__":
    sys.exit(sweep_command())
