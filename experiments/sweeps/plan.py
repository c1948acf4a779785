"""plan=true: cells, what is finished, what must be built or downloaded, how long it will take.
Nothing is run.
"""

from collections import Counter
from collections.abc import Iterable
from statistics import median
from typing import Any

from experiments.cli.console import duration
from experiments.config.schema import SweepRunConfig
from experiments.errors import TrackingError
from experiments.sweeps import records, survey
from experiments.sweeps.backlog import waiting
from experiments.sweeps.finished import Ledger, Past, same_cell
from experiments.sweeps.grid import Cell, Job
from experiments.sweeps.launched.kinds import Launching
from experiments.sweeps.records import SweepRecord
from experiments.sweeps.results import Results
from experiments.sweeps.survey import Prospect
from experiments.system.paths import runs_root
from experiments.tracking.store import Store, address, existing, redacted

COLUMNS = ("cell", "device", "runs", "finished", "to measure", "a run takes")


def show(cells: list[Cell], settings: SweepRunConfig, how: Launching) -> int:
    """Print the plan; returns the exit status 0."""
    notes: list[str] = []
    store, uri = _store(settings, notes)
    key = records.store_key(uri)
    record = records.to_continue(records.fingerprint(cells, key, settings.force), settings.force)
    ledger = Ledger(
        store, runs_root(), (record.id if record else "none") if settings.force else None
    )
    needs: list[str] = []
    prospects = survey.survey(cells, how.remote, survey.foresee_data(needs))
    done = _finished(cells, prospects, ledger)
    left = [p for p in prospects if len(done[p.cell.key]) < p.cell.repetitions]
    survey.foresee_environments(left, needs)
    estimator = Estimator(ledger)
    _table(cells, prospects, done, estimator)
    for line in _words(cells, prospects, done, estimator, needs, notes + _waiting(uri, settings)):
        print(line)
    if record is not None:
        print(f"resumes sweep {record.id}, order seed {record.seed}")
    print("Nothing was run (plan=true).")
    return 0


def _store(settings: SweepRunConfig, notes: list[str]) -> tuple[Store | None, str | None]:
    if settings.tracking.deferred:
        return None, None
    uri = address(settings.tracking.uri)
    try:
        return existing(settings.tracking), uri
    except TrackingError as error:
        notes.append(f"{error}: what is finished there is not known")
        return None, uri


def _waiting(uri: str | None, settings: SweepRunConfig) -> list[str]:
    count = (
        len(waiting(uri, settings.tracking.experiment))
        if uri is not None and runs_root().is_dir()
        else 0
    )
    return (
        [
            f"{count} journals of earlier processes will be ingested first; "
            "what they finished counts then"
        ]
        if count
        else []
    )


def _finished(cells: list[Cell], prospects: list[Prospect], ledger: Ledger) -> dict[str, set[int]]:
    return {
        cell.key: {
            n for n in range(1, cell.repetitions + 1) if ledger.finished(prospect, n) is not None
        }
        for cell, prospect in zip(cells, prospects, strict=True)
    }


def _table(
    cells: list[Cell], prospects: list[Prospect], done: dict[str, set[int]], estimator: "Estimator"
) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(
            column,
            justify="left" if column in ("cell", "device") else "right",
            no_wrap=column != "device",
        )
    for cell, prospect in zip(cells, prospects, strict=True):
        finished = len(done[cell.key])
        seconds, basis = estimator.seconds(prospect)
        table.add_row(
            cell.title,
            prospect.device.name if prospect.device else "the node's",
            str(cell.repetitions),
            str(finished),
            str(cell.repetitions - finished),
            f"{duration(seconds)}{'?' if basis == GUESS else ''}",
        )
    console = Console()
    Console(width=None if console.is_terminal else 140).print(table)


