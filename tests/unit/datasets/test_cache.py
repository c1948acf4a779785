"""The cache of prepared arrays: made once, completely or not at all; disks that refuse."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from experiments.config.schema import DataConfig
from experiments.datasets import Prepared, clean, list_entries, prepare
from experiments.errors import DataError
from tests.support.dataset_files import ROOT, task, write_mnist

PREPARE = """
import sys
sys.path.insert(0, {root!r})
from tests.support.dataset_files import task
from experiments.config.schema import DataConfig
from experiments.datasets import prepare
from experiments.errors import DataError
{before}
try:
    data = DataConfig("local", {folder!r})
    said = []
    def say(line):
        said.append(line)
        print(line, flush=True)
    prepared = prepare(task("mnist_mlp"), data, 1.0, 1.0, say)
    print("made" if any("preparing" in line for line in said) else "reused", prepared.folder)
except DataError as error:
    print("DataError:", error)
"""


def script(folder: Path, before: str = "") -> list[str]:
    """A command that prepares mnist_mlp from `folder` in a process of its own."""
    code = PREPARE.format(root=str(ROOT), folder=str(folder), before=before)
    return [sys.executable, "-c", code]


def local(folder: Path) -> Prepared:
    return prepare(task("mnist_mlp"), DataConfig("local", str(folder)), 1.0, 1.0, print)


def reused(folder: Path) -> bool:
    """Whether one more call takes the arrays that are there."""
    said: list[str] = []
    prepare(task("mnist_mlp"), DataConfig("local", str(folder)), 1.0, 1.0, said.append)
    return not any(line.startswith("preparing MNIST") for line in said)


def partial_folders(cache: Path) -> list[Path]:
    return list((cache / "prepared").glob("*partial*"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """data.dir with a small mnist.npz."""
    target = tmp_path / "data"
    target.mkdir()
    write_mnist(target)
    return target


def test_the_second_call_reuses_the_first(folder: Path, kbb_cache: Path) -> None:
    assert (reused(folder), reused(folder)) == (False, True)
    first, second = local(folder), local(folder)
    assert (first.arrays, first.digest, first.extra) == (second.arrays, second.digest, second.extra)
    assert sorted(first.arrays) == ["x_train", "x_validation", "y_train", "y_validation"]
    assert all(path.parent == first.folder for path in first.arrays.values())


def test_every_parameter_has_an_entry_of_its_own(folder: Path, kbb_cache: Path) -> None:
    data = DataConfig("local", str(folder))
    folders = {
        prepare(task(name), data, fraction, share, print).folder
        for name, fraction, share in (
            ("mnist_mlp", 1.0, 1.0),
            ("mnist_mlp", 0.5, 1.0),
            ("mnist_mlp", 1.0, 0.9),
            ("mnist_cnn", 1.0, 1.0),
        )
    }
    assert len(folders) == 4


def test_a_warm_call_is_quick_and_imports_nothing_heavy(folder: Path, kbb_cache: Path) -> None:
    local(folder)
    at_exit = """
import atexit
atexit.register(lambda: print("heavy:", {"numpy", "pooch", "requests", "filelock"} &
set(sys.modules)))
"""
    warm = PREPARE.format(root=str(ROOT), folder=str(folder), before=at_exit)
    # The helper module itself needs NumPy: spell the task out instead.
    warm = warm.replace(
        "from tests.support.dataset_files import task", "from types import SimpleNamespace as N"
    )
    wanted = task("mnist_mlp")
    warm = warm.replace(
        'task("mnist_mlp")',
        f"N(name='mnist_mlp', preparation={wanted.preparation!r}, "
        "dataset=N(name='mnist', title='MNIST', files={'mnist.npz': N(sha256=None)}))",
    )
    done = subprocess.run([sys.executable, "-c", warm], capture_output=True, text=True, check=True)
    assert "reused" in done.stdout
    assert "heavy: set()" in done.stdout
    assert min(local(folder).seconds for _ in range(5)) < 0.1


def test_sums_are_remembered_until_the_file_changes(folder: Path, kbb_cache: Path) -> None:
    first = local(folder)
    store = kbb_cache / "prepared" / "digests.json"
    remembered = json.loads(store.read_text())
    (key,) = (key for key in remembered if key.startswith("sha256 "))
    remembered[key]["value"] = "f" * 64  # only a reader of the store can come to know this
    store.write_text(json.dumps(remembered))
    assert local(folder).digest == "f" * 16
    os.utime(folder / "mnist.npz", (1, 1))
    assert local(folder).digest == first.digest
    store.write_text("damaged")
    assert local(folder).digest == first.digest


@pytest.mark.parametrize("damage", ["shorter", "missing", "manifest", "schema"])
def test_a_damaged_entry_is_made_anew(folder: Path, kbb_cache: Path, damage: str) -> None:
    first = local(folder)
    before = first.arrays["x_train"].read_bytes()
    manifest = first.folder / "manifest.json"
    if damage == "shorter":
        os.truncate(first.arrays["x_train"], 1000)
    elif damage == "missing":
        first.arrays["y_validation"].unlink()
    elif damage == "manifest":
        manifest.write_text(manifest.read_text()[:50])
    else:
        manifest.write_text(manifest.read_text().replace('"schema": 1', '"schema": 0', 1))
    assert not reused(folder)
    assert first.arrays["x_train"].read_bytes() == before
    assert reused(folder)


def test_a_killed_preparation_leaves_nothing_that_is_used(folder: Path, kbb_cache: Path) -> None:
    dying = """
