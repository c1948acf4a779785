"""The table at the end of a sweep."""

from experiments.config.schema import RunConfig
from experiments.sweeps import results
from experiments.sweeps.results import Result
from tests.support.sweep_cells import cell


def test_the_table_counts_what_is_finished_failed_and_left() -> None:
    cells = [cell(RunConfig(), 0), cell(RunConfig(), 1)]
    good = {"steady_train_seconds": 2.0, "last_val_accuracy": 0.9}
    ended = {
        ("000", 1): Result("finished", None, good, earlier=True),
        ("000", 2): Result("finished", None, {**good, "steady_train_seconds": 4.0}),
        ("001", 1): Result("timeout", "timeouts.epoch=2 s passed"),
        ("001", 2): Result("diverged", None, {"last_val_loss": 7.0}),
    }
    assert results.counts(cells, ended) == (3, 1, 2)
    assert results.rows(cells, ended) == [
        ("cell 0", "2 (1 before)", "0", "1", "3", "0.9000", ""),
        ("cell 1", "1", "1", "1", "–", "7.0000", "diverged, timeout"),
    ]
    assert results.markdown(cells, ended).count("\n") == 4
