"""Runs that this very process makes, one after another."""

from collections import deque
from collections.abc import Callable
from pathlib import Path

from experiments import names
from experiments.cli.console import Quiet
from experiments.errors import UserError
from experiments.journal import journal
from experiments.runs.run import run
from experiments.sweeps.backlog import Debts
from experiments.sweeps.finished import Ledger, from_journal
from experiments.sweeps.grid import Job
from experiments.sweeps.progress import Progress, RunView
from experiments.sweeps.records import SweepRecord, claim_cell
from experiments.sweeps.results import Result
from experiments.sweeps.survey import Prospect
from experiments.system import signals
from experiments.tracking.store import Store


class Runner:
    """Measures jobs in order. A failed one is reported, and the rest continues."""

    def __init__(
        self,
        record: SweepRecord,
        prospects: list[Prospect],
        ledger: Ledger,
        progress: Progress,
        store: Callable[[], Store | None],
        on_end: Callable[[Job, Result], None],
    ) -> None:
        self._record, self._prospects, self._ledger, self._progress = (
            record,
            prospects,
            ledger,
            progress,
        )
        self._store, self._on_end = store, on_end
        self.debts = Debts()

    def carry_out(self, jobs: list[Job], fail_fast: bool) -> None:
        """Run all jobs. KeyboardInterrupt passes through once its run is closed as killed."""
        queue, postponed = deque(jobs), set()
        while queue:
            signals.heed()
            job = queue.popleft()
            wait = job.key in postponed
            if wait:
                self._progress.line(f"another sweep measures {job.name}; waiting for it")
            prospect = self._prospects[job.cell.index]
            claim = claim_cell(prospect, job.repetition, self._record.store, wait=wait)
            if claim is None:  # by then it will be finished, or free again
                postponed.add(job.key)
                queue.append(job)
                continue
            with claim:
                result = self._finished_meanwhile(job) or self.measure(job)
            if fail_fast and not result.complete:
                return

    def _finished_meanwhile(self, job: Job) -> Result | None:
        try:
            past = self._ledger.finished(
                self._prospects[job.cell.index], job.repetition, fresh=True
            )
        except Exception:  # the store does not answer: measuring twice is better than not at all
            return None
        if past is None:
            return None
        result = Result(str(past.state), None, past.figures, earlier=True)
        self._progress.skip(job.name, result.state)
        self._on_end(job, result)
        return result

    def measure(self, job: Job) -> Result:
        """Make, record and show one run. Raises KeyboardInterrupt once it is closed as killed."""
        prospect, config = self._prospects[job.cell.index], job.config(self._record.id)
        view = Quiet() if prospect.told else RunView(self._progress, job.key, job.name)
        store = self._store()
        if store is not None:
            self.debts.settle(store)
        if store is None:
            config.tracking.deferred = True
        try:
            outcome = run(config, view, store, prospect.refusal)
        except UserError as error:  # the folder of runs cannot be written
            result = Result(error.state, str(error))
            folder = None
        else:
            folder = outcome.folder
            result = _read(folder, outcome.state, outcome.reason)
            self.debts.note(folder)
        log = (
            str(folder / "worker.log")
            if folder is not None and (folder / "worker.log").exists()
            else ""
        )
        if prospect.told:
            self._progress.record()
        else:
            self._progress.end(job.key, job.name, result.state, result.reason, result.figures, log)
        if result.state == names.KILLED:
            raise KeyboardInterrupt
        self._on_end(job, result)
        return result


def _read(folder: Path, state: str, reason: str | None) -> Result:
    try:
        past = from_journal(journal.read(folder / journal.FILE_NAME))
    except OSError:
        past = None
    return Result(state, reason, past.figures if past else {}, folder=str(folder))