import os, signal
from experiments.datasets.arrays import ArrayFolder
write = ArrayFolder.write
def last(self, name, *rest):
    write(self, name, *rest)
    if name == "x_validation":
        os.kill(os.getpid(), signal.SIGKILL)
ArrayFolder.write = last
"""
    done = subprocess.run(script(folder, dying), capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(partial_folders(kbb_cache)) == 1
    assert [entry.detail for entry in list_entries()] == ["unfinished"]
    assert not reused(folder)
    assert not partial_folders(kbb_cache)


def test_an_interrupted_preparation_cleans_up(
    folder: Path, kbb_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("experiments.datasets.arrays.one_hot", interrupted)
    with pytest.raises(KeyboardInterrupt):
        local(folder)
    assert not partial_folders(kbb_cache)
    assert not list_entries()


def test_two_processes_prepare_once(folder: Path, kbb_cache: Path) -> None:
    slow = """
import time
from experiments.datasets.arrays import ArrayFolder
write = ArrayFolder.write
def slowly(self, *rest):
    time.sleep(0.3)
    write(self, *rest)
ArrayFolder.write = slowly
"""
    both = [
        subprocess.Popen(script(folder, slow), stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert sum("preparing MNIST" in output for output in outputs) == 1
    assert sum("is being prepared by another process; waiting" in output for output in outputs) == 1
    assert sorted(output.splitlines()[-1].split()[0] for output in outputs) == ["made", "reused"]


def private_mount(command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a shell command in its own mount namespace; skip the test if there is none."""
    unshare = shutil.which("unshare")
    probe = "mount -t tmpfs -o size=1m none /tmp"
    if unshare is None:
        pytest.skip("unshare is not installed")
    private = [unshare, "-rm", "sh", "-c"]
    if subprocess.run([*private, probe], capture_output=True, check=False).returncode:
        pytest.skip("mount namespaces are not allowed here")
    return subprocess.run(
        [*private, command, "sh", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_a_full_disk_is_one_line_and_leaves_nothing(folder: Path, kbb_cache: Path) -> None:
    kbb_cache.mkdir()
    mount = 'mount -t tmpfs -o size=700k none "$1"; shift; "$@"'
    command = f'{mount}; echo left; find "$KBB_CACHE" -name "*.npy" -o -name "*partial*"'
    output = private_mount(command, str(kbb_cache), *script(folder)).stdout
    line, left = output.split("left\n")
    assert line.splitlines()[-1].startswith(
        f"DataError: no space left for {kbb_cache / 'prepared' / 'mnist-'}"
    )
    assert "KBB_CACHE" in line
    assert left == ""


def test_a_read_only_cache_is_one_line(folder: Path, kbb_cache: Path) -> None:
    kbb_cache.mkdir()
    command = 'mount -t tmpfs -o ro none "$1"; shift; "$@"'
    output = private_mount(command, str(kbb_cache), *script(folder)).stdout
    assert output.startswith(
        f"DataError: cannot write to {kbb_cache}/prepared: Read-only file system; set KBB_CACHE"
    )
    assert "Traceback" not in output


def test_a_read_only_cache_that_is_warm_serves(folder: Path, kbb_cache: Path) -> None:
    local(folder)
    command = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"; shift; "$@"'
    assert private_mount(command, str(kbb_cache), *script(folder)).stdout.startswith("reused")


def test_a_cache_that_cannot_be_a_folder_is_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KBB_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        DataError, match="Not a directory; set KBB_CACHE to a folder that can be written"
    ):
        local(folder)


def test_entries_are_listed_and_cleaned(folder: Path, kbb_cache: Path) -> None:
    assert list_entries() == []
    assert clean() == 0
    prepared = local(folder)
    (entry,) = list_entries()
    assert (entry.kind, entry.path) == ("prepared", prepared.folder)
    assert entry.bytes == sum(path.stat().st_size for path in prepared.folder.iterdir())
    assert entry.detail == f"files {prepared.digest}, train (300, 784), layout=flat"
    assert clean("downloads") == 0
    assert clean("prepared", "imdb") == 0
    assert clean("prepared", "mnist") == entry.bytes
    assert list_entries() == []
    assert not reused(folder)
    with pytest.raises(DataError, match="choose from all, downloads, prepared"):
        clean("everything")


def test_an_entry_in_the_making_is_left_alone(folder: Path, kbb_cache: Path) -> None:
    waiting = """
import time
from experiments.datasets.arrays import ArrayFolder
write = ArrayFolder.write
def slowly(self, *rest):
    write(self, *rest)
    print("writing", flush=True)
    time.sleep(0.5)
ArrayFolder.write = slowly
"""
    process = subprocess.Popen(script(folder, waiting), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while "writing" not in process.stdout.readline():
        time.sleep(0.01)
    assert clean() == 0
    output = process.communicate(timeout=60)[0]
    assert output.splitlines()[-1].startswith("made")
    assert np.load(local(folder).arrays["x_train"]).shape == (300, 784)
