"""Which journals wait for a store, and which files hold no run."""

import os
from pathlib import Path

import pytest

from experiments.config.schema import TrackingConfig
from experiments.journal import journal
from experiments.tracking.ingest import ingest_files, pending
from experiments.tracking.store import Store
from tests.support.journals import complete_journal


def test_pending_oldest_first(tmp_path: Path) -> None:
    paths = [complete_journal(tmp_path / name, identity=name) for name in ("b", "a", "c")]
    for age, path in enumerate(paths):
        os.utime(path, (1000 + age, 1000 + age))
    assert pending(tmp_path) == paths


def test_files_that_hold_no_run(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tracking = TrackingConfig(name="sqlite", uri=store.uri)
    for number, text in enumerate((b"", b"nonsense\n", b'{"v":9}\n')):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / journal.FILE_NAME).write_bytes(text)
    good = complete_journal(tmp_path / "good")
    assert ingest_files([*sorted(tmp_path.glob(f"[0-9]/{journal.FILE_NAME}")), good], tracking) == 2
    said = capsys.readouterr()
    assert (
        said.err.count("\n") == 3 and said.err.count("holds no run that this program can read") == 3
    )
    assert "3 epochs" in said.out
