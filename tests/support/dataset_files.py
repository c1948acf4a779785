"""Small data files as the publishers lay them out, and tasks that ask for them."""

import io
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from experiments.config.schema import DatasetConfig, FileConfig, TaskConfig

ROOT = Path(__file__).resolve().parents[2]
# Of the published text of Nietzsche after lower(), in order; the synthetic twin has the same.
ALPHABET = "\n !\"'(),-.0123456789:;=?[]_abcdefghijklmnopqrstuvwxyzäæéë"


def task(name: str, **preparation: Any) -> TaskConfig:
    """A shipped task with its data set; `preparation` overrides single values."""
    content = yaml.safe_load((ROOT / "conf" / "task" / f"{name}.yaml").read_text("utf-8"))
    dataset = next(
        value
        for entry in content["defaults"]
        if isinstance(entry, dict)
        for value in entry.values()
    )
    described = yaml.safe_load((ROOT / "conf" / "dataset" / f"{dataset}.yaml").read_text("utf-8"))
    settings = content["preparation"]
    if isinstance(settings.get("ngram_range"), str):  # an interpolation that Hydra would resolve
        settings["ngram_range"] = content["ngram_range"]
    files = {file: FileConfig(**source) for file, source in described["files"].items()}
    return TaskConfig(
        name=name,
        title=content["title"],
        dataset=DatasetConfig(dataset, described["title"], files),
        preparation={**settings, **preparation},
    )


def budgets(name: str) -> dict[str, dict[str, float]]:
    """The fractions and epochs of a shipped task."""
    content = yaml.safe_load((ROOT / "conf" / "task" / f"{name}.yaml").read_text("utf-8"))
    return dict(content["budgets"])


def write_mnist(folder: Path, train: int = 300, test: int = 200, **changed: Any) -> Path:
    """mnist.npz of random images; `changed` replaces single arrays, None leaves one out."""
    random = np.random.RandomState(1)
    arrays: dict[str, Any] = {
        "x_train": random.randint(0, 256, (train, 28, 28)).astype(np.uint8),
        "y_train": random.randint(0, 10, train).astype(np.uint8),
        "x_test": random.randint(0, 256, (test, 28, 28)).astype(np.uint8),
        "y_test": random.randint(0, 10, test).astype(np.uint8),
        **changed,
    }
    path = folder / "mnist.npz"
    np.savez_compressed(
        path, **{name: array for name, array in arrays.items() if array is not None}
    )
    return path


def reviews(seed: int, count: int, longest: int = 30) -> list[list[int]]:
    """`count` lists of up to `longest` word ranks."""
    random = np.random.RandomState(seed)
    return [random.randint(1, 60, random.randint(1, longest)).tolist() for _ in range(count)]


def write_imdb(folder: Path, **changed: Any) -> Path:
    """imdb.npz with pickled lists, as the publisher's."""
    arrays: dict[str, Any] = {
        "x_train": np.array(reviews(1, 300), dtype=object),
        "y_train": np.arange(300) % 2,
        "x_test": np.array(reviews(2, 200), dtype=object),
        "y_test": np.arange(200) % 2,
        **changed,
    }
    path = folder / "imdb.npz"
    np.savez_compressed(path, allow_pickle=True, **arrays)
    return path


def _short(text: bytes) -> bytes:
    return b"U" + bytes([len(text)]) + text  # SHORT_BINSTRING, a str of Python 2


def python2_batch(data: np.ndarray[Any, Any], labels: list[int]) -> bytes:
    """{'data': uint8 (n, 3072), 'labels': list} as Python 2 and NumPy 1 pickled it (protocol 2)."""
    rows, columns = data.shape
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n"
        + b"cnumpy\nndarray\n"
        + b"K\x00\x85"
        + _short(b"b")
        + b"\x87R"
        + b"(K\x01M"
        + struct.pack("<H", rows)
        + b"M"
        + struct.pack("<H", columns)
        + b"\x86"
        + b"cnumpy\ndtype\n"
        + _short(b"u1")
        + b"K\x00K\x01\x87R"
        + b"(K\x03"
        + _short(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + b"\x89T"
        + struct.pack("<i", data.nbytes)
        + data.tobytes()
        + b"tb"
    )
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + _short(b"data") + array + _short(b"labels") + numbers + b"u."


def cifar_batches(rows: int = 60) -> dict[str, tuple[np.ndarray[Any, Any], list[int]]]:
    """Random batches by name: data (rows, 3072) in CHW order and labels."""
    random = np.random.RandomState(3)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    return {
        name: (
            random.randint(0, 256, (rows + 200, 3072)).astype(np.uint8)[:rows],
            [int(label) for label in random.randint(0, 10, rows)],
        )
        for name in names
    }


def write_cifar_folder(folder: Path, rows: int = 300) -> Path:
    """cifar-10-batches-py/ with six batches pickled by Python 2."""
    target = folder / "cifar-10-batches-py"
    target.mkdir(parents=True)
    for name, (data, labels) in cifar_batches(rows).items():
        (target / name).write_bytes(python2_batch(data, labels))
    return target


def write_cifar_archive(
    folder: Path, rows: int = 300, name: str = "cifar-10-python.tar.gz"
) -> Path:
    """The same batches in the publisher's archive, in another order and beside another file."""
    path = folder / name
    with tarfile.open(path, "w:gz") as tar:
        members = {
            "readme.html": b"<html>",
            **{
                batch: python2_batch(data, labels)
                for batch, (data, labels) in reversed(cifar_batches(rows).items())
            },
        }
        for member, content in members.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{member}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


class Evil:
    """Runs a command when an ordinary unpickler reads it."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, (self.command,)


def evil_npy(command: str, count: int) -> bytes:
    """A .npy file of `count` objects whose pickle runs a command."""
    stream = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue() + pickle.dumps(Evil(command), protocol=2)
