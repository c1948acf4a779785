"""Packing: what was packed is read back, replays into the same metrics, and gives nobody away."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from experiments import names
from experiments.config.schema import TrackingConfig
from experiments.errors import ConfigError, DataError
from experiments.journal import journal
from experiments.sharing.note import About
from experiments.sharing.pack import JOURNALS, MACHINE, NOTE, pack, read, unpack
from experiments.sharing.scrub import Secrets, changes, scrub
from experiments.system.paths import project_root
from experiments.tracking.ingest import ingest
from experiments.tracking.store import connect
from tests.support.journals import complete_journal

HOST, USER = "planted-host", "planted-user"
ABSOLUTE = re.compile(r"(?<![\w./:<>-])/(?!(?:job|replica|task|device):)\w[^\s\"]*|\b[A-Z]:\\")
ALIAS = re.compile(r"host-[0-9a-f]{4}")
EDITIONS = sorted(path.parent for path in project_root().glob(f"results/**/{JOURNALS}"))


def planted_run(folder: Path, identity: str = "a" * 32, **job: Any) -> Path:
    """A run whose journal tells where it was made: host, user, paths."""
    host = {
        "hostname": HOST,
        "cpu_model": "Some CPU",
        "cpu_physical": 2,
        "cpu_logical": 4,
        "memory_bytes": 8e9,
        "system": "Linux 6.1.0-18-secretbuild",
        "python": "3.11.7",
    }
    serial = "GPU-12345678-1234-1234-1234-123456789abc"
    told = f"for /home/{USER}/work on {HOST} by {USER}, {folder}/x, {serial}"
    fields = {"host": host, "description": told, "git_commit": "f" * 40, "mlflow_run_id": "1" * 32}
    return complete_journal(folder, identity, **{**fields, **job}).parent


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return [planted_run(tmp_path / "runs" / name, name * 32) for name in "ab"]


def text_of(folder: Path) -> str:
    """Every byte that is published, decompressed."""
    with pyarrow.CompressedInputStream(str(folder / JOURNALS), "zstd") as stream:
        return stream.read().decode() + (folder / MACHINE).read_text() + (folder / NOTE).read_text()


def lines_to(folder: Path, *lines: bytes) -> Path:
    folder.mkdir()
    codec = pyarrow.Codec("zstd")
    (folder / JOURNALS).write_bytes(codec.compress(b"\n".join(lines), asbytes=True))
    return folder


def test_what_was_packed_is_read_back_per_journal(runs: list[Path], tmp_path: Path) -> None:
    packed = pack(reversed(runs), tmp_path / "out")
    expected = {
        events[0]["id"]: scrub(events)
        for events in (journal.read(run / journal.FILE_NAME).events for run in runs)
    }
    found = read(tmp_path / "out")
    assert found == expected and list(found) == ["a" * 32, "b" * 32]
    assert (packed.runs, packed.unfinished) == (2, [])
    assert packed.size == (tmp_path / "out" / JOURNALS).stat().st_size
    assert packed.scrubbed["job.host.hostname"] == 2


def test_packing_twice_writes_the_same_bytes(runs: list[Path], tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        pack(runs, tmp_path / name / "same")
        contents.append(
            [path.read_bytes() for path in sorted((tmp_path / name / "same").iterdir())]
        )
    assert contents[0] == contents[1] and len(contents[0]) == 3


def test_nothing_of_the_source_is_in_the_packed_folder(runs: list[Path], tmp_path: Path) -> None:
    source = (runs[0] / journal.FILE_NAME).read_text()
    secrets = [HOST, USER, "/home/", str(tmp_path), "secretbuild", "GPU-1234", "1" * 32]
    assert [secret for secret in secrets if secret not in source] == []  # all of them were planted
    pack(runs, tmp_path / "out")
    text = text_of(tmp_path / "out")
    assert [secret for secret in secrets if secret in text] == []
    assert "Linux 6.1" in text and "Some CPU" in text


def test_a_packed_journal_replays_into_the_same_metrics(tmp_path: Path) -> None:
    run = planted_run(tmp_path / "runs" / "a")
    pack([run], tmp_path / "out")
    replayed = []
    for number, path in enumerate(
        [run / journal.FILE_NAME, *unpack(tmp_path / "out", tmp_path / "unpacked")]
    ):
        uri = f"sqlite:///{tmp_path / f'{number}.db'}"
        store = connect(TrackingConfig(name="sqlite", uri=uri))
        ingest(path, store)
        replayed.append(store.client.search_runs([store.experiment_id])[0])
    original, packed = replayed
    assert packed.data.metrics == original.data.metrics and "total_seconds" in packed.data.metrics
    host = {key for key in original.data.params if key.startswith(names.PREFIX_HOST)}
    assert {k: v for k, v in packed.data.params.items() if k not in host} == {
        k: v for k, v in original.data.params.items() if k not in host
    }
    same = (names.TAG_WORK, names.TAG_STACK, names.TAG_STATE, names.TAG_STEADY, names.TAG_FLAGS)
    assert [packed.data.tags.get(t) for t in same] == [original.data.tags.get(t) for t in same]
    assert packed.data.tags[names.TAG_HOST] != HOST


def test_the_note_and_the_machine_say_what_was_measured(runs: list[Path], tmp_path: Path) -> None:
    about = About("make run", {"mnist": "digits"}, ["two cores"])
    pack(runs, tmp_path / "2026-01-test", about)
    note = (tmp_path / "2026-01-test" / NOTE).read_text()
    assert note.startswith("# 2026-01-test\n") and "CC0 1.0" in note
    assert "2 runs: 1 combinations of 1 tasks and 1 backends, 2 repetitions each" in note
    assert "    make run\n" in note and "- two cores\n" in note
    assert "- `mnist`: digits (data=synthetic, digest dddddddddddd)\n" in note
    machine = json.loads((tmp_path / "2026-01-test" / MACHINE).read_text())
    assert machine["cpu_model"] == "Some CPU" and machine["git_commit"] == ["f" * 40]
    assert machine["first_event"] == "1970-01-01T00:16:40Z" and machine["runs"] == 2
    assert machine["data"] == {
        "mnist": {"what": "digits", "source": ["synthetic"], "digest": ["d" * 12]}
    }


def test_runs_without_an_end_are_left_out_and_named(runs: list[Path], tmp_path: Path) -> None:
    going_on = planted_run(tmp_path / "runs" / "c", "c" * 32, closed=False)
    assert pack([*runs, going_on], tmp_path / "out").unfinished == [going_on]
    assert list(read(tmp_path / "out")) == ["a" * 32, "b" * 32]
    with pytest.raises(ConfigError, match="none of these folders holds a closed run"):
        pack([going_on], tmp_path / "none")
    with pytest.raises(ConfigError, match="not the folder of a run"):
        pack([tmp_path / "nowhere"], tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_runs_of_two_hosts_are_refused(runs: list[Path], tmp_path: Path) -> None:
    other = planted_run(tmp_path / "runs" / "c", "c" * 32, host={"hostname": "other"})
    with pytest.raises(ConfigError, match="2 hosts; pack each host's runs separately"):
        pack([*runs, other], tmp_path / "out")


def test_a_remark_that_gives_the_host_away_is_refused(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"would be published: {HOST}; nothing was written"):
        pack(runs, tmp_path / "out", About(remarks=[f"made on {HOST}"]))
    assert not (tmp_path / "out").exists()


def test_an_unknown_data_set_is_refused_with_the_known(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="svhn is not a data set of these runs; choose from mnist"
    ):
        pack(runs, tmp_path / "out", About(data={"svhn": "numbers"}))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "line 2: not JSON"),
        (b'{"v":1,"seq":0,"id":"../../x","t":1,"event":"note"}', "line 2: not a valid journal id"),
        (b'{"v":1,"seq":0,"id":"a","t":1,"event":"note"}', "line 2: sequence 0 again"),
        (b'{"v":2,"seq":1,"id":"a","t":1,"event":"note"}', "line 2: schema version 2"),
    ],
)
def test_a_line_that_no_journal_holds_is_refused(tmp_path: Path, line: bytes, problem: str) -> None:
    folder = lines_to(tmp_path / "in", b'{"v":1,"seq":0,"id":"a","t":1,"event":"note"}', line)
    with pytest.raises(DataError, match=problem):
        read(folder)


def test_what_is_not_zstandard_and_what_is_missing_are_data_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / JOURNALS).write_bytes(b"plain text")
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path)


def test_a_flood_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.sharing.pack.MAX_BYTES", 1 << 20)
    with pytest.raises(DataError, match="more than 1 MiB when decompressed"):
        read(lines_to(tmp_path / "in", b"x" * (2 << 20)))


@pytest.mark.parametrize("edition", EDITIONS, ids=lambda path: path.name)
def test_a_committed_edition_gives_nobody_away(edition: Path) -> None:
    assert ABSOLUTE.findall(text_of(edition)) == []
    jobs = [events[0] for events in read(edition).values()]
    assert jobs and all(ALIAS.fullmatch(job["host"]["hostname"]) for job in jobs)
    again = [changes(events, scrub(events, Secrets())) for events in read(edition).values()]
    assert {place for found in again for place in found} <= {"job.host.hostname"}


def test_the_first_edition_is_whole() -> None:
    found = read(project_root() / "results" / "2026-11-cpu-quick")
    cells = [(events[0]["task"], events[0]["backend"]) for events in found.values()]
    assert len(cells) == 180 and {cells.count(cell) for cell in cells} == {5}
    assert {events[-1]["state"] for events in found.values()} == {"finished"}
