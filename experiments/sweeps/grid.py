"""From the command line's overrides to cells: Hydra's grammar splits the grid, each is checked."""

import copy
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.config.compose import one_line, typed
from experiments.config.schema import RunConfig, SweepConfig, SweepRunConfig
from experiments.errors import ConfigError, redacted

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

# Settings of the sweep as a whole: they are no axis, and a cell's jobs do not see them.
SWEEP_KEYS = ("repetitions", "plan", "force", "fail_fast")


@dataclass(frozen=True)
class Request:
    """What Hydra hands to a sweeper: how to compose and launch, and the overrides with axes."""

    context: "HydraContext"
    task: "TaskFunction"
    config: "DictConfig"
    overrides: list[str]


@dataclass(frozen=True)
class Cell:
    """One combination of the grid: what is trained by what on what, repetitions aside."""

    index: int
    overrides: tuple[str, ...]  # Hydra's, without SWEEP_KEYS
    config: RunConfig
    repetitions: int
    title: str  # task, backend and whatever else differs between cells

    @property
    def key(self) -> str:
        """The cell's name within its sweep, as journals carry it."""
        return f"{self.index:03d}"


@dataclass(frozen=True)
class Job:
    """One cell in one block: a run to be made."""

    cell: Cell
    repetition: int

    @property
    def name(self) -> str:
        """For lines about it."""
        return f"{self.cell.title} #{self.repetition}"

    @property
    def key(self) -> tuple[str, int]:
        """Identity within the sweep."""
        return self.cell.key, self.repetition

    def config(self, sweep_id: str) -> RunConfig:
        """The run's configuration."""
        config = copy.deepcopy(self.cell.config)
        config.repetition = self.repetition
        config.sweep = SweepConfig(sweep_id, self.repetition, self.cell.key)
        return config

    def overrides(self, sweep_id: str) -> list[str]:
        """The same for a launcher, whose job composes the configuration again."""
        return [
            *self.cell.overrides,
            f"repetition={self.repetition}",
            f"sweep.id='{sweep_id}'",
            f"sweep.block={self.repetition}",
            f"sweep.cell='{self.cell.key}'",
        ]


def split(request: Request) -> list[list[str]]:
    """The grid's combinations as lists of overrides, in the order of the command line.

    Raises ConfigError if the overrides are not a valid grid.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parser = OverridesParser.create(config_loader=request.context.config_loader)
        overrides = parser.parse_overrides(request.overrides)
        for override in overrides:
            _refuse_axis(override.key_or_group, override.is_sweep_override())
        combinations: list[list[str]] = BasicSweeper.split_arguments(overrides, None)[0]
    except HydraException as error:
        raise ConfigError(one_line(str(error))) from error
    if not combinations:
        raise ConfigError(
            "an axis without a choice leaves nothing to measure; look at the glob patterns"
        )
    return [list(found) for found in dict.fromkeys(tuple(overrides) for overrides in combinations)]


def _refuse_axis(key: str, swept: bool) -> None:
    if key in SWEEP_KEYS and swept:
        raise ConfigError(f"{key} holds for the whole sweep: give it one value")
    if key == "repetition":
        raise ConfigError("repetition is counted by the sweep; say how many with repetitions=N")
    if key == "sweep" or key.startswith("sweep."):
        raise ConfigError(f"{key} is set by the sweep itself; leave it out")


def compose(request: Request, overrides: Sequence[str]) -> SweepRunConfig:
    """One combination as a checked configuration; ConfigError in one line."""
    from hydra.errors import HydraException
    from omegaconf import open_dict
    from omegaconf.errors import OmegaConfBaseException

    try:
        config = request.context.config_loader.load_sweep_config(request.config, list(overrides))
        with open_dict(config):
            del config["hydra"]
    except (HydraException, OmegaConfBaseException) as error:
        cause = f"; {error.__cause__}" if error.__cause__ else ""
        raise ConfigError(one_line(f"{error}{cause}")) from error
    checked = typed(config)
    assert isinstance(checked, SweepRunConfig)
    return checked


def cells(request: Request) -> tuple[list[Cell], SweepRunConfig]:
    """All cells of the grid, composed and checked, and the settings of the sweep as a whole."""
    combinations = split(request)
    composed = [compose(request, overrides) for overrides in combinations]
    varied = _varied(combinations)
    found = []
    for index, (overrides, config) in enumerate(zip(combinations, composed, strict=True)):
        own = tuple(text for text in overrides if text.split("=", 1)[0] not in SWEEP_KEYS)
        repetitions = (
            config.profile.repetitions if config.repetitions == "auto" else config.repetitions
        )
        title = " ".join(
            [
                config.task.name,
                config.backend.name,
                *(redacted(text) for text in own if text.split("=", 1)[0] in varied),
            ]
        )
        found.append(Cell(index, own, config.of_run(), repetitions, title))
    return found, composed[0]


def _varied(combinations: list[list[str]]) -> set[str]:
    """Keys with several values in the grid, except task and backend, which every title has."""
    values: dict[str, set[str]] = {}
    for overrides in combinations:
        for text in overrides:
            key, _, value = text.partition("=")
            values.setdefault(key, set()).add(value)
    return {key for key, taken in values.items() if len(taken) > 1} - {"task", "backend"}


def new_seed() -> int:
    """A fresh order seed, 0…2³²−1."""
    return secrets.randbits(32)


def blocks(cells: list[Cell], seed: int) -> list[list[Job]]:
    """Block b (1-based) holds repetition b of every cell that has so many, shuffled by (seed, b).

    A block's order depends on the seed and its own cells alone, so that more repetitions later
    leave the earlier blocks as they were.
    """
    found = []
    for block in range(1, max((cell.repetitions for cell in cells), default=0) + 1):
        jobs = [Job(cell, block) for cell in cells if cell.repetitions >= block]
        random.Random(f"{seed}/{block}").shuffle(jobs)
        found.append(jobs)
    return found
