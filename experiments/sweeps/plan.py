"""plan=true: cells, what is finished, what must be built or downloaded, how long it will take. Nothing is run."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from experiments.config import SweepRunConfig
from experiments.errors import TrackingError
from experiments.live import duration
from experiments.paths import runs_root
from experiments.sweeps import foresight, records, survey
from experiments.sweeps.estimates import GUESS, Estimator
from experiments.sweeps.grid import Cell
from experiments.sweeps.launchers import Launching
from experiments.sweeps.ledger import Ledger
from experiments.sweeps.records import Record
from experiments.sweeps.results import Results
from experiments.sweeps.survey import Prospect

if TYPE_CHECKING:
    from experiments.tracking.store import Store

COLUMNS = ("cell", "device", "runs", "finished", "to measure", "a run takes")


def show(cells: list[Cell], settings: SweepRunConfig, how: Launching) -> int:
    """Print the plan; returns the exit status 0."""
    notes: list[str] = []
    store, uri = _store(settings, notes)
    key = records.store_key(uri)
    record = records.to_continue(records.fingerprint(cells, key, settings.force), settings.force)
    ledger = Ledger(store, runs_root(), (record.id if record else "none") if settings.force else None)
    needs: list[str] = []
    prospects = survey.survey(cells, how.remote, foresight.foresee_data(needs))
    done = _finished(cells, prospects, ledger)
    left = [p for p in prospects if len(done[p.cell.key]) < p.cell.repetitions]
    foresight.foresee_environments(left, needs)
    estimator = Estimator(ledger)
    _table(cells, prospects, done, estimator)
    for line in _words(cells, prospects, done, estimator, needs, notes + _waiting(uri, settings)):
        print(line)
    if record is not None:
        print(f"goes on with sweep {record.id}, order seed {record.seed}")
    print("Nothing was run (plan=true).")
    return 0


def _store(settings: SweepRunConfig, notes: list[str]) -> "tuple[Store | None, str | None]":
    if settings.tracking.deferred:
        return None, None
    from experiments.tracking.store import absolute_uri, default_uri, existing

    uri = absolute_uri(settings.tracking.uri or default_uri())
    try:
        return existing(settings.tracking), uri
    except TrackingError as error:
        notes.append(f"{error}: what is finished there is not known")
        return None, uri


def _waiting(uri: str | None, settings: SweepRunConfig) -> list[str]:
    from experiments.sweeps.backlog import waiting

    count = len(waiting(uri, settings.tracking.experiment)) if uri is not None and runs_root().is_dir() else 0
    return [f"{count} journals of earlier processes will be brought into the store first; "
            "what they finished counts then"] if count else []


def _finished(cells: list[Cell], prospects: list[Prospect], ledger: Ledger) -> dict[str, set[int]]:
    return {
        cell.key: {n for n in range(1, cell.repetitions + 1) if ledger.finished(prospect, n) is not None}
        for cell, prospect in zip(cells, prospects, strict=True)
    }


def _table(cells: list[Cell], prospects: list[Prospect], done: dict[str, set[int]], estimator: Estimator) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("cell", "device") else "right",
                         no_wrap=column != "device")
    for cell, prospect in zip(cells, prospects, strict=True):
        finished = len(done[cell.key])
        seconds, basis = estimator.seconds(prospect)
        table.add_row(
            cell.title, prospect.device.name if prospect.device else "the node's", str(cell.repetitions),
            str(finished), str(cell.repetitions - finished), f"{duration(seconds)}{'?' if basis == GUESS else ''}")
    console = Console()
    Console(width=None if console.is_terminal else 140).print(table)


def _words(
    cells: list[Cell], prospects: list[Prospect], done: dict[str, set[int]], estimator: Estimator,
    needs: list[str], notes: list[str],
) -> list[str]:
    lines = [f"to do first: {need}" for need in needs] + [f"note: {note}" for note in notes]
    refusals = {str(prospect.refusal): None for prospect in prospects if prospect.refusal is not None}
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
    lines.append(f"{len(cells)} cells, {runs} runs: {finished} finished, {runs - finished} to measure")
    if runs > finished:
        lines.append(f"about {duration(seconds)} one after another, environments and data aside ({by})")
    return lines


def plain(cells: list[Cell], prospects: list[Prospect], earlier: Results, record: Record) -> dict[str, Any]:
    """The plan as data, for the sweep's summary run."""
    listed = []
    for cell, prospect in zip(cells, prospects, strict=True):
        listed.append({
            "cell": cell.key, "title": cell.title, "overrides": list(cell.overrides),
            "repetitions": cell.repetitions, "protocol_id": prospect.protocol_id,
            "device": prospect.device.name if prospect.device else None, "threads": prospect.threads,
            "finished_before": sorted(n for key, n in earlier if key == cell.key),
            "refusal": str(prospect.refusal) if prospect.refusal else None,
        })
    return {"sweep_id": record.id, "order_seed": record.seed, "command": record.command, "cells": listed}
