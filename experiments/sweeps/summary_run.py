"""The sweep's own run in MLflow: its plan, order and table, beside the measured runs that it never mixes with."""

from typing import TYPE_CHECKING, Any

from experiments import names
from experiments.sweeps.grid import Cell, Job
from experiments.sweeps.records import Record
from experiments.sweeps.results import Results, counts, markdown
from experiments.tracking.store import Store, brief, name_run, quiet

if TYPE_CHECKING:
    from collections.abc import Callable

STATUS = {names.FINISHED: "FINISHED", names.KILLED: "KILLED"}


class SummaryRun:
    """Created when a sweep starts, or resumed: the run that `mlflow run` opened, or the sweep's earlier one.

    A store that does not answer is said once and costs nothing else.
    """

    def __init__(self, record: Record, cells: list[Cell], inherited: str | None, warn: "Callable[[str], None]") -> None:
        self.record, self._cells, self._inherited, self._warn = record, cells, inherited, warn
        self.run_id: str | None = None

    def open(self, store: Store, plan: dict[str, Any], blocks: list[list[Job]]) -> None:
        """Write what is known before the first run: plan and order."""
        self._guarded(lambda: self._open(store, plan, blocks))

    def _open(self, store: Store, plan: dict[str, Any], blocks: list[list[Job]]) -> None:
        from mlflow.entities import Param, RunTag

        client = store.client
        title = f"sweep {self.record.id}"
        self.run_id = self._existing(store) or str(client.create_run(
            store.experiment_id, run_name=title, tags={names.TAG_KIND: "sweep"}).info.run_id)
        tags = {
            names.TAG_KIND: "sweep", names.TAG_SCHEMA: str(names.SCHEMA_VERSION), names.TAG_SWEEP: self.record.id,
            "command": " ".join(self.record.command)[:5000],
        }
        run = client.get_run(self.run_id)
        name_run(client, run, title)
        params = {"order_seed": str(self.record.seed), "cells": str(len(self._cells)), "blocks": str(len(blocks))}
        with quiet():
            client.log_batch(
                self.run_id, params=[Param(k, v) for k, v in params.items() if k not in run.data.params],
                tags=[RunTag(k, v) for k, v in tags.items()], synchronous=True)
            client.update_run(self.run_id, status="RUNNING")
            order = [[{"cell": job.cell.key, "title": job.name} for job in block] for block in blocks]
            client.log_dict(self.run_id, plan, "plan.json")
            client.log_dict(self.run_id, {"order_seed": self.record.seed, "blocks": order}, "order.json")
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
            for key, value in (("runs_finished", finished), ("runs_failed", failed), ("runs_left", left)):
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
        {"cell": titles[key], "repetition": repetition, "state": result.state, "reason": result.reason,
         "earlier": result.earlier, "folder": result.folder}
        for (key, repetition), result in sorted(results.items())
    ]
    return {"runs": listed}
