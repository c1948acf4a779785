"""The journal: what is written is read back, and what is broken is left out and counted."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.__main__ import main
from experiments.journal import journal
from experiments.journal.events import parse

EPOCH = {
    "epoch_seconds": 1.5, "train_seconds": 1.0, "validation_seconds": 0.5, "samples_per_second": 100.0, "loss": 0.5,
    "accuracy": 0.8, "val_loss": 0.4, "val_accuracy": 0.9,
}  # fmt: skip


def epoch(number: int, **other: Any) -> dict[str, Any]:
    return {"epoch": number, **EPOCH, **other}


def line(sequence: int, event: str = "epoch", identity: str = "a", **fields: Any) -> bytes:
    record = {
        "v": 1,
        "seq": sequence,
        "id": identity,
        "t": 1000.0 + sequence,
        "event": event,
        **fields,
    }
    return json.dumps(record).encode() + b"\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / journal.FILE_NAME


def test_written_events_are_read_back_in_order(path: Path) -> None:
    writer = journal.Journal(path, "a")
    written = [writer.write("note", text="ümlaut … ", number=i) for i in range(3)]
    contents = journal.read(path)
    assert contents.events == written
    assert [event["seq"] for event in contents.events] == [0, 1, 2]
    assert contents.problems == [] and not contents.torn_tail and contents.last_sequence == 2


def test_every_line_is_strict_json_and_non_finite_numbers_come_back(path: Path) -> None:
    writer = journal.Journal(path, "a")
    writer.write("epoch", **epoch(1, loss=math.nan, val_loss=math.inf, val_accuracy=-math.inf))

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is not JSON")

    json.loads(path.read_text(), parse_constant=refuse)
    event = journal.read(path).events[0]
    assert (
        math.isnan(event["loss"])
        and event["val_loss"] == math.inf
        and event["val_accuracy"] == -math.inf
    )


def test_text_that_spells_nan_stays_text(path: Path) -> None:
    journal.Journal(path, "a").write("closed", state="failed", reason="NaN")
    assert journal.read(path).events[0]["reason"] == "NaN"


def test_facts_keep_their_non_finite_numbers(path: Path) -> None:
    journal.Journal(path, "a").write(
        "closed", state="failed", facts={"load_before": math.inf, "remark": "x"}
    )
    assert journal.read(path).events[0]["facts"] == {"load_before": math.inf, "remark": "x"}


def test_text_that_is_no_unicode_does_not_stop_the_journal(path: Path) -> None:
    journal.Journal(path, "a").write("note", file=os.fsdecode(b"caf\xe9"))
    assert journal.read(path).problems == []


def test_sequence_continues_where_the_worker_stopped(path: Path) -> None:
    parent = journal.Journal(path, "a")
    parent.write("note")
    with path.open("ab") as worker:
        worker.write(line(1, **epoch(1)) + line(2, **epoch(2)))
    assert parent.next_sequence == 3
    assert parent.write("closed", state="finished")["seq"] == 3
    assert [event["seq"] for event in journal.read(path).events] == [0, 1, 2, 3]


def test_half_a_line_is_ended_before_the_next_one(path: Path) -> None:
    parent = journal.Journal(path, "a")
    parent.write("note")
    with path.open("ab") as worker:
        worker.write(line(1, **epoch(1))[:30])
    assert journal.read(path).torn_tail
    parent.write("closed", state="killed")
    contents = journal.read(path)
    assert [event["event"] for event in contents.events] == ["note", "closed"]
    assert contents.left_out == 1 and "not JSON" in contents.problems[0]


def test_two_writers_at_once_never_give_a_number_twice(path: Path) -> None:
    work = (
        "import sys; from pathlib import Path; from experiments.journal.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]), 'a')\n"
        "for i in range(60): journal.write('note', who=sys.argv[2])\n"
    )
    root = Path(journal.__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", work, str(path), who], cwd=root) for who in "ab"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    contents = journal.read(path)
    assert [event["seq"] for event in contents.events] == list(
        range(120)
    ) and contents.left_out == 0


def test_short_write_is_finished(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:7]))
    journal.Journal(path, "a").write("note", text="x" * 100)
    monkeypatch.undo()
    assert journal.read(path).events[0]["text"] == "x" * 100


def test_full_disk_raises_and_the_next_line_stands_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = journal.Journal(path, "a")
    writer.write("note")
    real, calls = os.write, []

    def full(descriptor: int, data: bytes) -> int:
        calls.append(len(data))
        if len(calls) == 1:
            return real(descriptor, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        writer.write("prepared")
    monkeypatch.undo()
    assert writer.write("closed", state="failed")["seq"] == 1
    assert [event["event"] for event in journal.read(path).events] == ["note", "closed"]


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe\n"[:2], "not JSON"),
        (b"[1, 2]", "not an object"),
        (b"[" * 100_000, "not JSON"),
        (b'{"v": 2, "seq": 1}', "schema version 2, this program reads 1"),
        (b'{"v": true, "seq": 1}', "schema version True"),
        (b'{"seq": 1}', "schema version None"),
        (b'{"v": 1, "seq": -1, "id": "a", "t": 1, "event": "x"}', "lacks"),
        (b'{"v": 1, "seq": true, "id": "a", "t": 1, "event": "x"}', "lacks"),
        (b'{"v": 1, "seq": 1.5, "id": "a", "t": 1, "event": "x"}', "lacks"),
        (b'{"v": 1, "seq": 1, "id": "a", "t": 1e999, "event": "x"}', "lacks"),
        (b'{"v": 1, "seq": 1, "id": "a", "t": ' + b"9" * 400 + b', "event": "x"}', "lacks"),
        (b'{"v": 1, "seq": 1, "id": 7, "t": 1, "event": "x"}', "lacks"),
        (
            b'{"v": 1, "seq": 1, "id": "a", "t": 1, "event": "epoch", "epoch": 1}',
            "epoch without a number",
        ),
        (
            b'{"v": 1, "seq": 1, "id": "a", "t": 1, "event": "built", "build_seconds": "x", "parameters": 1}',
            "built",
        ),
        (b'{"v": 1, "seq": 1, "id": "a", "t": 1, "event": "end"}', "end without text in state"),
    ],
)
def test_lines_that_cannot_be_used_say_why(bad: bytes, problem: str) -> None:
    said, event = parse(bad)
    assert event is None and problem in said


def test_zeros_that_a_power_failure_left_cost_no_line(path: Path) -> None:
    path.write_bytes(line(0, "note") + b"\0" * 4096 + line(1, **epoch(1)))
    assert [event["seq"] for event in journal.read(path).events] == [0, 1]


def test_events_of_unknown_name_are_kept(path: Path) -> None:
    path.write_bytes(line(0, "weather", degrees=20))
    assert journal.read(path).events[0]["degrees"] == 20


def test_doubled_reordered_and_foreign_lines(path: Path) -> None:
    job = line(0, "note")
    path.write_bytes(
        line(7, identity="other", **epoch(1)) + line(3, **epoch(3)) + job + job + line(2, **epoch(2))
        + line(2, **epoch(2)) + line(1, **epoch(1)) + line(9, **epoch(1)) + b'{"v": 99}\n'
    )  # fmt: skip
    contents = journal.read(path)
    assert [event["seq"] for event in contents.events] == [0, 1, 2, 3]
    assert [event["epoch"] for event in contents.all("epoch")] == [1, 2, 3]
    assert contents.left_out == 5
    assert any("sequence 0 again" in problem for problem in contents.problems)
    assert any("epoch 1 again" in problem for problem in contents.problems)
    assert any("belongs to journal other" in problem for problem in contents.problems)


def test_the_job_says_whose_journal_it_is(path: Path) -> None:
    foreign = b"".join(line(i, identity="other", **epoch(i)) for i in range(5, 9))
    job = {
        "name": "n", "description": "d", "task": "t", "backend": "b", "gpu": "g", "profile": "p", "data": "d",
        "quality_metric": "loss", "repetition": 1, "keras_generation": 3, "host": {},
    }  # fmt: skip
    path.write_bytes(foreign + line(0, "job", **job) + line(1, **epoch(1)))
    contents = journal.read(path)
    assert (
        contents.first("job") is not None
        and len(contents.all("epoch")) == 1
        and contents.left_out == 4
    )


def test_follower_waits_for_the_other_half(path: Path) -> None:
    whole = line(0, **epoch(1))
    path.write_bytes(whole[:25])
    follower = journal.Follower(path, "a")
    assert follower.new_events() == []
    with path.open("ab") as stream:
        stream.write(whole[25:] + line(1, **epoch(2))[:-1])
    assert [event["seq"] for event in follower.new_events()] == [0]
    with path.open("ab") as stream:
        stream.write(b"\n")
    assert [event["seq"] for event in follower.new_events()] == [1]
    assert follower.new_events() == [] and follower.problems == []


def test_follower_keeps_no_flood_in_memory(path: Path) -> None:
    path.write_bytes(line(0, "note"))
    follower = journal.Follower(path, "a")
    with path.open("ab") as stream:
        for _ in range(40):  # 20 MiB without a newline
            stream.write(b"x" * (1 << 19))
            stream.flush()
            follower.new_events()
            assert len(follower.pending) <= journal.MAX_LINE_BYTES + (1 << 20)
        stream.write(b"\n" + line(1, **epoch(1)))
    assert [event["seq"] for event in follower.new_events()] == [1]
    with path.open("ab") as stream:
        stream.write(b"nonsense\n" * 50_000)
    follower.new_events()
    assert follower.left_out == 50_001 and len(follower.problems) == journal.MAX_PROBLEMS


def test_show_and_usage(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_bytes(line(0, "note") + line(1, **epoch(1)) + b"torn")
    assert main(["journal", "show", str(path.parent)]) == 0
    shown = capsys.readouterr().out
    assert "epoch" in shown and "line 3: torn" in shown
    assert main(["journal", "--help"]) == 0
    assert main(["journal"]) == 2 and main(["journal", "show"]) == 2
    capsys.readouterr()
    assert main(["journal", "ingest", str(path.parent / "nothing.jsonl")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("error: ") and "no such journal" in said
