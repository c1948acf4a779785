"""What the tests of the analysis share."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from analysis.__main__ import main
from analysis.store import read
from analysis.store.select import Choice
from analysis.tables.build import build
from analysis.tables.model import Table
from tests.support.commands import Cli, Done
from tests.support.planted import Planted

Make = Callable[..., str]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command of the analysis, in this process, from a folder that is not the project's."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("KBB_CACHE", str(tmp_path / "cache"))

    def call(*arguments: str, uri: str) -> Done:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        status = main(list(arguments))
        written = capsys.readouterr()
        return Done(status, written.out, written.err)

    return call


@pytest.fixture
def tables(planted_store: Make) -> Callable[..., dict[str, Table]]:
    """Build the tables of planted runs, by key."""

    def make(runs: Sequence[Planted], **choice: object) -> dict[str, Table]:
        frame = read.read(planted_store(runs)).frame
        return {table.key: table for table in build(frame, Choice(**choice)).tables}  # type: ignore[arg-type]

    return make
