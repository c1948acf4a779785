"""Facts that are published about the data sets, found again in what is prepared from real files."""

from pathlib import Path

import numpy as np
import pytest

from experiments.config.schema import DataConfig
from experiments.datasets import prepare
from experiments.datasets.members import imdb, mnist, nietzsche
from experiments.datasets.sequences import bigram_table, encode
from tests.support.dataset_files import ALPHABET, task


def test_mnist_has_its_classes(real_data: Path) -> None:
    raw = mnist.load({"mnist.npz": real_data / "mnist.npz"})
    assert raw.x_train.shape == (60_000, 28, 28)
    assert raw.x_test.shape == (10_000, 28, 28)
    # Class counts of the publisher's label files.
    assert np.bincount(raw.y_train).tolist() == [
        5923,
        6742,
        5958,
        6131,
        5842,
        5421,
        5918,
        6265,
        5851,
        5949,
    ]
    assert np.bincount(raw.y_test).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
    assert raw.y_train[:5].tolist() == [5, 0, 4, 1, 9]


def test_reviews_have_their_lengths_and_bigrams(real_data: Path) -> None:
    raw = imdb.load({"imdb.npz": real_data / "imdb.npz"})
    for reviews, labels, mean in (
        (raw.x_train, raw.y_train, 237.71),
        (raw.x_test, raw.y_test, 229.80),
    ):
        assert reviews.rows == 25_000
        assert labels.sum() == 12_500
        assert np.diff(reviews.offsets).mean() == pytest.approx(mean, abs=0.05)
    assert raw.x_train.flat.max() == pytest.approx(88_584, abs=5)
    assert len(bigram_table(encode(raw.x_train, 20_000), 20_000)) == pytest.approx(1.2e6, rel=0.05)


def test_the_text_has_its_characters_and_windows(real_data: Path) -> None:
    text = nietzsche.load({"nietzsche.txt": real_data / "nietzsche.txt"}).text
    assert len(text) == nietzsche.CHARACTERS == 600_893
    assert "".join(sorted(set(text))) == ALPHABET
    codes = nietzsche.encoded(text, ALPHABET)
    assert len(nietzsche.windows_of(codes, window=40, step=3)[1]) == 200_285


def test_the_seed_text_is_the_tails_first_window(real_data: Path, kbb_cache: Path) -> None:
    prepared = prepare(task("text_gen"), DataConfig("local", str(real_data)), 0.001, 0.001, print)
    text = (real_data / "nietzsche.txt").read_text("utf-8").lower()
    assert prepared.extra["seed_text"] == text[540_804:540_844]
    first = np.load(prepared.arrays["x_validation"])[0]
    assert (
        "".join(prepared.extra["alphabet"][code] for code in first.argmax(axis=1))
        == prepared.extra["seed_text"]
    )
