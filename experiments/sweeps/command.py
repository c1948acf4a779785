"""The frame of `experiments/sweep.py`: Hydra composes and finds the sweeper, errors stay one line."""

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from experiments.command import fail, guarded, one_line, refuse_unknown_choices, register_schema
from experiments.config import SweepRunConfig
from experiments.errors import ConfigError
from experiments.paths import project_root

if TYPE_CHECKING:
    from experiments.sweeps.grid import Request

# Flags that ask Hydra for something else than a sweep.
_OTHER = ("-m", "--multirun", "-h", "--help", "--hydra-help", "--version", "-c", "--cfg", "-i", "--info",
          "-sc", "--shell-completion", "--shell_completion")

_LAUNCHERS = {"joblib": "hydra_joblib_launcher", "slurm": "hydra_submitit_launcher", "ray": "hydra_ray_launcher"}


class SweepEnded(SystemExit):
    """Carries the exit status through Hydra, which would report any other exception itself."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def plugins_folder() -> str:
    """Where Hydra finds this project's sweeper; launchers' processes need it on their path as well."""
    return os.fspath(project_root() / "experiments" / "sweeps" / "plugins")


def sweep_command() -> int:
    """Compose from sys.argv and sweep. Statuses: 0 every cell finished, 1 some failed, 2 refused, 130 Ctrl-C."""
    sys.path.append(plugins_folder())
    try:
        refuse_unknown_choices(sys.argv[1:])
        for argument in sys.argv[1:]:
            _refuse_missing_launcher(argument)
    except ConfigError as error:
        return fail(error, 2)
    if not any(argument.split("=", 1)[0] in _OTHER for argument in sys.argv[1:]):
        sys.argv.insert(1, "--multirun")  # sweeping is what this command is for
    register_schema(SweepRunConfig)
    import hydra

    from experiments.sweeps.job import measure

    conf = os.fspath(project_root() / "conf")
    entry = hydra.main(version_base="1.3", config_path=conf, config_name="sweep")(measure)
    held = io.StringIO()
    try:
        with contextlib.redirect_stderr(held):
            entry()
    except SweepEnded as ended:
        return ended.status
    except SystemExit as stop:
        if stop.code not in (0, None):
            return fail(ConfigError(one_line(held.getvalue()) or "the configuration was refused"), 2)
    sys.stderr.write(held.getvalue())
    return 0


def _refuse_missing_launcher(argument: str) -> None:
    """ConfigError for a hydra/launcher whose package is not installed."""
    import importlib.util

    key, _, name = argument.partition("=")
    package = _LAUNCHERS.get(name)
    if key == "hydra/launcher" and package and importlib.util.find_spec(f"hydra_plugins.{package}") is None:
        raise ConfigError(f"hydra/launcher={name} needs a package that is not installed: pip install '.[{name}]'")


def conduct(request: "Request") -> NoReturn:
    """Carry out the sweep that Hydra composed, messages going to the real stderr again."""
    from experiments.sweeps.conductor import sweep

    with contextlib.redirect_stderr(sys.__stderr__ or sys.stderr):
        status = guarded(lambda: sweep(request))
    raise SweepEnded(status)
