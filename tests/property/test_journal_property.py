"""Whatever happens to the bytes of a journal, reading it never fails and each finished epoch counts
once.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.journal import journal
from experiments.journal.events import parse

EPOCH = {
    "epoch_seconds": 1.5, "train_seconds": 1.0, "validation_seconds": 0.5, "samples_per_second": 100.0, "loss": 0.5,
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


def line(
    sequence: int, event: str, identity: str = "mine", version: Any = 1, **fields: Any
) -> bytes:
    record = {
        "v": version,
        "seq": sequence,
        "id": identity,
        "t": 1e9 + sequence,
        "event": event,
        **fields,
    }
    return json.dumps(record).encode()


def whole(epochs: int) -> list[bytes]:
    """The lines of a run as its writers leave them."""
    job = {
        "name": "n", "description": "d", "task": "t", "backend": "b", "gpu": "g", "profile": "p", "data": "d",
        "quality_metric": "loss", "repetition": 1, "keras_generation": 3, "host": {},
    }  # fmt: skip
    middle = [line(number, "epoch", epoch=number, **EPOCH) for number in range(1, epochs + 1)]
    return [line(0, "job", **job), *middle, line(epochs + 1, "end", state="finished")]


FOREIGN = st.one_of(
    st.builds(lambda n: line(n, "epoch", identity="other", epoch=n, **EPOCH), st.integers(1, 9)),
    st.builds(
        lambda v: line(1, "epoch", version=v, epoch=1, **EPOCH), JSON.filter(lambda v: v != 1)
    ),
    st.builds(lambda fields: line(100, "epoch", **{"epoch": "one", **fields}), st.just({})),
    st.builds(lambda value: json.dumps(value).encode(), JSON),
    st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"")),
)


def read(data: bytes, identity: str | None = None) -> journal.Contents:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / journal.FILE_NAME
        path.write_bytes(data)
        return journal.read(path, identity)


@given(st.integers(0, 6), st.data())
def test_torn_at_any_byte_keeps_what_was_whole(epochs: int, data: st.DataObject) -> None:
    text = b"".join(part + b"\n" for part in whole(epochs))
    cut = data.draw(st.integers(0, len(text)))
    kept = text[:cut].count(b"\n") + (
        cut > 0 and text[cut : cut + 1] == b"\n"
    )  # only the newline is lost
    contents = read(text[:cut])
    assert [event["seq"] for event in contents.events] == list(range(kept))
    assert contents.torn_tail == (cut > 0 and text[cut - 1 : cut] != b"\n")


@given(st.integers(0, 6), st.data())
def test_writing_on_after_a_tear_loses_the_torn_line_alone(
    epochs: int, data: st.DataObject
) -> None:
    text = b"".join(part + b"\n" for part in whole(epochs))
    cut = data.draw(st.integers(0, len(text)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / journal.FILE_NAME
        path.write_bytes(text[:cut])
        journal.Journal(path, "mine").write("closed", state="killed")
        contents = journal.read(path, "mine")
    kept = text[:cut].count(b"\n") + (cut > 0 and text[cut : cut + 1] == b"\n")
    assert [event["seq"] for event in contents.events] == list(range(kept + 1))
    assert contents.events[-1]["event"] == "closed"


@given(st.integers(1, 6), st.lists(FOREIGN, max_size=6), st.data())
@settings(max_examples=200)
def test_doubled_reordered_and_foreign_lines_change_nothing(
    epochs: int, foreign: list[bytes], data: st.DataObject
) -> None:
    mine = whole(epochs)
    doubled = data.draw(st.lists(st.sampled_from(mine), max_size=6))
    lines = data.draw(st.permutations([*mine, *doubled, *foreign]))
    contents = read(b"".join(part + b"\n" for part in lines), "mine")
    assert [event["epoch"] for event in contents.all("epoch")] == list(range(1, epochs + 1))
    assert [event["seq"] for event in contents.events] == list(range(epochs + 2))
    assert contents.events == read(b"".join(part + b"\n" for part in mine)).events


@given(st.integers(1, 6), st.lists(FOREIGN, max_size=4), st.data())
def test_a_job_line_tells_whose_journal_it_is(
    epochs: int, foreign: list[bytes], data: st.DataObject
) -> None:
    lines = data.draw(st.permutations([*whole(epochs), *foreign]))
    contents = read(b"".join(part + b"\n" for part in lines))
    assert len(contents.all("epoch")) == epochs


@given(st.binary(max_size=400))
def test_any_bytes_are_read_without_failing(data: bytes) -> None:
    contents = read(data)
    assert len(contents.problems) <= contents.left_out or contents.left_out == 0


@given(
    st.dictionaries(
        st.sampled_from(["v", "seq", "id", "t", "event", "epoch", "loss", "facts", "state"]), JSON
    )
)
def test_any_object_is_taken_whole_or_refused_with_a_reason(record: dict[str, Any]) -> None:
    problem, event = parse(json.dumps(record).encode())
    assert (event is None) == bool(problem)


@given(st.integers(0, 6), st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_follower_sees_the_same_whatever_the_pieces(epochs: int, pieces: list[int]) -> None:
    text = b"".join(part + b"\n" for part in whole(epochs))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / journal.FILE_NAME
        path.touch()
        follower, seen, at = journal.Follower(path, "mine"), [], 0
        while at < len(text):
            size = pieces[at % len(pieces)]
            with path.open("ab") as stream:
                stream.write(text[at : at + size])
            at += size
            seen += follower.new_events()
    assert [event["seq"] for event in seen] == list(range(epochs + 2)) and follower.problems == []


@given(
    st.dictionaries(
        st.text(max_size=5).filter(lambda k: k not in ("v", "seq", "id", "t", "event")), JSON
    )
)
def test_what_is_written_is_one_strict_line_and_is_read_back(fields: dict[str, Any]) -> None:
    def refuse(word: str) -> float:
        raise AssertionError(word)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / journal.FILE_NAME
        journal.Journal(path, "mine").write(
            "note", **{f"_{key}": value for key, value in fields.items()}
        )
        text = path.read_bytes()
        assert text.count(b"\n") == 1 and text.endswith(b"\n")
        json.loads(text, parse_constant=refuse)
        assert len(journal.read(path).events) == 1
