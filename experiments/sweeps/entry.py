"""The entry of `experiments/sweep.py`: Hydra composes, finds the sweeper and calls `conduct`."""

import importlib.util
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from experiments.cli.console import say
from experiments.cli.hydra import compose_and_run, finish
from experiments.config.schema import SweepRunConfig
from experiments.errors import ConfigError, fail
from experiments.sweeps.launched.task import measure
from experiments.system.paths import plugins_folder

if TYPE_CHECKING:
    from experiments.sweeps.grid import Cell, Request

# Flags that ask Hydra for something other than a sweep.
_OTHER = (
    *(
        "-m",
        "--multirun",
        "-h",
        "--help",
        "--hydra-help",
        "--version",
        "-c",
        "--cfg",
        "-i",
        "--info",
    ),
    *("-sc", "--shell-completion", "--shell_completion"),
)
_LAUNCHERS = {
    "joblib": "hydra_joblib_launcher",
    "slurm": "hydra_submitit_launcher",
    "ray": "hydra_ray_launcher",
}


def sweep_command() -> int:
    """Compose from sys.argv and sweep; returns the exit status.

    0: every cell finished, 1: some failed, 2: refused, 130: interrupted.
    """
    sys.path.append(os.fspath(plugins_folder()))
    try:
        for argument in sys.argv[1:]:
            _refuse_missing_launcher(argument)
    except ConfigError as error:
        return fail(error)
    if not any(argument.split("=", 1)[0] in _OTHER for argument in sys.argv[1:]):
        sys.argv.insert(1, "--multirun")  # sweeping is what this command is for
    return compose_and_run(measure, SweepRunConfig, "sweep")


def _refuse_missing_launcher(argument: str) -> None:
    """ConfigError for a hydra/launcher whose package is not installed."""
    key, _, name = argument.partition("=")
    package = _LAUNCHERS.get(name)
    if key != "hydra/launcher" or package is None:
        return
    if importlib.util.find_spec(f"hydra_plugins.{package}") is None:
        raise ConfigError(f"hydra/launcher={name} needs a missing package: pip install '.[{name}]'")


def conduct(request: "Request") -> NoReturn:
    """Carry out the sweep that Hydra composed; called by the sweeper in plugins/."""

    def work() -> int:
        from experiments.sweeps.sweep import sweep  # imports MLflow: after the grid was composed

        return sweep(request, _print_answer)

    finish(work)  # Ctrl-C during the import ends it like any later one


def _print_answer(uri: str | None, experiment: str, cells: "list[Cell]") -> None:
    """Print what the sweep's runs say. A failure here costs the tables, not the sweep's status."""
    # pandas and MLflow: not before the measuring is over
    from analysis.after_sweep import Grid, text
    from experiments.tracking.store import brief

    grid = Grid(
        sorted({cell.config.task.name for cell in cells}),
        sorted({cell.config.backend.name for cell in cells}),
        sorted({cell.config.profile.name for cell in cells}),
    )
    try:
        say("\n" + text(uri, experiment, grid).rstrip())
    except Exception as error:
        say(f"no table ({type(error).__name__}: {brief(error)}); try `python -m analysis tables`")
