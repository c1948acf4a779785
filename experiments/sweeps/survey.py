"""What a cell will be measured on and with: its device, data and protocol id, or why it cannot be measured."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from experiments import devices, identity
from experiments.config import RunConfig
from experiments.errors import UserError
from experiments.sweeps.grid import Cell

Say = Callable[[str], None]


@dataclass
class Prospect:
    """A cell and what is known of its runs before they start; None: only the node that runs it can tell."""

    cell: Cell
    device: devices.Device | None = None
    threads: int | None = None
    data_digest: str | None = None
    refusal: UserError | None = None

    @property
    def protocol_id(self) -> str | None:
        """The protocol id that its runs will have."""
        if self.data_digest is None or self.threads is None:
            return None
        return identity.protocol_id(self.cell.config, self.data_digest, self.threads)


def survey(cells: list[Cell], remote: bool, digest: Callable[[RunConfig], str | None]) -> list[Prospect]:
    """A prospect for each cell; `digest` finds the data's digest, and may prepare the data to do so.

    On a cluster (`remote`) device and threads are the node's, so they are left open.
    """
    memo: dict[str, Any] = {}
    found = []
    for cell in cells:
        config = cell.config
        prospect = Prospect(cell)
        try:
            if remote:
                prospect.threads = None if config.threads == "auto" else int(config.threads)
            else:
                prospect.threads = _once(memo, ["threads", config.threads], partial(_threads, config))
                where = ["device", vars(config.gpu), config.backend.newest_gpu]
                prospect.device = _once(memo, where, partial(devices.choose, config.gpu, config.backend))
            prospect.data_digest = _once(memo, data_key(config), partial(digest, config))
        except UserError as error:
            prospect.refusal = error
        found.append(prospect)
    return found


def _threads(config: RunConfig) -> int:
    from experiments.environments import resolve_threads

    return resolve_threads(config.threads)


def data_key(config: RunConfig) -> list[Any]:
    """What decides a cell's prepared arrays."""
    budget = config.budget()
    files = {name: vars(file) for name, file in config.task.dataset.files.items()}
    return ["data", vars(config.data), config.task.dataset.name, files, config.task.preparation,
            budget.fraction, budget.validation_fraction]


def environment_key(prospect: Prospect) -> str:
    """What decides a cell's environment and its check."""
    assert prospect.device is not None
    device = prospect.device
    return json.dumps([vars(prospect.cell.config.backend), device.kind, device.index, prospect.threads], default=str)


def _once(memo: dict[str, Any], key: list[Any], find: Callable[[], Any]) -> Any:
    """`find()` once per key; its UserError is raised again for every cell with that key."""
    name = json.dumps(key, default=str, sort_keys=True)
    if name not in memo:
        try:
            memo[name] = find()
        except UserError as error:
            memo[name] = error
    if isinstance(memo[name], UserError):
        raise memo[name]
    return memo[name]


def prepare_data(say: Say) -> Callable[[RunConfig], str | None]:
    """A `digest` for `survey` that prepares the data, so that no preparation runs beside a measurement."""
    from experiments import datasets

    def digest(config: RunConfig) -> str | None:
        budget = config.budget()
        prepared = datasets.prepare(
            config.task, config.data, budget.fraction, budget.validation_fraction, say
        )
        return prepared.digest

    return digest


def ready_environments(prospects: list[Prospect], say: Say) -> None:
    """Build and check what the prospects' environments need; a failure becomes the refusal of its cells."""
    from experiments import environments
    from experiments.errors import EngineUnsound

    failed: dict[str, UserError | None] = {}
    for prospect in prospects:
        if prospect.device is None or prospect.threads is None or prospect.refusal is not None:
            continue
        key, config = environment_key(prospect), prospect.cell.config
        if key not in failed:
            failed[key] = None
            try:
                environment = environments.ensure(config.backend, prospect.device.kind, say)
                verdict = environments.check(
                    environment, config.backend, prospect.threads, say, prospect.device.index)
                if not verdict.sound and not config.allow_unsound:
                    raise EngineUnsound(
                        f"{verdict.message}; allow_unsound=true measures it all the same, and marks the run")
            except UserError as error:
                failed[key] = error
        prospect.refusal = failed[key]
