"""Train one task on one backend: `python experiments/train.py task=mnist_mlp backend=cntk profile=quick`."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # run as a script, from anywhere

from experiments.bootstrap import require_project_environment  # noqa: E402

require_project_environment()

from experiments.command import run_command  # noqa: E402
from experiments.config import RunConfig  # noqa: E402


def train(config: RunConfig) -> int:
    """One run; its end state decides the exit status (0 only when it trained to its end)."""
    from experiments.run import run

    return run(config).exit_status


if __name__ == "__main__":
    sys.exit(run_command(train))
