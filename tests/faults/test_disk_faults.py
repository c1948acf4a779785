"""Disks that are full or cannot be written: runs, cache and store, at the start and while a run
goes on.
"""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Injection
from tests.faults.parents import Place, copy_store

NOT_YET = "not in MLflow yet: python -m experiments journal ingest"
Mount = Callable[..., Path]


@pytest.fixture
def disk(place: Place) -> Iterator[Mount]:
    """A small disk of its own in memory; the test is skipped where it cannot be mounted."""
    mounted: list[Path] = []

    def mount(name: str, kilobytes: int) -> Path:
        folder = place.folder / name
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=0755", "kbb-fault", folder],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"no disk of its own can be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


def read_only(folder: Path, yes: bool = True) -> None:
    """Switch a disk's writability."""
    subprocess.run(
        ["mount", "-o", f"remount,{'ro' if yes else 'rw'}", folder], check=True, capture_output=True
    )


def fill(folder: Path) -> Path:
    """Leave no byte free."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream:
        for size in (4096, 1):
            try:
                while True:
                    stream.write(b"x" * size)
            except OSError:
                continue
    return filler


def test_runs_folder_is_full(place: Place, injection: Injection, disk: Mount) -> None:
    place.variables["KBB_RUNS"] = str(disk("small", 64))
    fill(place.runs)
    place.plan()
    parent = place.run()
    assert parent.status == 2 and parent.errors.read_text().count("\n") == 1
    says = "No space left on device; set KBB_RUNS to another folder"
    injection.holds("disk: runs folder full at the start", None, says, ingest=False)


@pytest.mark.parametrize("point", ["start", "built", "epoch1"])
def test_disk_fills_up(place: Place, injection: Injection, disk: Mount, point: str) -> None:
    """Neither the worker nor the parent can write any more; later there is room again."""
    place.variables["KBB_RUNS"] = str(disk("small", 256))
    place.plan("fill", point)
    assert place.run().status == 1
    said = place.everything_said()
    assert "this run's end could not be written" in said and NOT_YET in said
    (place.journal().parent / "filler").unlink()
    injection.holds(
        f"disk: full after {point}", "killed", "No space left on device; this run's end could not"
    )


def test_disk_fills_up_and_has_room_again(place: Place, injection: Injection, disk: Mount) -> None:
    """The worker stops for want of room; the parent finds some when it writes the end."""
    place.variables["KBB_RUNS"] = str(disk("small", 256))
    place.plan("brief fill", "epoch1")
    assert place.run().status == 1
    injection.holds(
        "disk: full for a moment after epoch1", "failed", "ended with status 1 in epoch 2"
    )


def test_cache_is_full(place: Place, injection: Injection, disk: Mount) -> None:
    place.variables["KBB_CACHE"] = str(disk("small", 32))
    fill(Path(place.variables["KBB_CACHE"]))
    place.plan()
    assert place.run().status == 1
    injection.holds("disk: cache full", "not_installed", "KBB_CACHE")


@pytest.mark.parametrize("what", ["runs", "cache"])
def test_folder_is_read_only(place: Place, injection: Injection, disk: Mount, what: str) -> None:
    folder = disk("fixed", 64)
    read_only(folder)
    place.variables[f"KBB_{what.upper()}"] = str(folder)
    place.plan()
    assert place.run().status == (2 if what == "runs" else 1)
    if what == "runs":
        says = "Read-only file system; set KBB_RUNS to another folder"
        injection.holds("disk: runs folder read-only", None, says, ingest=False)
    else:
        injection.holds("disk: cache read-only", "not_installed", "set KBB_CACHE to a folder")


def test_store_is_read_only(place: Place, injection: Injection, disk: Mount) -> None:
    folder = disk("fixed", 4096)
    copy_store(place.database.parent.parent, folder)
    place.database = folder / "mlflow.db"
    read_only(folder)
    place.plan()
    assert place.run().status == 0
    assert NOT_YET in place.everything_said()
    read_only(folder, False)
    injection.holds("disk: store read-only", "finished", "attempt to write a readonly database")


@pytest.mark.parametrize("point", ["built", "epoch2"])
def test_store_is_full(place: Place, injection: Injection, disk: Mount, point: str) -> None:
    folder = disk("fixed", 4096)
    copy_store(place.database.parent.parent, folder)
    place.database = folder / "mlflow.db"
    place.plan("meet", point)
    parent = place.start("tracking.flush_seconds=0.01")
    place.paused()
    filler = fill(folder)
    place.go()
    assert parent.wait() == 0
    filler.unlink()
    injection.holds(f"disk: store full from {point} on", "finished", "database or disk is full" if point == "built" else
                    NOT_YET)  # fmt: skip


def test_journal_comes_from_a_folder_that_cannot_be_written(
    place: Place, injection: Injection, disk: Mount
) -> None:
    """As from somebody else's folder: its parent died, and the end that is missing cannot be
    added.
    """
    place.variables["KBB_RUNS"] = str(disk("fixed", 1024))
    place.plan("hang", "epoch1")
    parent = place.start("tracking=journal")
    place.paused()
    parent.send(9)
    parent.wait()
    assert (
        place.orphans() == []
    )  # a worker that still writes keeps the disk from becoming read-only
    read_only(place.runs)
    injection.holds("disk: journal of a killed parent, read-only", "killed")


def test_store_folder_of_artifacts_is_read_only(
    place: Place, injection: Injection, disk: Mount
) -> None:
    folder = place.database.parent / "artifacts"
    folder.mkdir()
    disk("store/artifacts", 4096)
    read_only(folder)
    place.plan()
    assert place.run().status == 0
    assert NOT_YET in place.everything_said()
    read_only(folder, False)
    injection.holds("disk: artifacts read-only", "finished", "Read-only file system")
    assert {path.name for path in folder.rglob("*.jsonl")} == {"events.jsonl"}
    assert any(folder.iterdir())
