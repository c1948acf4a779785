"""Fractions, streamed .npy files, and the layouts of images and texts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.config.schema import DataConfig
from experiments.datasets import Prepared, prepare
from experiments.datasets.arrays import MINIMUM_SAMPLES, ArrayFolder, Portion, samples_of, spans
from experiments.errors import ConfigError
from tests.support.dataset_files import (
    cifar_batches,
    reviews,
    task,
    write_cifar_folder,
    write_imdb,
    write_mnist,
)


def local(
    name: str, folder: Path, fraction: float = 1.0, **preparation: Any
) -> tuple[Prepared, dict[str, Any]]:
    """A prepared task and its arrays, mapped as a worker maps them."""
    prepared = prepare(
        task(name, **preparation), DataConfig("local", str(folder)), fraction, fraction, print
    )
    return prepared, {key: np.load(path, mmap_mode="c") for key, path in prepared.arrays.items()}


@given(st.integers(0, 100_000), st.floats(0.0001, 1.0))
def test_a_fraction_is_its_share_but_at_least_a_batch(available: int, fraction: float) -> None:
    samples = samples_of(available, fraction)
    assert min(available, MINIMUM_SAMPLES) <= samples <= available
    if available * fraction >= MINIMUM_SAMPLES:
        assert abs(samples - available * fraction) <= 0.5
    assert samples_of(available, 1.0) == available


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction: float) -> None:
    with pytest.raises(ConfigError, match="validation_fraction=.* out of range"):
        Portion(1.0, fraction)


@given(st.integers(0, 50), st.integers(1, 20))
def test_spans_cover_everything_once(samples: int, chunk: int) -> None:
    assert [index for part in spans(samples, chunk) for index in range(samples)[part]] == list(
        range(samples)
    )


def test_streamed_files_are_npy_files(tmp_path: Path) -> None:
    out = ArrayFolder(tmp_path)
    whole = np.arange(60, dtype=np.float64).reshape(10, 6)
    out.write("x", (10, 6), "float32", (whole[part] for part in spans(10, 3)))
    found = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, whole)
    assert out.described["x"]["bytes"] == (tmp_path / "x.npy").stat().st_size


@pytest.mark.parametrize(
    "chunks", [[np.zeros((3, 6))], [np.zeros((10, 5))], [np.zeros((6, 6)), np.zeros((6, 6))]]
)
def test_chunks_that_do_not_add_up_are_an_error(tmp_path: Path, chunks: list[Any]) -> None:
    with pytest.raises(ValueError, match="rows were written|does not fit"):
        ArrayFolder(tmp_path).write("x", (10, 6), "float32", chunks)


@pytest.mark.parametrize(("name", "shape"), [("mnist_mlp", (784,)), ("mnist_cnn", (28, 28, 1))])
def test_mnist_is_scaled_and_one_hot(
    tmp_path: Path, kbb_cache: Path, name: str, shape: tuple[int, ...]
) -> None:
    raw = np.load(write_mnist(tmp_path))
    prepared, arrays = local(name, tmp_path)
    assert (prepared.train_samples, prepared.validation_samples) == (300, 200)
    for split, part in (("train", "train"), ("validation", "test")):
        images, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
        assert images.dtype == labels.dtype == np.float32
        assert images.shape == (len(raw[f"x_{part}"]), *shape)
        expected = raw[f"x_{part}"].astype("float32")
        expected /= 255
        np.testing.assert_array_equal(images.reshape(expected.shape), expected)
        assert (labels.sum(axis=1) == 1).all()
        np.testing.assert_array_equal(labels.argmax(axis=1), raw[f"y_{part}"])


def test_a_fraction_takes_the_first_samples(tmp_path: Path, kbb_cache: Path) -> None:
    write_mnist(tmp_path)
    _, whole = local("mnist_mlp", tmp_path)
    prepared, part = local("mnist_mlp", tmp_path, fraction=0.5)
    assert (prepared.train_samples, prepared.validation_samples) == (150, MINIMUM_SAMPLES)
    np.testing.assert_array_equal(part["x_train"], whole["x_train"][:150])
    np.testing.assert_array_equal(part["y_validation"], whole["y_validation"][:MINIMUM_SAMPLES])


def test_cifar_batches_are_put_in_order_with_channels_last(tmp_path: Path, kbb_cache: Path) -> None:
    write_cifar_folder(tmp_path, rows=260)
    _, arrays = local("cifar10_cnn", tmp_path)
    batches = cifar_batches(260)
    assert arrays["x_train"].shape == (1300, 32, 32, 3)
    for number in range(1, 6):
        data, labels = batches[f"data_batch_{number}"]
        part = slice(260 * (number - 1), 260 * number)
        expected = data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).astype(
            np.float32
        ) / np.float32(255)
        np.testing.assert_array_equal(arrays["x_train"][part], expected)
        np.testing.assert_array_equal(arrays["y_train"][part].argmax(axis=1), labels)
    np.testing.assert_array_equal(arrays["y_validation"].argmax(axis=1), batches["test_batch"][1])


def keras_order(seed: int, *counts: int) -> list[np.ndarray[Any, Any]]:
    """The orders that keras.datasets.imdb draws for its splits, one stream for both."""
    random = np.random.RandomState(seed)
    orders = [np.arange(count) for count in counts]
    for order in orders:
        random.shuffle(order)
    return orders


def test_reviews_are_those_of_keras_load_data(tmp_path: Path, kbb_cache: Path) -> None:
    write_imdb(tmp_path)
    prepared, arrays = local("imdb_bilstm", tmp_path, words=40, length=12)
    assert prepared.extra == {"words": 40}
    splits = zip(
        ("train", "validation"),
        (reviews(1, 300), reviews(2, 200)),
        keras_order(113, 300, 200),
        strict=True,
    )
    for split, raw, order in splits:
        rows = [
            [w if w < 40 else 2 for w in [1] + [rank + 3 for rank in raw[index]]] for index in order
        ]
        assert arrays[f"x_{split}"].dtype == np.int32
        assert arrays[f"x_{split}"].tolist() == [([0] * 12 + row)[-12:] for row in rows]
        assert arrays[f"y_{split}"].dtype == np.float32
        assert arrays[f"y_{split}"].tolist() == [[float(index % 2)] for index in order]


def test_bigrams_come_from_all_training_reviews_whatever_the_fraction(
    tmp_path: Path, kbb_cache: Path
) -> None:
    write_imdb(tmp_path)
    settings = {"words": 40, "length": 70, "ngram_range": 2}
    whole, arrays = local("imdb_fasttext", tmp_path, **settings)
    part, fewer = local("imdb_fasttext", tmp_path, 0.5, **settings)
    rows = [
        [w if w < 40 else 2 for w in [1] + [rank + 3 for rank in row]] for row in reviews(1, 300)
    ]
    distinct = {pair for row in rows for pair in zip(row, row[1:], strict=False)}
    assert whole.extra == part.extra == {"words": 41 + len(distinct)}
    assert arrays["x_train"].max() == 40 + len(distinct)
    np.testing.assert_array_equal(fewer["x_train"], arrays["x_train"][:150])


def test_text_windows_do_not_straddle_the_held_out_tail(tmp_path: Path, kbb_cache: Path) -> None:
    text = "".join("Abc de,\nfÉ"[(i * i) % 10] for i in range(3000))
    (tmp_path / "nietzsche.txt").write_text(text, encoding="utf-8", newline="")
    prepared, arrays = local("text_gen", tmp_path)
    lower = text.lower()
    alphabet = prepared.extra["alphabet"]
    assert alphabet == "".join(sorted(set(lower)))
    assert prepared.extra["seed_text"] == lower[2700:2740]
    for split, part in (("train", lower[:2700]), ("validation", lower[2700:])):
        starts = range(0, len(part) - 40, 3)
        assert arrays[f"x_{split}"].shape == (len(starts), 40, len(alphabet))
        assert (arrays[f"x_{split}"].sum(axis=2) == 1).all()
        found = [
            "".join(alphabet[code] for code in row) for row in arrays[f"x_{split}"].argmax(axis=2)
        ]
        assert found == [part[start : start + 40] for start in starts]
        assert "".join(alphabet[i] for i in arrays[f"y_{split}"].argmax(axis=1)) == "".join(
            part[start + 40] for start in starts
        )


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("mnist_mlp", {"layout": "round"}, "layout=round is unknown; choose from flat, image"),
        ("imdb_bilstm", {"length": 0}, "length=0 must be a whole number"),
        ("imdb_fasttext", {"ngram_range": 3}, "ngram_range=3 is unknown; choose from 1, 2"),
        ("text_gen", {"step": 0}, "step=0 must be"),
        ("text_gen", {"held_out": 1.0}, "held_out=1.0 must lie"),
    ],
)
def test_a_wrong_preparation_is_refused(
    tmp_path: Path, kbb_cache: Path, name: str, wrong: dict[str, Any], message: str
) -> None:
    write_mnist(tmp_path)
    write_imdb(tmp_path)
    (tmp_path / "nietzsche.txt").write_text("some text " * 100)
    with pytest.raises(ConfigError, match=message):
        local(name, tmp_path, **wrong)
    assert not list((kbb_cache / "prepared").glob("*/manifest.json"))
