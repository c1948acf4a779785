"""How every run of a sweep ended, and the table that says so at the end."""

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from experiments import names
from experiments.sweeps.grid import Cell, Job
from experiments.sweeps.records import SweepRecord
from experiments.tracking.store import Store, brief, name_run, quiet

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = ("cell", "finished", "failed", "left", "steady s/epoch", "validation", "ended badly")
_FAILED, _LEFT = COLUMNS.index("failed"), COLUMNS.index("left")


@dataclass(frozen=True)
class Result:
    """How one run ended. earlier: it was measured before this sweep was started."""

    state: str
    reason: str | None = None
    figures: dict[str, float] = field(default_factory=dict)
    earlier: bool = False
    folder: str = ""

    @property
    def complete(self) -> bool:
        """Whether it trained to its planned end."""
        return self.state in names.COMPLETE_STATES


Results = dict[tuple[str, int], Result]


def counts(cells: list[Cell], results: Results) -> tuple[int, int, int]:
    """(finished, failed, left) over all runs of the sweep."""
    planned = sum(cell.repetitions for cell in cells)
    finished = sum(result.complete for result in results.values())
    return finished, len(results) - finished, planned - len(results)


def rows(cells: list[Cell], results: Results) -> list[tuple[str, ...]]:
    """One row of text per cell, under COLUMNS; medians over its finished repetitions."""
    return [
        _row(cell, [results.get((cell.key, n)) for n in range(1, cell.repetitions + 1)])
        for cell in cells
    ]


def _row(cell: Cell, ended: list[Result | None]) -> tuple[str, ...]:
    done = [result for result in ended if result is not None]
    good = [result for result in done if result.complete]
    bad = Counter(
        result.state for result in done if not result.complete or result.state == names.DIVERGED
    )
    earlier = sum(result.earlier for result in good)
    finished = f"{len(good)} ({earlier} before)" if earlier else str(len(good))
    return (
        cell.title,
        finished,
        str(len(done) - len(good)),
        str(len(ended) - len(done)),
        _median(good, ("steady_train_seconds",), "{:.3g}"),
        _median(good, ("last_val_accuracy", "last_val_loss"), "{:.4f}"),
        ", ".join(state if n == 1 else f"{n} {state}" for state, n in sorted(bad.items())),
    )


def _median(results: list[Result], keys: tuple[str, ...], layout: str) -> str:
    for key in keys:
        values = [result.figures[key] for result in results if key in result.figures]
        if values:
            return layout.format(median(values))
    return "–"


def markdown(cells: list[Cell], results: Results) -> str:
    """The table for MLflow's artifact view."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    lines += ["| " + " | ".join(row) + " |" for row in rows(cells, results)]
    return "\n".join(lines) + "\n"


def show(cells: list[Cell], results: Results, headline: str) -> None:
    """Print the headline, and the cells that did not finish as planned."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(120, console.width))
    console.print(headline, style="bold", highlight=False)
    found = [
        row for row in rows(cells, results) if row[_FAILED] != "0" or row[_LEFT] != "0" or row[-1]
    ]
    if not found:
        return
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        left = column in ("cell", "ended badly")
        table.add_column(column, justify="left" if left else "right", overflow="fold")
    for row in found:
        table.add_row(*row)
    console.print(table)


STATUS = {names.FINISHED: "FINISHED", names.KILLED: "KILLED"}


class SummaryRun:
    """A sweep's summary in the store: `mlflow run`'s run, that of an earlier process, or a new one.

    A store that does not answer is reported once and costs nothing else.
    """

    def __init__(
        self,
        record: SweepRecord,
        cells: list[Cell],
        inherited: str | None,
        warn: "Callable[[str], None]",
    ) -> None:
        self.record, self._cells, self._inherited, self._warn = record, cells, inherited, warn
        self.run_id: str | None = None

    def open(self, store: Store, plan: dict[str, Any], blocks: list[list[Job]]) -> None:
        """Write what is known before the first run: plan and order."""
        self._guarded(lambda: self._open(store, plan, blocks))

    def _open(self, store: Store, plan: dict[str, Any], blocks: list[list[Job]]) -> None:
        from mlflow.entities import Param, RunTag

        client = store.client
        title = f"sweep {self.record.id}"
        self.run_id = self._existing(store) or str(
            client.create_run(
                store.experiment_id, run_name=title, tags={names.TAG_KIND: "sweep"}
            ).info.run_id
        )
        tags = {
            names.TAG_KIND: "sweep",
            names.TAG_SCHEMA: str(names.SCHEMA_VERSION),
            names.TAG_SWEEP: self.record.id,
            "command": " ".join(self.record.command)[:5000],
        }
        run = client.get_run(self.run_id)
        name_run(client, run, title)
        params = {
            "order_seed": str(self.record.seed),
            "cells": str(len(self._cells)),
            "blocks": str(len(blocks)),
        }
        with quiet():
            client.log_batch(
                self.run_id,
                params=[Param(k, v) for k, v in params.items() if k not in run.data.params],
                tags=[RunTag(k, v) for k, v in tags.items()],
                synchronous=True,
            )
            client.update_run(self.run_id, status="RUNNING")
            order = [
                [{"cell": job.cell.key, "title": job.name} for job in block] for block in blocks
            ]
            client.log_dict(self.run_id, plan, "plan.json")
            client.log_dict(
                self.run_id, {"order_seed": self.record.seed, "blocks": order}, "order.json"
            )
        self.record.summary_run = self.run_id
        self.record.save()

    def _existing(self, store: Store) -> str | None:
        """The run to go on with, if the store has it."""
        for run_id in (self._inherited, self.record.summary_run):
            if run_id is None:
                continue
            try:
                found = store.client.get_run(run_id)
            except Exception:  # in another store, or removed
                continue
            if found.info.lifecycle_stage == "active":
                return run_id
        return None

    def close(self, store: Store | None, state: str, results: Results) -> None:
        """Write the table, the counts and the end state."""
        if store is not None and self.run_id is not None:
            self._guarded(lambda: self._close(store, state, results))

    def _close(self, store: Store, state: str, results: Results) -> None:
        assert self.run_id is not None
        client, run_id = store.client, self.run_id
        finished, failed, left = counts(self._cells, results)
        with quiet():
            for key, value in (
                ("runs_finished", finished),
                ("runs_failed", failed),
                ("runs_left", left),
            ):
                client.log_metric(run_id, key, value)
            client.set_tag(run_id, names.TAG_STATE, state)
            client.log_text(run_id, markdown(self._cells, results), "table.md")
            client.log_dict(run_id, _plain(self._cells, results), "results.json")
            client.set_terminated(run_id, STATUS.get(state, "FAILED"))

    def _guarded(self, work: "Callable[[], None]") -> None:
        try:
            work()
        except Exception as error:  # MLflow, SQLAlchemy and requests each raise their own
            self._warn(f"the sweep's summary is not in the store ({brief(error)})")


def _plain(cells: list[Cell], results: Results) -> dict[str, Any]:
    titles = {cell.key: cell.title for cell in cells}
    listed = [
        {
            "cell": titles[key],
            "repetition": repetition,
            "state": result.state,
            "reason": result.reason,
            "earlier": result.earlier,
            "folder": result.folder,
        }
        for (key, repetition), result in sorted(results.items())
    ]
    return {"runs": listed}
