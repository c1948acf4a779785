"""Where raw files are looked for, how they are told apart, and errors for bad ones."""

import hashlib
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.config.schema import DataConfig
from experiments.datasets import Prepared, prepare
from experiments.datasets.sources import dataset_module, digest_of, local_files, sum_beside
from experiments.errors import ConfigError, DataError
from tests.support.dataset_files import (
    task,
    write_cifar_archive,
    write_cifar_folder,
    write_imdb,
    write_mnist,
)


def local(name: str, folder: Path, said: list[str] | None = None) -> Prepared:
    say = said.append if said is not None else print
    return prepare(task(name), DataConfig("local", str(folder)), 1.0, 1.0, say)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refused(name: str, folder: Path) -> str:
    """The one line that data=local ends with."""
    with pytest.raises(DataError) as caught:
        local(name, folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_an_unknown_data_set_lists_the_known_ones() -> None:
    for name in ("nothing", "cache"):
        with pytest.raises(
            ConfigError,
            match=f"there is no data set '{name}'; choose from cifar10, imdb, mnist, nietzsche",
        ):
            dataset_module(name)


def test_an_unknown_kind_of_data_lists_the_choices(kbb_cache: Path) -> None:
    with pytest.raises(
        ConfigError, match="data=remote is unknown; choose from auto, official, local, synthetic"
    ):
        prepare(task("mnist_mlp"), DataConfig("remote"), 1.0, 1.0, print)


def test_local_needs_a_folder(kbb_cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"needs data\.dir=FOLDER, the folder with mnist\.npz"):
        prepare(task("mnist_mlp"), DataConfig("local"), 1.0, 1.0, print)
    assert "is not a folder" in refused("mnist_mlp", tmp_path / "absent")


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("mnist_mlp", "mnist.npz"),
        ("imdb_bilstm", "imdb.npz"),
        ("text_gen", "nietzsche.txt"),
        ("cifar10_cnn", "cifar-10-batches-py/data_batch_1"),
    ],
)
def test_a_missing_file_is_named_with_the_choices(
    tmp_path: Path, kbb_cache: Path, name: str, first: str
) -> None:
    message = refused(name, tmp_path)
    assert f"{tmp_path / first} is missing" in message
    assert "data=official" in message
    assert name != "cifar10_cnn" or "cifar-10-python.tar.gz or" in message


def test_an_incomplete_folder_names_the_missing_batch(tmp_path: Path, kbb_cache: Path) -> None:
    (write_cifar_folder(tmp_path) / "data_batch_4").unlink()
    assert "cifar-10-batches-py/data_batch_4 is missing" in refused("cifar10_cnn", tmp_path)


def test_what_is_no_zip_is_named_with_both_sums(tmp_path: Path, kbb_cache: Path) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(b"<html>not found</html>")
    message = refused("mnist_mlp", tmp_path)
    assert str(path) in message
    assert "BadZipFile" in message
    assert f"sha256 found {sha256(path)}" in message
    assert f"the publisher's is {task('mnist_mlp').dataset.files['mnist.npz'].sha256}" in message


def test_a_flipped_byte_is_found(tmp_path: Path, kbb_cache: Path) -> None:
    path = write_mnist(tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "cannot be used" in refused("mnist_mlp", tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_test": None}, "x_test not found"),
        (
            {"x_train": np.zeros((300, 28, 27), np.uint8)},
            r"uint8 of shape (n, 28, 28), found uint8 (300, 28, 27)",
        ),
        ({"x_train": np.zeros((300, 28, 28))}, "found float64 (300, 28, 28)"),
        ({"y_train": np.zeros(299, np.uint8)}, "integers of shape (300,), found uint8 (299,)"),
        ({"y_train": np.full(300, 10, np.uint8)}, "should lie in 0..9, found 10..10"),
    ],
)
def test_wrong_arrays_are_told_with_what_was_expected(
    tmp_path: Path, kbb_cache: Path, changed: dict[str, Any], message: str
) -> None:
    write_mnist(tmp_path, **changed)
    assert message in refused("mnist_mlp", tmp_path)


