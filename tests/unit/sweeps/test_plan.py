"""How long a sweep will take, told from runs that ended."""

from pathlib import Path

import pytest

from experiments.config.schema import RunConfig
from experiments.sweeps.finished import Ledger, Past
from experiments.sweeps.grid import Job
from experiments.sweeps.plan import GUESS, SAME, SIMILAR, Estimator
from experiments.sweeps.survey import Prospect
from tests.support.sweep_cells import CPU, DIGEST, cell, past


class Kept(Ledger):
    """A ledger that holds given runs."""

    def __init__(self, runs: list[Past]) -> None:
        super().__init__(None, Path())
        self._known[""] = runs


def test_estimates_prefer_the_same_cell_then_the_same_task_then_say_that_they_guess(
    config: RunConfig,
) -> None:
    prospect = Prospect(cell(config), CPU, 2, DIGEST)
    assert Estimator(Kept([past(config)])).seconds(prospect) == (40.0, SAME)
    half = past(
        config, protocol_id="f" * 12, share=(0.01, 2)
    )  # half the data: 30 s of start, then 2 x 10 s
    assert Estimator(Kept([half])).seconds(prospect) == (pytest.approx(30 + 2 * 10), SIMILAR)
    foreign = past(config, backend="jax", share=(0.02, 1))
    assert Estimator(Kept([foreign])).seconds(prospect) == (pytest.approx(35 + 2 * 5), SIMILAR)
    assert Estimator(Kept([past(config, state="failed")])).seconds(prospect)[1] == GUESS


def test_estimates_learn_from_the_sweep_itself(config: RunConfig) -> None:
    estimator = Estimator(Kept([past(config)]))
    for seconds in (10.0, 14.0, 100.0):
        estimator.learn("000", seconds)
    prospect = Prospect(cell(config), CPU, 2, DIGEST)
    assert estimator.seconds(prospect) == (14.0, SAME)
    assert estimator.total([Job(prospect.cell, 1), Job(prospect.cell, 2)], [prospect]) == 28.0
