"""Journals that wait for their store."""

import json
from pathlib import Path

from experiments.sweeps import backlog, records
from tests.support.journals import complete_journal


def test_only_journals_of_this_store_wait_for_it(runs: Path) -> None:
    complete_journal(runs / "dead-parent", "1" * 32)
    complete_journal(runs / "whole", "2" * 32)
    (runs / "whole" / "ingested.json").write_text(
        json.dumps({"uri": "sqlite:///x", "run_id": "r", "complete": True})
    )
    complete_journal(runs / "elsewhere", "3" * 32)
    (runs / "elsewhere" / "ingested.json").write_text(
        json.dumps({"uri": "http://other", "run_id": "r"})
    )
    complete_journal(runs / "experiment", "4" * 32, experiment="another")
    record = records.start([], "f", records.store_key("http://other"), [])
    complete_journal(runs / "others-sweep", "5" * 32, sweep_id=record.id)
    found = [path.parent.name for path in backlog.waiting("sqlite:///x", "keras-backend-benchmark")]
    assert found == ["dead-parent"]