def _words(
    cells: list[Cell],
    prospects: list[Prospect],
    done: dict[str, set[int]],
    estimator: "Estimator",
    needs: list[str],
    notes: list[str],
) -> list[str]:
    lines = [f"to do first: {need}" for need in needs] + [f"note: {note}" for note in notes]
    refusals = {
        str(prospect.refusal): None for prospect in prospects if prospect.refusal is not None
    }
    lines += [f"cannot be measured as it stands: {refusal}" for refusal in refusals]
    bases: Counter[str] = Counter()
    seconds = 0.0
    for cell, prospect in zip(cells, prospects, strict=True):
        left = cell.repetitions - len(done[cell.key])
        each, basis = estimator.seconds(prospect)
        bases[basis] += left
        seconds += left * each
    runs = sum(cell.repetitions for cell in cells)
    finished = sum(map(len, done.values()))
    by = ", ".join(f"{basis} for {count}" for basis, count in bases.items() if count)
    lines.append(
        f"{len(cells)} cells, {runs} runs: {finished} finished, {runs - finished} to measure"
    )
    if runs > finished:
        lines.append(
            f"about {duration(seconds)} one after another, environments and data aside ({by})"
        )
    return lines


def plain(
    cells: list[Cell], prospects: list[Prospect], earlier: Results, record: SweepRecord
) -> dict[str, Any]:
    """The plan as data, for the sweep's summary run."""
    listed = []
    for cell, prospect in zip(cells, prospects, strict=True):
        listed.append(
            {
                "cell": cell.key,
                "title": cell.title,
                "overrides": [redacted(text) for text in cell.overrides],
                "repetitions": cell.repetitions,
                "protocol_id": prospect.protocol_id,
                "device": prospect.device.name if prospect.device else None,
                "threads": prospect.threads,
                "finished_before": sorted(n for key, n in earlier if key == cell.key),
                "refusal": str(prospect.refusal) if prospect.refusal else None,
            }
        )
    return {
        "sweep_id": record.id,
        "order_seed": record.seed,
        "command": record.command,
        "cells": listed,
    }


SAME, SIMILAR, GUESS = "earlier runs", "similar runs", "a rough guess"
_GUESSED_START_SECONDS = 30.0
# An epoch over all data on a few cores: measured ones take between 2 s and 20 min.
_GUESSED_FULL_EPOCH_SECONDS = 120.0


class Estimator:
    """Seconds of wall time per run, with the basis of the figure; learns from runs as they end."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._learned: dict[str, list[float]] = {}
        self._known: dict[str, tuple[float, str]] = {}

    def learn(self, cell_key: str, seconds: float) -> None:
        """Take in how long a run of this cell took just now."""
        self._learned.setdefault(cell_key, []).append(seconds)

    def seconds(self, prospect: Prospect) -> tuple[float, str]:
        """Expected seconds of one run of the cell, and SAME, SIMILAR or GUESS."""
        key = prospect.cell.key
        if key in self._learned:
            return median(self._learned[key]), SAME
        if key not in self._known:
            self._known[key] = self._look(prospect)
        return self._known[key]

    def total(self, jobs: Iterable[Job], prospects: list[Prospect]) -> float:
        """Expected seconds for jobs one after another."""
        return sum(self.seconds(prospects[job.cell.index])[0] for job in jobs)

    def _look(self, prospect: Prospect) -> tuple[float, str]:
        same = [
            past
            for past in self._ledger.runs_of(prospect)
            if past.complete and same_cell(prospect, past)
        ]
        totals = [past.figures["total_seconds"] for past in same if "total_seconds" in past.figures]
        if totals:
            return median(totals), SAME
        config = prospect.cell.config
        others = [past for past in self._ledger.runs_of_task(config.task.name) if past.complete]
        own_backend = [past for past in others if past.backend == config.backend.name]
        scaled = [s for past in own_backend or others if (s := _scaled(prospect, past)) is not None]
        if scaled:
            return median(scaled), SIMILAR
        budget = config.budget()
        return (
            _GUESSED_START_SECONDS + _GUESSED_FULL_EPOCH_SECONDS * budget.fraction * budget.epochs,
            GUESS,
        )


def _scaled(prospect: Prospect, past: Past) -> float | None:
    """An earlier run's seconds at this cell's share of the data and number of epochs.

    Start-up and compilation do not scale.
    """
    total = past.figures.get("total_seconds")
    epoch = past.figures.get("steady_epoch_seconds", past.figures.get("mean_epoch_seconds"))
    if total is None or epoch is None or past.share is None:
        return None
    fraction, epochs = past.share
    budget = prospect.cell.config.budget()
    start = max(0.0, total - epochs * epoch)
    return start + epoch * budget.fraction / fraction * budget.epochs
