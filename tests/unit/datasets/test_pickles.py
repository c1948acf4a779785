"""Foreign pickles: arrays and lists come through, everything else is refused before it can run."""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.config.schema import DataConfig
from experiments.datasets import prepare
from experiments.datasets.arrays import MalformedError
from experiments.datasets.pickles import Refused, read_npz, unpickle
from experiments.errors import DataError
from tests.support.dataset_files import (
    Evil,
    cifar_batches,
    evil_npy,
    python2_batch,
    task,
    write_imdb,
)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", ">i2"])
def test_arrays_of_every_protocol_come_through(protocol: int, dtype: str) -> None:
    array = np.arange(12).reshape(3, 4).astype(dtype)
    for sent in (array, np.asfortranarray(array)):
        found = unpickle(
            pickle.dumps({b"data": sent, b"labels": [1, 2]}, protocol=protocol), encoding="bytes"
        )
        assert found[b"labels"] == [1, 2]
        # NumPy itself turns foreign byte order into the machine's while it unpickles.
        assert found[b"data"].dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found[b"data"], array)


@pytest.mark.parametrize("old", [b"numpy.core", b"numpy._core"])
def test_both_names_of_numpys_core_are_known(old: bytes) -> None:
    content = pickle.dumps(np.array([[1, 2], [3]], dtype=object), protocol=2)
    for name in (b"numpy._core", b"numpy.core"):
        content = content.replace(name + b".multiarray", old + b".multiarray")
    assert unpickle(content).tolist() == [[1, 2], [3]]


def test_a_batch_of_python_2_is_read() -> None:
    data, labels = cifar_batches(260)["data_batch_1"]
    found = unpickle(python2_batch(data, labels), encoding="bytes")
    np.testing.assert_array_equal(found[b"data"], data)
    assert found[b"labels"] == labels


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Evil("true")),
        pickle.dumps(print),
        pickle.dumps(OrderedDict(a=1)),
        b"cbuiltins\neval\n(Vprint(1)\ntR.",
        b"cnumpy\nload\n.",
        b"c_codecs\nencode\n(Vabc\nVrot13\ntR.",
        b"\x80\x04\x8c\x05numpy\x8c\x0bndarray.sum\x93.",
    ],
)
def test_other_names_are_refused(content: bytes) -> None:
    with pytest.raises(Refused, match="not admitted"):
        unpickle(content)


def test_a_malicious_imdb_file_is_refused_and_runs_nothing(tmp_path: Path, kbb_cache: Path) -> None:
    mark = tmp_path / "it-ran"
    path = write_imdb(tmp_path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["x_train.npy"] = evil_npy(f"touch {mark}", 300)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)

    with pytest.raises(
        DataError,
        match=r"imdb\.npz cannot be used: Refused: .*\.system.*not admitted; sha256 found",
    ):
        prepare(task("imdb_bilstm"), DataConfig("local", str(tmp_path)), 1.0, 1.0, print)
    assert not mark.exists()
    np.load(path, allow_pickle=True)["x_train"]  # the test can fail: an ordinary reader does run it
    assert mark.exists()


def test_a_malicious_cifar_batch_is_refused(tmp_path: Path, kbb_cache: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, (data, labels) in cifar_batches(60).items():
        (folder / name).write_bytes(python2_batch(data, labels))
    (folder / "data_batch_3").write_bytes(
        pickle.dumps({b"data": Evil(f"touch {tmp_path / 'it-ran'}")})
    )
    with pytest.raises(DataError, match="not admitted"):
        prepare(task("cifar10_cnn"), DataConfig("local", str(tmp_path)), 1.0, 1.0, print)
    assert not (tmp_path / "it-ran").exists()


def test_object_arrays_and_plain_ones_are_read_from_npz(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "x": np.array([[1, 2], [3]], dtype=object),
        "y": np.arange(3, dtype=np.uint8),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    found = read_npz(tmp_path / "a.npz", ("x", "y"))
    assert found["x"].tolist() == [[1, 2], [3]]
    np.testing.assert_array_equal(found["y"], arrays["y"])
    with pytest.raises(MalformedError, match=r"expected the arrays x, z; z not found"):
        read_npz(tmp_path / "a.npz", ("x", "z"))


def test_an_object_array_of_another_size_than_announced_is_refused(tmp_path: Path) -> None:
    content = evil_npy("true", 5)[:128] + pickle.dumps(np.array([[1], [2, 3]], dtype=object))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(pickle.UnpicklingError, match="announced"):
        read_npz(tmp_path / "a.npz", ("x",))
