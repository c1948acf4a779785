"""`python -m experiments share`: what it prints, and the lines that it does not understand."""

from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.sharing.pack import NOTE, read
from tests.support.journals import complete_journal


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return complete_journal(tmp_path / "runs" / "a").parent


def test_pack_says_what_it_scrubbed_and_unpack_what_comes_next(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = run.parent / "error-1.log"
    log.write_text("a traceback\n")
    target = tmp_path / "out"
    line = ["share", "pack", str(run), str(log), "--to", str(target), "--data", "mnist=a=b digits"]
    assert main([*line, "--remark", "a quiet machine", "--command", "make run"]) == 0
    said = capsys.readouterr().out
    assert "scrubbed job.host.hostname (1 times)\n" in said
    assert f"{target}: 1 runs, " in said and "read NOTE.md before you publish it" in said
    note = (target / NOTE).read_text()
    assert "`mnist`: a=b digits" in note and "- a quiet machine\n" in note
    assert main(["share", "unpack", str(target), "--to", str(tmp_path / "again")]) == 0
    assert "1 journals; next: python -m experiments journal ingest" in capsys.readouterr().out
    assert list(read(target)) == ["a" * 32]
    assert (tmp_path / "again" / ("a" * 32) / "events.jsonl").is_file()


def test_a_run_without_an_end_is_named(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    going_on = complete_journal(tmp_path / "runs" / "b", "b" * 32, closed=False).parent
    assert main(["share", "pack", str(run), str(going_on), "--to", str(tmp_path / "out")]) == 0
    assert f"left out {going_on}: it has no end; ingest it first" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "digits"], "error: --data digits: write NAME=TEXT"),
        (["--data", "svhn=x"], "svhn is not a data set of these runs; choose from mnist"),
    ],
)
def test_a_line_that_is_not_understood_is_refused(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    target = tmp_path / "out"
    assert main(["share", "pack", str(run), "--to", str(target), *arguments]) == 2
    assert message in capsys.readouterr().err and not target.exists()


def test_a_folder_that_is_not_packed_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["share", "unpack", str(tmp_path), "--to", str(tmp_path / "x")]) == 2
    assert "journals.jsonl.zst: cannot be read" in capsys.readouterr().err
