"""The sweep itself: grid → survey → what is finished → runs in blocks → results."""

import os
import sys
from collections.abc import Callable
from typing import Any

from experiments import names
from experiments.config.schema import SweepRunConfig
from experiments.errors import DONE, FAILED_RUN, INTERRUPTED
from experiments.sweeps import backlog, grid, plan, records, results, survey
from experiments.sweeps.finished import Ledger
from experiments.sweeps.grid import Cell, Job, Request
from experiments.sweeps.launched import kinds
from experiments.sweeps.launched.submit import Launch
from experiments.sweeps.local import Runner
from experiments.sweeps.plan import Estimator
from experiments.sweeps.progress import Progress
from experiments.sweeps.results import Result, Results, SummaryRun
from experiments.system.paths import runs_root
from experiments.tracking.connection import Connection

Show = Callable[[str | None, str, list[Cell]], None]


def sweep(request: Request, show_answer: Show) -> int:
    """Carry out a sweep, or show its plan; returns the exit status.

    0: every cell is finished; 1: some failed; 130: Ctrl-C. UserError if nothing was started.
    """
    cells, settings = grid.cells(request)
    how = kinds.launching(request.config)
    kinds.refuse_crowding(how, cells, settings.allow_sharing)
    if settings.plan:
        return plan.show(cells, settings, how)
    # The run that `mlflow run` opened is the summary's alone: no job may resume it.
    inherited = os.environ.pop("MLFLOW_RUN_ID", None)
    connection = Connection(settings.tracking, _warn)
    store_key = records.store_key(connection.uri)
    fingerprint = records.fingerprint(cells, store_key, settings.force)
    with records.held(fingerprint):
        record = records.to_continue(fingerprint, settings.force)
        again = record is not None
        record = record or records.start(cells, fingerprint, store_key, sys.argv)
        one = Sweep(request, cells, settings, how, record, connection, again)
        status = one.conduct(inherited)
    if any(result.complete for result in one.results.values()):
        show_answer(connection.uri, settings.tracking.experiment, cells)
    return status


