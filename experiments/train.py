"""Train one task on one backend: `python experiments/train.py task=mnist_mlp backend=cntk`."""

import sys
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # run as a script, from anywhere

from experiments.cli.bootstrap import require_project_environment  # noqa: E402

require_project_environment()

from experiments.cli.hydra import compose_and_run, finish  # noqa: E402
from experiments.config.compose import typed  # noqa: E402
from experiments.config.schema import RunConfig  # noqa: E402


def train(config: RunConfig) -> int:
    """One run; its end state decides the exit status (0 only if it trained to its planned end)."""
    from experiments.runs.run import run  # imports MLflow: after the configuration was checked

    return run(config).exit_status


def task(config: Any) -> None:
    """Hydra's task function."""
    finish(lambda: train(typed(config)))


if __name__ == "__main__":
    sys.exit(compose_and_run(task, RunConfig, "config"))
