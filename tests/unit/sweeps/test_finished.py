"""Which runs of a grid are finished already."""

from pathlib import Path
from typing import Any

import pytest

from experiments.config import identity
from experiments.config.schema import RunConfig
from experiments.journal import journal
from experiments.sweeps.finished import Ledger, from_journal, same_cell
from experiments.sweeps.survey import Prospect
from tests.support.journals import complete_journal
from tests.support.sweep_cells import CPU, DIGEST, cell, past


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"state": "diverged"}, True),
        ({"backend": "jax"}, False),
        ({"task": "mnist_cnn"}, False),
        ({"device_name": "Another CPU"}, False),
        ({"device_name": "Maker Test CPU 9000"}, True),  # as an engine may spell it
        ({"device_name": None}, False),
        ({"protocol_id": "ffffffffffff"}, False),
        ({"protocol_id": None}, False),
        ({"settings": {"setting.jit_compile": "true"}}, False),
    ],
)
def test_only_the_same_work_on_the_same_device_counts(
    config: RunConfig, changes: dict[str, Any], expected: bool
) -> None:
    assert same_cell(Prospect(cell(config), CPU, 2, DIGEST), past(config, **changes)) is expected


def test_other_threads_or_data_are_other_work(config: RunConfig) -> None:
    assert not same_cell(Prospect(cell(config), CPU, 1, DIGEST), past(config))
    assert not same_cell(Prospect(cell(config), CPU, 2, "f" * 16), past(config))
    assert not same_cell(Prospect(cell(config), CPU, 2, None), past(config))


def test_on_a_cluster_device_and_automatic_threads_are_the_node_s(config: RunConfig) -> None:
    prospect = Prospect(cell(config), device=None, threads=None, data_digest=DIGEST)
    assert same_cell(prospect, past(config, device_name="Some node's CPU"))
    assert not same_cell(prospect, past(config, gpu="v100"))
    fixed = Prospect(cell(config), device=None, threads=4, data_digest=DIGEST)
    assert not same_cell(fixed, past(config))


def test_journals_stand_in_where_there_is_no_store(tmp_path: Path, config: RunConfig) -> None:
    work = {"protocol_id": identity.protocol_id(config, DIGEST, 2)}
    path = complete_journal(tmp_path / "one", backend="torch", repetition=2)
    text = (
        path.read_text()
        .replace("0123456789ab", work["protocol_id"])
        .replace('"device_name": "c"', f'"device_name": "{CPU.name}"')
    )
    params = '"params": {"setting.jit_compile": false, "run.threads": 2'
    path.write_text(text.replace('"params": {"hp.optimizer.learning_rate": 0.001', params))
    complete_journal(tmp_path / "two", "b" * 32, end=False, backend="torch")
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / journal.FILE_NAME).write_text("torn")
    ledger = Ledger(None, tmp_path)
    prospect = Prospect(cell(config), CPU, 2, DIGEST)
    assert ledger.finished(prospect, 1) is None
    found = ledger.finished(prospect, 2)
    assert found is not None
    assert found.figures["steady_train_seconds"] == 2.0
    assert Ledger(None, tmp_path, only_sweep="another").finished(prospect, 2) is None


def test_a_journal_without_an_end_is_not_complete(tmp_path: Path) -> None:
    found = from_journal(journal.read(complete_journal(tmp_path, end=False)))
    assert found is not None
    assert found.state is None
    assert not found.complete
