"""Train one task on one backend: `python experiments/train.py task=mnist_mlp backend=cntk`."""

import sys
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # run as a script, from anywhere

from experiments.cli.bootstrap import require_project_environment  # noqa: E402

require_project_environment()

from experiments.cli.console import say  # noqa: E402
from experiments.cli.hydra import compose_and_run, finish  # noqa: E402
from experiments.config.compose import typed  # noqa: E402
from experiments.config.schema import RunConfig  # noqa: E402
from experiments.environments import default  # noqa: E402
from experiments.errors import UserError, fail  # noqa: E402


def train(config: RunConfig) -> int:
    """One run; its end state decides the exit status (0 only if it trained to its planned end)."""
    from experiments.runs.run import run  # imports MLflow: after the configuration was checked

    return run(config).exit_status


def task(config: Any) -> None:
    """Hydra's task function."""
    finish(lambda: train(typed(config)))


def main() -> int:
    """Compose the run from sys.argv and make it; returns the exit status."""
    try:
        overrides, reason = default.choice(sys.argv[1:])
    except UserError as error:
        return fail(error)
    if reason:
        say(reason)
    sys.argv += overrides
    return compose_and_run(task, RunConfig, "config")


if __name__ == "__main__":
    sys.exit(main())
