"""The life of a sweep: grid → survey → what is finished → runs in blocks → summary."""

import os
import sys
from typing import TYPE_CHECKING, Any

from experiments import names
from experiments.config import SweepRunConfig
from experiments.errors import TrackingError
from experiments.paths import runs_root
from experiments.sweeps import backlog, grid, launchers, order, plan, records, results, survey
from experiments.sweeps.estimates import Estimator
from experiments.sweeps.grid import Cell, Job, Request
from experiments.sweeps.launch import Launch
from experiments.sweeps.ledger import Ledger
from experiments.sweeps.progress import Progress
from experiments.sweeps.results import Result, Results
from experiments.sweeps.runner import Runner
from experiments.sweeps.summary_run import SummaryRun

if TYPE_CHECKING:
    from experiments.tracking.store import Store


def sweep(request: Request) -> int:
    """Carry out a sweep, or show its plan; returns the exit status.

    0: every cell is finished; 1: some failed; 130: Ctrl-C. UserError where nothing was started.
    """
    cells, settings = grid.cells(request)
    how = launchers.launching(request.config)
    launchers.refuse_crowding(how, cells, settings.allow_sharing)
    if settings.plan:
        return plan.show(cells, settings, how)
    inherited = os.environ.pop("MLFLOW_RUN_ID", None)  # the summary run's alone: no job may resume it
    doors = Doors(settings)
    store_key = records.store_key(doors.uri)
    fingerprint = records.fingerprint(cells, store_key, settings.force)
    with records.held(fingerprint):
        record = records.to_continue(fingerprint, settings.force)
        again = record is not None
        record = record or records.start(cells, fingerprint, store_key, sys.argv)
        return Sweep(request, cells, settings, how, record, doors, again).conduct(inherited)


class Doors:
    """The way to the store: opened once, before jobs start; tried again where it was shut."""

    def __init__(self, settings: SweepRunConfig) -> None:
        self._tracking = settings.tracking
        self.warning: str | None = None
        self._store: Store | None = None
        if settings.tracking.deferred:
            self.uri = None
            return
        from experiments.tracking.store import absolute_uri, connect, default_uri

        self.uri = absolute_uri(settings.tracking.uri or default_uri())
        try:
            self._store = connect(settings.tracking)
        except TrackingError as error:
            if settings.tracking.required:
                raise
            self.warning = str(error)

    def store(self) -> "Store | None":
        """The store, None where there is none (yet)."""
        if self._store is None and self.uri is not None:
            from experiments.tracking.store import connect

            try:
                self._store = connect(self._tracking)
            except TrackingError:
                return None
        return self._store


class Sweep:
    """One sweep while it goes on."""

    def __init__(
        self, request: Request, cells: list[Cell], settings: SweepRunConfig, how: launchers.Launching,
        record: records.Record, doors: Doors, again: bool,
    ) -> None:
        self.request, self.cells, self.settings, self.how = request, cells, settings, how
        self.record, self.doors, self.again = record, doors, again
        self.results: Results = {}
        self.blocks = order.blocks(cells, record.seed)

    def conduct(self, inherited: str | None) -> int:
        """All of it; returns the exit status."""
        _say(f"sweep {self.record.id}: {len(self.cells)} cells, {sum(map(len, self.blocks))} runs in "
             f"{len(self.blocks)} blocks, order seed {self.record.seed}" + (" (goes on)" if self.again else ""))
        if self.doors.warning:
            print(f"warning: {self.doors.warning}", file=sys.stderr, flush=True)
        store = self.doors.store()
        if store is not None:
            backlog.bring_in(store, self.settings.tracking.experiment, _say)
        ledger = Ledger(store, runs_root(), self.record.id if self.settings.force else None)
        prospects = survey.survey(self.cells, self.how.remote, survey.prepare_data(_say))
        jobs = self._left(prospects, ledger)
        summary = SummaryRun(self.record, self.cells, inherited, _warn)
        if store is not None:
            summary.open(store, plan.plain(self.cells, prospects, self.results, self.record), self.blocks)
        state = names.KILLED
        try:
            state = self._measure(jobs, prospects, ledger)
        except KeyboardInterrupt:
            print("interrupted; the same command goes on from here", file=sys.stderr, flush=True)
        finally:
            summary.close(self.doors.store(), state, self.results)
        return self._close(state)

    def _left(self, prospects: list[survey.Prospect], ledger: Ledger) -> list[Job]:
        """The jobs to be run, in order; those that are finished go to the results, and that is said."""
        jobs = []
        for job in [job for block in self.blocks for job in block]:
            past = ledger.finished(prospects[job.cell.index], job.repetition)
            if past is None:
                jobs.append(job)
            else:
                self.results[job.key] = Result(str(past.state), None, past.figures, earlier=True)
        if self.results:
            kept = ", ".join(sorted({cell.title for cell in self.cells for key, _ in self.results if key == cell.key}))
            _say(f"{len(self.results)} runs are finished already and are not measured again "
                 f"(force=true does): {kept}")
        return jobs

    def _measure(self, jobs: list[Job], prospects: list[survey.Prospect], ledger: Ledger) -> str:
        """Run what is left; the sweep's end state."""
        if not self.how.remote and jobs:
            wanted = {job.cell.index for job in jobs}
            survey.ready_environments([p for p in prospects if p.cell.index in wanted], _say)
        estimator = Estimator(ledger)

        def seconds_left() -> float:
            return estimator.total((job for job in jobs if job.key not in self.results), prospects)

        def on_end(job: Job, result: Result) -> None:
            self.results[job.key] = result
            if result.complete and not result.earlier and "total_seconds" in result.figures:
                estimator.learn(job.cell.key, result.figures["total_seconds"])

        with Progress(len(jobs), seconds_left) as progress:
            runner = Runner(self.record, prospects, ledger, progress, self.doors.store, on_end)
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
        self, jobs: list[Job], prospects: list[survey.Prospect], runner: Runner, progress: Progress, on_end: Any
    ) -> None:
        """Through the launcher; cells that cannot be measured are recorded here, without a job."""
        hopeless = [job for job in jobs if prospects[job.cell.index].refusal is not None]
        for job in hopeless:
            runner.measure(job)
            if self.settings.fail_fast:
                return
        rest = [job for job in jobs if job not in hopeless]
        if rest:
            launch = Launch(self.request, self.how, self.record, progress, self.doors.store, on_end)
            launch.carry_out([_deferred(job) for job in rest], self.settings.fail_fast)

    def _settle(self, runner: Runner) -> None:
        """Bring in what the store did not take at the time; say what it still does not."""
        store = self.doors.store()
        if runner.debts.paths and not (store is not None and runner.debts.settle(store)) and self.doors.uri:
            paths = " ".join(str(path) for path in runner.debts.paths)
            _warn(f"not in the store yet; when it answers: python -m experiments.journal ingest {paths}")

    def _close(self, state: str) -> int:
        finished, failed, left = results.counts(self.cells, self.results)
        self.record.ended = left == 0
        self.record.save()
        results.show(
            self.cells, self.results,
            f"sweep {self.record.id}: {finished} finished, {failed} failed, {left} left")
        if state == names.KILLED:
            return 130
        return 1 if failed or left else 0


def _deferred(job: Job) -> Job:
    """A job's runs leave the store to the submitting side."""
    from dataclasses import replace

    return replace(job, cell=replace(job.cell, overrides=(*job.cell.overrides, "tracking.deferred=true")))


def _say(text: str) -> None:
    print(text, flush=True)


def _warn(text: str) -> None:
    sys.stdout.flush()
    print(f"warning: {text}", file=sys.stderr, flush=True)
