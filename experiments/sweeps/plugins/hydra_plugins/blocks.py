"""The sweeper's plugin: Hydra looks for it here; what it does is in experiments.sweeps.

This folder's parent is on sys.path while a sweep runs. There is no __init__.py, so that the
launchers' packages of the same namespace stay visible.
"""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class BlockSweeper(Sweeper):
    """Repetitions as blocks of the grid, resumable: hands over to experiments.sweeps.sweep."""

    def __init__(self, params: dict[str, str] | None = None) -> None:
        self.params = dict(params or {})  # an axis set in a file, as Hydra's basic sweeper takes it

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra composed; no launcher is made before it is needed."""
        self.context, self.task, self.composed = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> Any:
        """Carry out the sweep; ends in SweepEnded with the exit status."""
        from experiments.sweeps.entry import conduct
        from experiments.sweeps.grid import Request

        overrides = [f"{key}={value}" for key, value in self.params.items()] + arguments
        conduct(Request(self.context, self.task, self.composed, overrides))
