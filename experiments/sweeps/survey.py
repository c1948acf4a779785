"""What a cell will be measured on: device, data, protocol id, or why it cannot be measured."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from experiments import environments
from experiments.config import identity
from experiments.config.schema import RunConfig
from experiments.datasets import sources
from experiments.environments import Needs, inventory, steps
from experiments.environments.needs import of_run, union
from experiments.errors import DataError, UserError
from experiments.runs.device import Device, choose_device
from experiments.runs.prepare import ready_data, ready_engine
from experiments.sweeps import lanes
from experiments.sweeps.grid import Cell
from experiments.system.threads import resolve_threads, usable_processors

Say = Callable[[str], None]
_MOST_LANES = 4


@dataclass
class Prospect:
    """A cell and what is known about its runs in advance; None: only the node can tell."""

    cell: Cell
    device: Device | None = None
    threads: int | None = None
    data_digest: str | None = None
    refusal: UserError | None = None
    told: bool = False  # that it is refused, with all other cells of its backend

    @property
    def protocol_id(self) -> str | None:
        """The protocol id that its runs will have."""
        if self.data_digest is None or self.threads is None:
            return None
        return identity.protocol_id(self.cell.config, self.data_digest, self.threads)


def survey(
    cells: list[Cell], remote: bool, digest: Callable[[RunConfig], str | None]
) -> list[Prospect]:
    """A prospect for each cell. digest: finds the data's digest; it may prepare the data.

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
                prospect.threads = _once(
                    memo, ["threads", config.threads], partial(resolve_threads, config.threads)
                )
                where = ["device", vars(config.gpu), config.backend.newest_gpu]
                prospect.device = _once(
                    memo, where, partial(choose_device, config.gpu, config.backend)
                )
            prospect.data_digest = _once(memo, data_key(config), partial(digest, config))
        except UserError as error:
            prospect.refusal = error
        found.append(prospect)
    return found


def data_key(config: RunConfig) -> list[Any]:
    """What decides a cell's prepared arrays."""
    budget = config.budget()
    files = {name: vars(file) for name, file in config.task.dataset.files.items()}
    return [
        "data",
        vars(config.data),
        config.task.dataset.name,
        files,
        config.task.preparation,
        budget.fraction,
        budget.validation_fraction,
    ]


def environment_key(prospect: Prospect) -> str:
    """What decides the environment of a cell, and all of its check but the task's needs."""
    assert prospect.device is not None
    device = prospect.device
    return json.dumps(
        [vars(prospect.cell.config.backend), device.kind, device.index, prospect.threads],
        default=str,
    )


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
    """A `digest` for `survey` that prepares the data, before anything is measured."""
    return lambda config: ready_data(config, say).digest


def ready_environments(prospects: list[Prospect], say: Say) -> None:
    """Build and check the prospects' environments; a failure becomes the refusal of its cells.

    An environment is checked once for all the tasks that are measured in it, so that its engine
    starts once. On a CPU several are built and checked at a time: a compiler and a download use
    one core each, and nothing is measured yet.
    """
    groups = list(_by_environment(prospects).values())
    spoken = threading.Lock()

    def say_whole(text: str) -> None:
        with spoken:
            say(text)

    work = [partial(_check_or_refuse, group, say_whole) for group in groups]
    steps.restart()
    lanes.run(work, _lanes(groups), steps.stop)
    for prospect in (prospect for group in groups for prospect in group):
        if prospect.refusal is None:
            device, threads = _place(prospect)
            try:
                ready_engine(prospect.cell.config, device, threads, say)
            except UserError as error:
                prospect.refusal = error


def _lanes(groups: list[list[Prospect]]) -> int:
    """How many environments to prepare at a time: one on a GPU, whose memory they would share."""
    if any(_place(group[0])[0].kind != "cpu" for group in groups):
        return 1
    return min(_MOST_LANES, usable_processors())


