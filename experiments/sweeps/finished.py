"""Which cells are finished: looked up in the store, or in the journals if there is no store."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments import names
from experiments.config import identity
from experiments.config.identity import backend_settings
from experiments.config.schema import RunConfig
from experiments.journal import journal
from experiments.journal.figures import summarise
from experiments.sweeps.survey import Prospect
from experiments.tracking.store import Store, pages
from experiments.tracking.translation import as_text


@dataclass(frozen=True)
class Past:
    """A run that was made, as far as a sweep wants to know."""

    task: str
    backend: str
    gpu: str
    device_name: str | None
    protocol_id: str | None
    repetition: int
    threads: int | None
    settings: dict[str, str]
    state: str | None
    reason: str | None
    sweep_id: str | None
    cell: str | None
    share: tuple[float, int] | None  # fraction of the data, epochs
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether it trained to its planned end."""
        return self.state in names.COMPLETE_STATES


def from_store(run: Any) -> Past:
    """A Past from MLflow's run."""
    tags, params = run.data.tags, run.data.params
    epochs, fraction = params.get(names.PARAM_EPOCHS), params.get(names.PARAM_FRACTION)
    return Past(
        params.get(names.PARAM_TASK, ""),
        params.get(names.PARAM_BACKEND, ""),
        params.get(names.PARAM_GPU, ""),
        tags.get(names.TAG_DEVICE_NAME),
        tags.get(names.TAG_PROTOCOL),
        _whole(tags.get(names.TAG_REPETITION)) or 0,
        _whole(params.get(names.PARAM_THREADS)),
        {k: v for k, v in params.items() if k.startswith(names.PREFIX_SETTING)},
        tags.get(names.TAG_STATE),
        tags.get(names.TAG_REASON),
        tags.get(names.TAG_SWEEP),
        None,
        (float(fraction), int(epochs)) if fraction and epochs else None,
        dict(run.data.metrics),
    )


def from_journal(contents: journal.Contents) -> Past | None:
    """A Past from a journal; None if it contains no run."""
    job = contents.first("job")
    if job is None:
        return None
    prepared, closed = contents.first("prepared") or {}, contents.first("closed") or {}
    params = prepared.get("params", {})
    facts = {**(contents.first("end") or {}), **closed.get("facts", {})}
    fraction, epochs = params.get(names.PARAM_FRACTION), params.get(names.PARAM_EPOCHS)
    return Past(
        job["task"],
        job["backend"],
        job["gpu"],
        prepared.get("device_name"),
        prepared.get("protocol_id"),
        job["repetition"],
        params.get(names.PARAM_THREADS),
        {k: as_text(v) for k, v in params.items() if k.startswith(names.PREFIX_SETTING)},
        closed.get("state"),
        closed.get("reason"),
        job.get("sweep_id"),
        job.get("cell"),
        (fraction, epochs) if fraction and epochs else None,
        summarise(contents.all("epoch"), facts),
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdigit() else None


def same_cell(prospect: Prospect, past: Past) -> bool:
    """Whether `past` did the work of `prospect` on the same backend and device."""
    config = prospect.cell.config
    if (past.task, past.backend) != (config.task.name, config.backend.name):
        return False
    wanted = {
        f"{names.PREFIX_SETTING}{key}": as_text(value)
        for key, value in backend_settings(config).items()
    }
    return past.settings == wanted and _same_device(prospect, past) and _same_work(prospect, past)


def _same_device(prospect: Prospect, past: Past) -> bool:
    if prospect.device is None:  # a node of a cluster: which one is the scheduler's choice
        return past.gpu == prospect.cell.config.gpu.name
    here, there = prospect.device.name.lower(), (past.device_name or "").lower()
    # The driver and the engines spell a GPU's name with and without its maker.
    return bool(there) and (here in there or there in here)


def _same_work(prospect: Prospect, past: Past) -> bool:
    if past.protocol_id is None or prospect.data_digest is None:
        return False
    threads = prospect.threads if prospect.threads is not None else past.threads
    if threads is None:
        return False
    config: RunConfig = prospect.cell.config
    return past.protocol_id == identity.protocol_id(config, prospect.data_digest, threads)


class Ledger:
    """Looks up runs in the store, or in the journals if there is no store.

    With a store, journals do not count, so that a run that was deleted there is measured again.
    """

    def __init__(self, store: Store | None, runs: Path, only_sweep: str | None = None) -> None:
        self.store, self._runs, self._only_sweep = store, runs, only_sweep
        self._known: dict[str, list[Past]] = {}

    def finished(self, prospect: Prospect, repetition: int, fresh: bool = False) -> Past | None:
        """The newest complete run of this cell and repetition; `fresh` asks the store again."""
        for past in self.runs_of(prospect, fresh):
            mine = self._only_sweep is None or past.sweep_id == self._only_sweep
            if (
                past.complete
                and past.repetition == repetition
                and mine
                and same_cell(prospect, past)
            ):
                return past
        return None

    def runs_of(self, prospect: Prospect, fresh: bool = False) -> list[Past]:
        """Runs that may be of this cell, newest first."""
        protocol = prospect.protocol_id
        if protocol is not None:
            return self._look(f"tags.{names.TAG_PROTOCOL} = '{protocol}'", fresh)
        return self.runs_of_task(prospect.cell.config.task.name, fresh)

    def runs_of_task(self, task: str, fresh: bool = False) -> list[Past]:
        """Runs of a task, newest first."""
        return self._look(f"tags.{names.PARAM_TASK} = '{task}'", fresh)

    def _look(self, query: str, fresh: bool) -> list[Past]:
        if self.store is None:
            if fresh or "" not in self._known:
                self._known[""] = journals(self._runs)
            return self._known[""]
        if fresh or query not in self._known:
            found = pages(self.store.client, self.store.experiment_id, query, 1000)
            self._known[query] = [from_store(run) for page in found for run in page if _is_run(run)]
        return self._known[query]


def _is_run(run: Any) -> bool:
    tags = run.data.tags
    return bool(
        tags.get(names.TAG_KIND) == "run" and tags.get(names.TAG_SOURCE, "measured") == "measured"
    )


def journals(runs: Path) -> list[Past]:
    """Every run that left a journal under `runs`, newest first."""
    found = []
    for path in sorted(runs.glob(f"*/{journal.FILE_NAME}"), reverse=True):
        try:
            past = from_journal(journal.read(path))
        except (OSError, KeyError):
            continue
        if past is not None:
            found.append(past)
    return found
