"""A sweep's own record, and the claim on a cell."""

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.config.schema import RunConfig
from experiments.errors import UserError
from experiments.sweeps import records
from experiments.sweeps.survey import Prospect
from tests.support.sweep_cells import CPU, DIGEST, cell


def test_the_same_grid_goes_on_and_another_does_not(runs: Path) -> None:
    cells = [cell(RunConfig(), index) for index in range(3)]
    key = records.fingerprint(cells, "store", force=False)
    assert records.fingerprint(list(reversed(cells)), "store", force=False) == key
    assert records.fingerprint(cells[:2], "store", force=False) != key
    assert records.fingerprint(cells, "another store", force=False) != key
    assert (
        records.fingerprint([replace(c, repetitions=4) for c in cells], "store", force=False) != key
    )
    assert records.to_continue(key, force=False) is None
    record = records.start(cells, key, "store", ["sweep.py"])
    assert records.to_continue(key, force=False) == record
    record.ended = True
    record.save()
    assert records.to_continue(key, force=False) == record
    assert records.to_continue(key, force=True) is None  # measured to its end: force starts anew


def test_a_torn_record_is_no_record(runs: Path) -> None:
    record = records.start([], "f", "store", [])
    path = record.folder / records.FILE_NAME
    path.write_text(path.read_text()[:40])
    assert records.latest("f") is None


def test_the_same_sweep_twice_at_once_is_refused(runs: Path) -> None:
    with records.held("f"):
        with (
            pytest.raises(UserError, match="already running in another process"),
            records.held("f"),
        ):
            pass
        with records.held("another"):
            pass
    with records.held("f"):
        pass


def test_a_cell_is_claimed_once_whatever_the_grid(runs: Path, config: RunConfig) -> None:
    mine = Prospect(cell(config, 0), CPU, 2, DIGEST)
    theirs = Prospect(cell(config, 5), CPU, 2, DIGEST)
    claim = records.claim_cell(mine, 1, "store", wait=False)
    assert claim is not None
    assert records.claim_cell(theirs, 1, "store", wait=False) is None
    for stack in (
        records.claim_cell(theirs, 2, "store", wait=False),
        records.claim_cell(theirs, 1, "elsewhere", wait=False),
    ):
        assert stack is not None
        stack.close()
    claim.close()
    again = records.claim_cell(theirs, 1, "store", wait=False)
    assert again is not None
    again.close()