def _check_or_refuse(group: list[Prospect], say: Say) -> None:
    try:
        _check_together(group, say)
    except UserError as error:
        for prospect in group:
            prospect.refusal = error


def _by_environment(prospects: list[Prospect]) -> dict[str, list[Prospect]]:
    """The prospects that can be measured here, by environment."""
    groups: dict[str, list[Prospect]] = {}
    for prospect in prospects:
        if prospect.device is not None and prospect.threads is not None and not prospect.refusal:
            groups.setdefault(environment_key(prospect), []).append(prospect)
    return groups


def _check_together(group: list[Prospect], say: Say) -> None:
    """Build an environment and check its engine for all tasks of a group in one process.

    The verdicts are kept, and each cell asks for its own afterwards. UserError if it cannot be
    built.
    """
    config = group[0].cell.config
    device, threads = _place(group[0])
    environment = environments.ensure(config.backend, device.kind, say)
    wanted = union(_covered(prospect.cell.config) for prospect in group)
    environments.check(environment, config.backend, threads, say, device.index, needs=wanted)


def _covered(config: RunConfig) -> Needs:
    """The cases that a cell needs, without what no case covers: that is the cell's own refusal."""
    try:
        return replace(of_run(config), uncovered=())
    except UserError:
        return Needs(())


def _place(prospect: Prospect) -> tuple[Device, int]:
    assert prospect.device is not None and prospect.threads is not None
    return prospect.device, prospect.threads


def tell_refusals(prospects: list[Prospect], say: Say) -> None:
    """Report once per backend why none of its cells can be measured, and mark them as told."""
    backends: dict[str, list[Prospect]] = {}
    for prospect in prospects:
        backends.setdefault(prospect.cell.config.backend.title, []).append(prospect)
    for title, group in backends.items():
        refusals = [prospect.refusal for prospect in group if prospect.refusal is not None]
        if len(group) == 1 or len(refusals) < len(group) or len(set(map(str, refusals))) > 1:
            continue
        recorded = f"all {len(group)} cells are recorded as {refusals[0].state}"
        say(f"{title} is not measured, {recorded}: {refusals[0]}")
        for prospect in group:
            prospect.told = True


def foresee_data(needs: list[str]) -> Callable[[RunConfig], str | None]:
    """A `digest` for `survey` that downloads and prepares nothing; what is missing goes to `needs`.

    None for data that has yet to be downloaded: its digest is known only then.
    """

    def digest(config: RunConfig) -> str | None:
        dataset, data = config.task.dataset, config.data
        decision = sources.decide(dataset, data)
        if decision.missing:
            _add(needs, f"download {', '.join(decision.missing)} for {dataset.title}")
            return None
        if decision.unreachable:
            _add(
                needs,
                f"synthetic data stands in for {dataset.title}: its publisher is not reachable",
            )
        try:
            module = sources.dataset_module(dataset.name)
            return sources.resolve(module, dataset, data, _discard).digest
        except OSError as error:
            raise DataError(f"{error.filename}: {error.strerror}") from None

    return digest


def foresee_environments(prospects: list[Prospect], needs: list[str]) -> None:
    """What has to be built before the prospects can be measured, as lines in `needs`."""
    for prospect in prospects:
        config, device = prospect.cell.config, prospect.device
        if device is None or prospect.refusal is not None or config.backend.python:
            continue
        try:
            entry = inventory.look(config.backend, device.kind)
        except UserError as error:
            _add(needs, str(error))
            continue
        if entry.state == inventory.BUILT:
            continue
        how = (
            f"with Python {entry.found}"
            if not entry.found.startswith("none")
            else (f"needs Python {entry.python}, and no interpreter was found")
        )
        _add(needs, f"build the environment of {config.backend.title} ({device.kind}; {how})")


def _add(needs: list[str], text: str) -> None:
    if text not in needs:
        needs.append(text)


def _discard(text: str) -> None:
    """Discard messages."""
