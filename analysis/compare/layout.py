"""Runs laid out by condition and backend, once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis import titles
from analysis.compare import conditions
from analysis.compare.conditions import Condition
from analysis.compare.samples import Runs, Sample
from analysis.store.select import Choice, select

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Board:
    """Runs laid out: every (place, backend) has its sample."""

    runs: Runs
    places: dict[str, Condition]
    samples: dict[tuple[str, str], Sample]
    choice: Choice

    def of_task(self, task: str) -> list[Condition]:
        """The places of a task, in the order of columns."""
        return [place for place in self.places.values() if place.task == task]

    def tasks(self) -> list[str]:
        """Tasks with at least one run."""
        return titles.ordered({key.split("|")[0] for key in self.places}, titles.TASKS)

    def backends(self, some: Sequence[Condition] | None = None) -> list[str]:
        """Backends with at least one run (in one of these places)."""
        keys = None if some is None else {place.key for place in some}
        return titles.ordered(
            {backend for place, backend in self.samples if keys is None or place in keys},
            titles.BACKENDS,
        )

    def generations(self, backend: str) -> set[str]:
        """Keras generations that a backend's runs belong to."""
        return {self.places[place].generation for place, name in self.samples if name == backend}


def board(frame: "pd.DataFrame", choice: Choice, *, by_work: bool = False) -> Board:
    """Lay the chosen runs out; `by_work` as in `conditions.placed`."""
    chosen = conditions.placed(select(frame, choice), pool_hosts=choice.pool_hosts, by_work=by_work)
    runs = Runs(chosen)
    return Board(runs, conditions.places(chosen), runs.samples(), choice)
