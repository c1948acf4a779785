"""How long a run will take: from earlier runs of the same cell, else of the same task, else a guess that says so."""

from collections.abc import Iterable
from statistics import median

from experiments.sweeps.grid import Job
from experiments.sweeps.ledger import Ledger, Past, same_cell
from experiments.sweeps.survey import Prospect

SAME, SIMILAR, GUESS = "earlier runs", "similar runs", "a rough guess"
_GUESSED_START_SECONDS = 30.0
_GUESSED_FULL_EPOCH_SECONDS = 120.0  # an epoch over all data on a few cores; between 2 s and 20 min in truth


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
        same = [past for past in self._ledger.runs_of(prospect) if past.complete and same_cell(prospect, past)]
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
        return _GUESSED_START_SECONDS + _GUESSED_FULL_EPOCH_SECONDS * budget.fraction * budget.epochs, GUESS


def _scaled(prospect: Prospect, past: Past) -> float | None:
    """An earlier run's time at this cell's share of the data and epochs; start-up and compilation do not scale."""
    total = past.figures.get("total_seconds")
    epoch = past.figures.get("steady_epoch_seconds", past.figures.get("mean_epoch_seconds"))
    if total is None or epoch is None or past.share is None:
        return None
    fraction, epochs = past.share
    budget = prospect.cell.config.budget()
    start = max(0.0, total - epochs * epoch)
    return start + epoch * budget.fraction / fraction * budget.epochs
