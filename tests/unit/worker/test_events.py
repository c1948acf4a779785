"""The worker's journal: strict JSON, one line an event, one end, signals, full disks."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.worker import __main__ as worker
from experiments.worker.events import Journal, one_line, plain, to_json

ROOT = Path(__file__).resolve().parents[3]


def lines(path: Path) -> list[dict]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def test_events_are_numbered_and_carry_the_journals_identity(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"seq":0}\n')  # the parent's own event comes first and stays
    journal = Journal(str(path), "ab" * 16, 1)
    journal.write("start", pid=7)
    journal.write("epoch", epoch=1, loss=0.5)
    first, *rest = lines(path)
    assert first == {"seq": 0}
    assert [(e["v"], e["seq"], e["id"], e["event"]) for e in rest] == [
        (1, 1, "ab" * 16, "start"),
        (1, 2, "ab" * 16, "epoch"),
    ]
    assert rest[0]["t"] <= rest[1]["t"]
    assert rest[1]["loss"] == 0.5
    assert path.read_bytes().endswith(b"\n")


def test_numbers_beyond_json_become_strings():
    got = json.loads(
        to_json({"a": float("nan"), "b": np.float32("inf"), "c": -np.inf, "d": [np.nan]})
    )
    assert got == {"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": ["NaN"]}


def test_numpy_values_become_plain_numbers():
    values = {
        "f": np.float32(0.25),
        "i": np.int64(3),
        "b": np.bool_(True),
        "a": np.arange(2),
        "t": (1, None),
    }
    got = plain(values)
    assert got == {"f": 0.25, "i": 3, "b": True, "a": [0, 1], "t": [1, None]}
    assert [type(got[key]) for key in "fib"] == [float, int, bool]


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="set cannot be written"):
        to_json({"a": {1}})


def test_text_that_is_no_unicode_still_makes_a_line(tmp_path):
    path = tmp_path / "events.jsonl"
    Journal(str(path), "x", 1).write("end", reason="caf\udce9 ü\nsecond line")
    (event,) = lines(path)
    assert "ü" in event["reason"]


def test_nothing_follows_the_end(tmp_path):
    path = tmp_path / "events.jsonl"
    journal = Journal(str(path), "x", 5)
    journal.write("end", state="finished")
    journal.write("end", state="killed")
    journal.write("epoch", epoch=9)
    assert [event.get("state") for event in lines(path)] == ["finished"]
    assert journal.ended


def test_every_event_wakes_the_reader_and_its_absence_is_no_trouble(tmp_path):
    reading, writing = os.pipe()
    journal = Journal(str(tmp_path / "e"), "x", 1, writing)
    journal.write("start")
    journal.write("epoch")
    assert os.read(reading, 10) == b".."
    os.close(reading)
    os.close(writing)
    journal.write("end")
    assert len(lines(tmp_path / "e")) == 3


def test_a_half_line_is_taken_back_when_the_disk_is_full(tmp_path, monkeypatch):
    path = tmp_path / "events.jsonl"
    journal = Journal(str(path), "x", 1)
    journal.write("start")
    whole = path.read_bytes()
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, line: real(file, line[:10]))
    with pytest.raises(OSError, match="disk full"):
        journal.write("epoch", epoch=1)
    monkeypatch.undo()
    assert path.read_bytes() == whole
    journal.write("epoch", epoch=1)
    assert [event["seq"] for event in lines(path)] == [1, 2]


def test_an_action_waits_until_the_line_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "events.jsonl"
    journal = Journal(str(path), "x", 1)
    seen = []
    real = os.write

    def write(file: int, line: bytes) -> int:
        journal.when_idle(lambda: seen.append(path.read_bytes()))
        assert not seen
        return real(file, line)

    monkeypatch.setattr(os, "write", write)
    journal.write("start")
    monkeypatch.undo()
    assert seen == [path.read_bytes()]
    journal.when_idle(lambda: seen.append(b"now"))
    assert seen[-1] == b"now"


def test_one_line():
    assert one_line(" a\n\tb  c ") == "a b c"
    assert one_line("x" * 20, limit=10) == "x" * 9 + "…"


def test_memory_that_ran_out_is_said_in_plain_words():
    assert worker.describe(MemoryError()).startswith("out of memory (a smaller batch")
    assert worker.describe(RuntimeError("CUDA out of memory. Tried to allocate")).startswith(
        "out of memory"
    )
    assert worker.describe(RuntimeError("RESOURCE_EXHAUSTED: 2 GiB")).startswith("out of memory")
    assert worker.describe(ValueError("first\nsecond")) == "ValueError: first second"


def test_peak_memory_is_of_this_process():
    block = bytearray(200 * 2**20)
    assert worker.peak_rss_bytes() > 200 * 2**20
    del block


CHILD = """
import sys, time
from experiments.worker.__main__ import end_on_termination
from experiments.worker.events import Journal
journal = Journal(sys.argv[1], "x", 1)
end_on_termination(journal)
journal.write("start")
print("ready", flush=True)
time.sleep(60)
"""


def test_termination_ends_the_journal_as_killed(tmp_path):
    path = tmp_path / "events.jsonl"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=10) == 3
    end = lines(path)[-1]
    assert (end["event"], end["state"], end["reason"]) == ("end", "killed", "terminated")
    assert end["cpu_seconds"] > 0


def job(folder: Path, **changes: object) -> Path:
    content = {
        "schema": 1,
        "journal_id": "0" * 32,
        "keras_backend": "jax",
        "keras_generation": 3,
        "seed": 1,
        "threads": 1,
        "device": {"kind": "cpu", "name": None, "index": 0},
        "settings": {},
        "journal": str(folder / "events.jsonl"),
        "first_sequence": 1,
        "folder": str(folder),
        "notify_fd": None,
        **changes,
    }
    path = folder / "job.json"
    path.write_text(json.dumps(content))
    return path


def start(path: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "experiments.worker", str(path)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_failure_ends_the_journal_and_leaves_its_traceback(tmp_path):
    done = start(job(tmp_path, keras_backend="abacus"))
    assert done.returncode == 3
    begin, end = lines(tmp_path / "events.jsonl")
    assert begin["event"] == "start"
    assert (end["event"], end["state"]) == ("end", "failed")
    assert end["reason"] == "ValueError: no engine abacus under Keras 3"
    assert end["peak_rss_bytes"] > 2**20
    assert "Traceback" in done.stderr


def test_a_job_of_another_schema_is_refused(tmp_path):
    done = start(job(tmp_path, schema=99))
    assert done.returncode == 2
    assert "job schema 99, this worker knows 1" in done.stderr
    assert not (tmp_path / "events.jsonl").exists()


def test_usage():
    done = subprocess.run(
        [sys.executable, "-m", "experiments.worker"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "usage: python -m experiments.worker JOB.json\n")