@pytest.mark.parametrize(
    ("reviews", "message"),
    [
        (["word"] * 300, "lists of word ranks"),
        ([[-1]] * 300, "negative word rank"),
        ([[[1]]] * 300, "word ranks"),
    ],
)
def test_reviews_that_are_no_ranks_are_refused(
    tmp_path: Path, kbb_cache: Path, reviews: list[Any], message: str
) -> None:
    array = np.empty(300, dtype=object)
    array[:] = reviews
    write_imdb(tmp_path, x_train=array)
    assert message in refused("imdb_bilstm", tmp_path)


def test_text_must_be_utf8_and_long_enough(tmp_path: Path, kbb_cache: Path) -> None:
    path = tmp_path / "nietzsche.txt"
    path.write_bytes("das böse".encode("latin1"))
    assert "expected UTF-8 text" in refused("text_gen", tmp_path)
    path.write_text("too short")
    assert "expected more than 40 characters to train, found 8" in refused("text_gen", tmp_path)
    path.write_text("")
    assert "found an empty file" in refused("text_gen", tmp_path)


def test_a_broken_archive_is_one_line(tmp_path: Path, kbb_cache: Path) -> None:
    path = write_cifar_archive(tmp_path)
    path.write_bytes(path.read_bytes()[:100_000])
    assert "cifar-10-python.tar.gz cannot be used" in refused("cifar10_cnn", tmp_path)


def test_an_archive_without_all_batches_is_refused(tmp_path: Path, kbb_cache: Path) -> None:
    import tarfile

    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"  # a link is no batch
        tar.addfile(info)
        tar.addfile(tarfile.TarInfo("../../outside"), io.BytesIO())
    assert "data_batch_1, data_batch_2" in refused("cifar10_cnn", tmp_path)
    assert not (tmp_path.parent / "outside").exists()


def test_archive_and_folder_are_the_same_data(tmp_path: Path, kbb_cache: Path) -> None:
    module = dataset_module("cifar10")
    dataset = task("cifar10_cnn").dataset
    digests = set()
    for number, write in enumerate((write_cifar_folder, write_cifar_archive)):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder)
        digests.add(digest_of(module, local_files(module, dataset, folder)))
    keras3 = tmp_path / "2" / "cifar-10-batches-py-target"
    keras3.mkdir(parents=True)
    shutil.copytree(tmp_path / "0" / "cifar-10-batches-py", keras3 / "cifar-10-batches-py")
    digests.add(digest_of(module, local_files(module, dataset, tmp_path / "2")))
    assert len(digests) == 1
    arrays = [np.load(local("cifar10_cnn", tmp_path / str(n)).arrays["x_train"]) for n in range(3)]
    assert all((array == arrays[0]).all() for array in arrays)


def test_batches_that_are_not_the_publishers_are_remarked_on(
    tmp_path: Path, kbb_cache: Path
) -> None:
    write_cifar_folder(tmp_path)
    assert "not the publisher's" in str(local("cifar10_cnn", tmp_path).warning)


