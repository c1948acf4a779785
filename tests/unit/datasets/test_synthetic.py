"""The synthetic twins: shapes and types of the real data, the same bytes everywhere, learnable."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.config.schema import DataConfig
from experiments.datasets import prepare
from experiments.datasets.arrays import Images
from experiments.datasets.members import cifar10, imdb, mnist, nietzsche
from experiments.datasets.sequences import bigram_table, encode
from experiments.datasets.sources import SYNTHETIC_SEED
from tests.support.dataset_files import ALPHABET, budgets, task

# Arrays of each task at profile=quick: samples and shape of one, for x and y. The real data's are
# the same.
QUICK: dict[str, tuple[int, int, tuple[int, ...], str]] = {
    "mnist_mlp": (6000, 2000, (784,), "float32"),
    "mnist_cnn": (1200, 500, (28, 28, 1), "float32"),
    "cifar10_cnn": (1000, 500, (32, 32, 3), "float32"),
    "imdb_bilstm": (750, 500, (100,), "int32"),
    "imdb_fasttext": (2500, 2500, (400,), "int32"),
    "text_gen": (3605, 1001, (40, 57), "float32"),
}
TARGETS = {"imdb_bilstm": 1, "imdb_fasttext": 1, "text_gen": 57}


def check_shapes(name: str, data: DataConfig) -> dict[str, Any]:
    """Prepare a task at profile=quick, hold it against QUICK, and return its extras."""
    quick = budgets(name)["quick"]
    prepared = prepare(task(name), data, quick["fraction"], quick["validation_fraction"], print)
    arrays = {key: np.load(path, mmap_mode="c") for key, path in prepared.arrays.items()}
    train, validation, shape, dtype = QUICK[name]
    for split, samples in (("train", train), ("validation", validation)):
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
        assert (x.shape, str(x.dtype)) == ((samples, *shape), dtype)
        assert (y.shape, str(y.dtype)) == ((samples, TARGETS.get(name, 10)), "float32")
    assert (prepared.train_samples, prepared.validation_samples) == (train, validation)
    return prepared.extra


@pytest.mark.parametrize("name", QUICK)
def test_twins_have_the_real_shapes_and_types(name: str, kbb_cache: Path) -> None:
    extra = check_shapes(name, DataConfig("synthetic"))
    if name == "text_gen":
        assert extra["alphabet"] == ALPHABET
        assert len(extra["seed_text"]) == 40
    elif name.startswith("imdb"):
        assert extra == {"words": 20_000}


@pytest.mark.parametrize("name", QUICK)
def test_real_files_have_the_same_shapes_and_types(
    name: str, kbb_cache: Path, real_data: Path
) -> None:
    extra = check_shapes(name, DataConfig("local", str(real_data)))
    assert extra.get("alphabet", ALPHABET) == ALPHABET
    assert extra.get("words", 20_000) == 20_000


def fingerprint(*arrays: Any) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(
            np.ascontiguousarray(array)
            .astype("<i4" if array.dtype.itemsize > 1 else "u1")
            .tobytes()
        )
    return digest.hexdigest()[:16]


@pytest.fixture(scope="module")
def reviews() -> imdb.Reviews:
    """The synthetic reviews, made once."""
    return imdb.synthetic(SYNTHETIC_SEED)


def test_twins_are_the_same_bytes_everywhere(reviews: imdb.Reviews) -> None:
    """A digest of a twin stands for its recipe, so the recipe must not give other bytes elsewhere.

    Where one of these changes on purpose, the module's RECIPE goes up by one.
    """
    found = {
        "mnist": (mnist.RECIPE, fingerprint(*mnist.synthetic(SYNTHETIC_SEED))),
        "cifar10": (cifar10.RECIPE, fingerprint(*cifar10.synthetic(SYNTHETIC_SEED))),
        "imdb": (
            imdb.RECIPE,
            fingerprint(reviews.x_train.flat, reviews.y_train, reviews.x_test.flat, reviews.y_test),
        ),
        "nietzsche": (
            nietzsche.RECIPE,
            hashlib.sha256(nietzsche.synthetic(SYNTHETIC_SEED).text.encode()).hexdigest()[:16],
        ),
    }
    assert found == {
        "mnist": (1, "c9f7b76c93fd1a29"),
        "cifar10": (1, "75e5afc6e680ec30"),
        "imdb": (1, "e93332eb32e87930"),
        "nietzsche": (1, "3114c30bb105838e"),
    }


def nearest_mean(raw: Images, train: int, test: int) -> float:
    """Share of test images whose nearest class mean, of the first training images, is their own."""
    images = np.asarray(raw.x_train[:train], np.float64).reshape(train, -1)
    means = np.stack([images[raw.y_train[:train] == label].mean(axis=0) for label in range(10)])
    held_out = np.asarray(raw.x_test[:test], np.float64).reshape(test, -1)
    distances = ((held_out[:, None] - means) ** 2).sum(axis=2)
    return float((distances.argmin(axis=1) == raw.y_test[:test]).mean())


@pytest.mark.parametrize("module", [mnist, cifar10])
def test_image_classes_can_be_told_apart(module: Any) -> None:
    raw = module.synthetic(7)
    assert nearest_mean(raw, 500, 300) > 0.9
    shuffled = raw._replace(y_test=np.roll(raw.y_test, 1))
    assert nearest_mean(shuffled, 500, 300) < 0.3


def test_reviews_look_like_reviews_and_can_be_told_apart(reviews: imdb.Reviews) -> None:
    raw = reviews
    lengths = np.diff(raw.x_train.offsets)
    assert len(lengths) == len(raw.y_train) == 25_000
    assert abs(lengths.mean() - 237.7) < 8
    assert raw.x_train.flat.min() == 1
    assert 80_000 < raw.x_train.flat.max() <= imdb.VOCABULARY
    assert 1.1e6 < len(bigram_table(encode(raw.x_train, 20_000), 20_000)) < 1.3e6
    words = [raw.x_test.row(index)[-100:] for index in range(500)]
    votes = [np.sum(np.where(row % 2, 1, -1)[(row >= 100) & (row < 900)]) for row in words]
    assert np.mean((np.array(votes) > 0) == raw.y_test[:500]) > 0.8


def test_prose_has_the_published_length_and_alphabet_and_repeats_itself() -> None:
    text = nietzsche.synthetic(SYNTHETIC_SEED).text
    assert len(text) == nietzsche.CHARACTERS
    assert "".join(sorted(set(text))) == ALPHABET
    assert text == text.lower()
    # Order-3 prediction from the head of the text: what there is to learn beyond single characters.
    followers: dict[str, Counter[str]] = {}
    for start in range(100_000):
        followers.setdefault(text[start : start + 3], Counter())[text[start + 3]] += 1
    tail = range(500_000, 520_000)
    hits = sum(
        followers[text[i : i + 3]].most_common(1)[0][0] == text[i + 3]
        for i in tail
        if text[i : i + 3] in followers
    )
    assert hits / len(tail) > 0.4