class Sweep:
    """One running sweep."""

    def __init__(
        self,
        request: Request,
        cells: list[Cell],
        settings: SweepRunConfig,
        how: kinds.Launching,
        record: records.SweepRecord,
        connection: Connection,
        again: bool,
    ) -> None:
        self.request, self.cells, self.settings, self.how = request, cells, settings, how
        self.record, self.connection, self.again = record, connection, again
        self.results: Results = {}
        self.told: set[str] = set()  # cells whose refusal was said for their whole backend
        self.blocks = grid.blocks(cells, record.seed)

    def conduct(self, inherited: str | None) -> int:
        """All of it; returns the exit status."""
        _say(
            f"sweep {self.record.id}: {len(self.cells)} cells, "
            f"{sum(map(len, self.blocks))} runs in "
            f"{len(self.blocks)} blocks, order seed {self.record.seed}"
            + (" (resumed)" if self.again else "")
        )
        store = self.connection.store()
        if store is not None:
            backlog.bring_in(store, self.settings.tracking.experiment, _say)
        ledger = Ledger(store, runs_root(), self.record.id if self.settings.force else None)
        prospects = survey.survey(self.cells, self.how.remote, survey.prepare_data(_say))
        jobs = self._left(prospects, ledger)
        summary = SummaryRun(self.record, self.cells, inherited, _warn)
        if store is not None:
            summary.open(
                store, plan.plain(self.cells, prospects, self.results, self.record), self.blocks
            )
        state = names.KILLED
        try:
            state = self._measure(jobs, prospects, ledger)
        except KeyboardInterrupt:
            print("interrupted; the same command resumes here", file=sys.stderr, flush=True)
        finally:
            summary.close(self.connection.store(), state, self.results)
        return self._close(state)

    def _left(self, prospects: list[survey.Prospect], ledger: Ledger) -> list[Job]:
        """The jobs to run, in order; finished ones are reported and go to the results."""
        jobs = []
        for job in [job for block in self.blocks for job in block]:
            past = ledger.finished(prospects[job.cell.index], job.repetition)
            if past is None:
                jobs.append(job)
            else:
                self.results[job.key] = Result(str(past.state), None, past.figures, earlier=True)
        if self.results:
            kept = ", ".join(
                sorted(
                    {
                        cell.title
                        for cell in self.cells
                        for key, _ in self.results
                        if key == cell.key
                    }
                )
            )
            _say(
                f"{len(self.results)} runs are finished already and are not measured again "
                f"(force=true does): {kept}"
            )
        return jobs

    def _measure(self, jobs: list[Job], prospects: list[survey.Prospect], ledger: Ledger) -> str:
        """Run what is left; the sweep's end state."""
        if not self.how.remote and jobs:
            wanted = {job.cell.index for job in jobs}
            left = [p for p in prospects if p.cell.index in wanted]
            survey.ready_environments(left, _say)
            survey.tell_refusals(left, _say)
            self.told = {p.cell.key for p in left if p.told}
        estimator = Estimator(ledger)

        def seconds_left() -> float:
            return estimator.total((job for job in jobs if job.key not in self.results), prospects)

        def on_end(job: Job, result: Result) -> None:
            self.results[job.key] = result
            if result.complete and not result.earlier and "total_seconds" in result.figures:
                estimator.learn(job.cell.key, result.figures["total_seconds"])

        with Progress(len(jobs), seconds_left) as progress:
            runner = Runner(self.record, prospects, ledger, progress, self.connection.store, on_end)
            fast = self.settings.fail_fast
            try:
                if self.how.in_process:
                    runner.carry_out(jobs, fast)
                else:
                    self._launch(jobs, prospects, runner, progress, on_end)
            finally:
                self._settle(runner)
        failed = any(not result.complete for result in self.results.values())
        return names.FAILED if failed else names.FINISHED

    def _launch(
        self,
        jobs: list[Job],
        prospects: list[survey.Prospect],
        runner: Runner,
        progress: Progress,
        on_end: Any,
    ) -> None:
        """Through the launcher; cells that cannot be measured are recorded here, without a job."""
        hopeless = [job for job in jobs if prospects[job.cell.index].refusal is not None]
        for job in hopeless:
            runner.measure(job)
            if self.settings.fail_fast:
                return
        rest = [job for job in jobs if job not in hopeless]
        if rest:
            launch = Launch(
                self.request, self.how, self.record, progress, self.connection.store, on_end
            )
            launch.carry_out([_deferred(job) for job in rest], self.settings.fail_fast)

    def _settle(self, runner: Runner) -> None:
        """Bring in what the store did not take at the time; say what it still does not."""
        store = self.connection.store()
        if (
            runner.debts.paths
            and not (store is not None and runner.debts.settle(store))
            and self.connection.uri
        ):
            paths = " ".join(str(path) for path in runner.debts.paths)
            ingest = f"python -m experiments journal ingest {paths}"
            _warn(f"not in the store yet; when it answers: {ingest}")

    def _close(self, state: str) -> int:
        finished, failed, left = results.counts(self.cells, self.results)
        self.record.ended = left == 0
        self.record.save()
        results.show(
            [cell for cell in self.cells if cell.key not in self.told],
            self.results,
            f"sweep {self.record.id}: {finished} finished, {failed} failed, {left} left",
        )
        if state == names.KILLED:
            return INTERRUPTED
        return FAILED_RUN if failed or left else DONE


def _deferred(job: Job) -> Job:
    """A job's runs leave the store to the submitting side."""
    from dataclasses import replace

    return replace(
        job, cell=replace(job.cell, overrides=(*job.cell.overrides, "tracking.deferred=true"))
    )


def _say(text: str) -> None:
    print(text, flush=True)


def _warn(text: str) -> None:
    sys.stdout.flush()
    print(f"warning: {text}", file=sys.stderr, flush=True)