def jpeg_pack(folder: Path, rows: int = 150) -> np.ndarray[Any, Any]:
    """cifar10_jpeg.npz of one-coloured images; the colours (rows, 3)."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    colours = np.random.RandomState(5).randint(0, 256, (rows, 3)).astype(np.uint8)
    arrays: dict[str, Any] = {}
    for split in ("train", "test"):
        blobs = []
        for colour in colours:
            stream = io.BytesIO()
            image.fromarray(np.tile(colour, (32, 32, 1))).save(
                stream, "JPEG", quality=95, subsampling=0
            )
            blobs.append(stream.getvalue())
        arrays[f"{split}_jpeg"] = np.frombuffer(b"".join(blobs), np.uint8)
        arrays[f"{split}_length"] = np.array([len(blob) for blob in blobs], np.int32)
        arrays[f"{split}_label"] = (np.arange(rows) % 10).astype(np.uint8)
    np.savez(folder / "cifar10_jpeg.npz", **arrays)
    return colours


def test_jpeg_images_are_decoded_and_warned_of(tmp_path: Path, kbb_cache: Path) -> None:
    colours = jpeg_pack(tmp_path)
    prepared = local("cifar10_cnn", tmp_path)
    assert "JPEG re-encoded CIFAR-10" in str(prepared.warning)
    assert "JPEG re-encoded CIFAR-10" in str(
        local("cifar10_cnn", tmp_path).warning
    )  # reused: still said
    images = np.load(prepared.arrays["x_train"])
    assert images.shape == (150, 32, 32, 3)
    np.testing.assert_allclose(images.mean(axis=(1, 2)) * 255, colours, atol=4)


def test_a_broken_jpeg_is_named(tmp_path: Path, kbb_cache: Path) -> None:
    jpeg_pack(tmp_path)
    arrays = dict(np.load(tmp_path / "cifar10_jpeg.npz"))
    arrays["train_jpeg"] = arrays["train_jpeg"].copy()
    arrays["train_jpeg"][:200] = 0
    np.savez(tmp_path / "cifar10_jpeg.npz", **arrays)
    assert "the image at byte 0 is not a readable JPEG" in refused("cifar10_cnn", tmp_path)
    arrays["train_jpeg"] = arrays["train_jpeg"][:-1]
    np.savez(tmp_path / "cifar10_jpeg.npz", **arrays)
    assert "do not fit the lengths" in refused("cifar10_cnn", tmp_path)


def test_a_sum_beside_the_file_is_held_against_it(tmp_path: Path, kbb_cache: Path) -> None:
    path = write_mnist(tmp_path)
    record = tmp_path / "SHA256SUMS"
    record.write_text(f"{'0' * 64}  other.npz\n{sha256(path)} *mnist.npz\n")
    assert sum_beside(path) == sha256(path)
    local("mnist_mlp", tmp_path)
    record.write_text(f"{'0' * 64}  mnist.npz\n")
    message = refused("mnist_mlp", tmp_path)
    assert f"sha256 expected {'0' * 64}, found {sha256(path)}" in message
    (tmp_path / "mnist.npz.sha256").write_text(sha256(path))  # nearer than the list
    local("mnist_mlp", tmp_path)


def test_other_content_is_another_digest_and_is_noted_once(tmp_path: Path, kbb_cache: Path) -> None:
    said: list[str] = []
    path = write_mnist(tmp_path)
    first = local("mnist_mlp", tmp_path, said)
    assert first.digest == sha256(path)[:16]
    assert (first.source, first.warning) == ("local", None)
    assert sum("mnist.npz differs from the publisher's" in line for line in said) == 1
    assert local("mnist_mlp", tmp_path, said).folder == first.folder
    assert sum("preparing MNIST" in line for line in said) == 1
    assert sum("mnist.npz differs from the publisher's" in line for line in said) == 1
    write_mnist(tmp_path, train=301)
    second = local("mnist_mlp", tmp_path, said)
    assert sum("preparing MNIST" in line for line in said) == 2
    assert second.digest != first.digest
    assert second.train_samples == 301


def test_the_publishers_own_file_is_not_remarked_on(tmp_path: Path, kbb_cache: Path) -> None:
    said: list[str] = []
    wanted = task("mnist_mlp")
    wanted.dataset.files["mnist.npz"].sha256 = sha256(write_mnist(tmp_path))
    prepared = prepare(wanted, DataConfig("local", str(tmp_path)), 1.0, 1.0, said.append)
    assert prepared.source == "local"
    assert not any("publisher" in line for line in said)
