"""IMDb: 25,000 + 25,000 film reviews as lists of word ranks, as in keras.datasets.imdb."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments.datasets.arrays import ArrayFolder, MalformedError, Portion, check_labels, spans
from experiments.datasets.pickles import read_npz
from experiments.datasets.sequences import (
    Ragged,
    add_bigrams,
    bigram_table,
    encode,
    head,
    pad,
    ragged,
    take,
)
from experiments.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RECIPE = 1
CHOICES = (("imdb.npz",),)
REVIEWS = 25_000  # in each split
VOCABULARY = 88_584  # distinct words of the published data
DRAWS = 1 << 22  # entries of the table that synthetic words are drawn from
PHRASE = 10  # words of a synthetic phrase
FOLLOWERS = 5  # words that habitually follow one of them
# Words per review of the published training data: percentiles 0, 5 … 95, 96, 97, 98, 99, 100. Only
# the synthetic twin uses them, so that it costs a recurrent network what the real reviews cost.
LENGTH_PERCENTS = (*range(0, 96, 5), 96, 97, 98, 99, 100)
LENGTHS = (
    10, 65, 92, 112, 122, 129, 136, 145, 154, 165, 177, 192, 209, 231, 256, 290, 330, 383, 466, 609,
    655, 717, 798, 925, 1190,
)  # fmt: skip


class Reviews(NamedTuple):
    """Word ranks (1 = most frequent) and labels 0 or 1 (n,), train and test."""

    x_train: Ragged
    y_train: NDArray[Any]
    x_test: Ragged
    y_test: NDArray[Any]


def load(files: Mapping[str, Path]) -> Reviews:
    """Reviews in the file's order; MalformedError if the file has other content."""
    path = files["imdb.npz"]
    parts: list[Any] = []
    for split in ("train", "test"):  # one after the other: the lists of one split need 250 MB
        arrays = read_npz(path, (f"x_{split}", f"y_{split}"))
        reviews, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
        if reviews.ndim != 1 or not len(reviews):
            raise MalformedError(
                path, f"x_{split} should be an array (n,) of lists, found {reviews.shape}"
            )
        try:
            sequences = ragged(reviews)
        except (TypeError, ValueError, OverflowError) as error:
            raise MalformedError(
                path, f"x_{split} should hold lists of word ranks: {error}"
            ) from None
        if len(sequences.flat) and sequences.flat.min() < 0:
            raise MalformedError(
                path, f"x_{split} holds the negative word rank {sequences.flat.min()}"
            )
        check_labels(path, f"y_{split}", labels, len(reviews), classes=2)
        parts += [sequences, labels]
    return Reviews(*parts)


def prepare(
    raw: Reviews, preparation: Mapping[str, Any], portion: Portion, out: ArrayFolder
) -> dict[str, Any]:
    """Write x_* int32 (n, length) and y_* float32 (n, 1); extra `words`: rows of the embedding.

    Order, start mark and unknown words are those of keras.datasets.imdb.load_data, bi-grams those
    of Keras' imdb_fasttext example. The bi-grams are collected from the whole training split
    whatever the fraction, since they decide the size of the model.
    """
    words, length, ngram_range, seed = _checked(preparation)
    splits = [(encode(reviews, words), labels) for reviews, labels in _shuffled(raw, seed)]
    table = bigram_table(splits[0][0], base=words) if ngram_range == 2 else None
    shares = (portion.train, portion.validation)
    for name, (reviews, labels), share in zip(("train", "validation"), splits, shares, strict=True):
        samples = share(reviews.rows)
        used = head(reviews, samples)
        if table is not None:
            used = add_bigrams(used, table, words, first=words + 1)
        padded = pad(used, length)
        out.write(f"x_{name}", padded.shape, "int32", (padded[part] for part in spans(samples)))
        out.write(f"y_{name}", (samples, 1), "float32", [labels[:samples].reshape(-1, 1)])
    return {"words": words if table is None else words + 1 + len(table)}


def _checked(preparation: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """words, length, ngram_range and seed; ConfigError if one is missing or out of range."""
    least = {"words": 4, "length": 1, "ngram_range": 1, "seed": 0}
    for name, lowest in least.items():
        value = preparation.get(name)
        if not isinstance(value, int) or value < lowest:
            raise ConfigError(
                f"preparation.{name}={value} must be a whole number of at least {lowest}"
            )
    if preparation["ngram_range"] not in (1, 2):
        raise ConfigError(f"ngram_range={preparation['ngram_range']} is unknown; choose from 1, 2")
    words, length, ngram_range, seed = (int(preparation[name]) for name in least)
    return words, length, ngram_range, seed


def _shuffled(raw: Reviews, seed: int) -> list[tuple[Ragged, NDArray[Any]]]:
    """Both splits in the order of keras.datasets.imdb: one random stream, train first."""
    import numpy as np

    random = np.random.RandomState(seed)
    splits = []
    for reviews, labels in ((raw.x_train, raw.y_train), (raw.x_test, raw.y_test)):
        order = np.arange(len(labels))
        random.shuffle(order)
        splits.append((take(reviews, order), labels[order]))
    return splits


def synthetic(seed: int) -> Reviews:
    """Seeded, learnable reviews: Zipf's law, collocations, and words that lean to good or bad.

    All arithmetic is on integers and RandomState's stream is frozen by NumPy's policy: the same
    reviews everywhere.
    """
    import numpy as np

    random = np.random.RandomState(seed)
    ranks = np.arange(1, VOCABULARY + 1, dtype=np.int64)
    # Frequency 1 / ((r + 3) (r + 9000)): Zipf's law with the faster fall of the rare words. A
    # word's share of the table is its frequency, so that a draw is one look-up.
    cumulative = np.cumsum((1 << 50) // ((ranks + 3) * (ranks + 9000)))
    places = np.arange(DRAWS, dtype=np.int64) * (int(cumulative[-1]) // DRAWS)
    table = (np.searchsorted(cumulative, places, side="right") + 1).astype(np.int32)
    by_percent = np.array(_lengths_by_percent())
    parts: list[Any] = []
    for _ in range(2):
        labels = random.randint(0, 2, REVIEWS)
        lengths = by_percent[random.randint(0, 101, REVIEWS)]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        flat = _collocated(random, table, int(offsets[-1]))
        flat = _coloured(random, flat, np.repeat(labels, lengths))
        parts += [Ragged(flat, offsets), labels]
    return Reviews(*parts)


def _lengths_by_percent() -> list[int]:
    """Words per review at the percentiles 0..100, interpolated between the known ones."""
    lengths = [LENGTHS[0]]
    for left, right, low, high in zip(
        LENGTH_PERCENTS, LENGTH_PERCENTS[1:], LENGTHS, LENGTHS[1:], strict=False
    ):
        lengths += [
            low + (high - low) * step // (right - left) for step in range(1, right - left + 1)
        ]
    return lengths


def _collocated(random: Any, table: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """`count` ranks in phrases, where a word mostly is one of the habitual followers of the last.

    The phrases keep the number of distinct bi-grams at that of real reviews, about 1.2 million.
    """
    import numpy as np

    ranks: NDArray[np.int32] = table[random.randint(0, DRAWS, count)]
    for place in range(1, PHRASE):
        here = ranks[place::PHRASE]
        last = ranks[place - 1 :: PHRASE][: len(here)].astype(np.int64)
        chance = _bytes(random, len(here))
        follower = table[(last * FOLLOWERS + chance % FOLLOWERS) * 2_654_435_761 % DRAWS]
        ranks[place::PHRASE] = np.where(chance >= 32, follower, here)  # seven in eight
    return ranks


def _coloured(random: Any, ranks: NDArray[np.int32], good: NDArray[np.int64]) -> NDArray[np.int32]:
    """Replace one word in six by one of ranks 100–899; four in five have the label's parity."""
    import numpy as np

    chosen = np.flatnonzero(_bytes(random, len(ranks)) < 43)
    parity = np.where(_bytes(random, len(chosen)) < 205, good[chosen], 1 - good[chosen])
    ranks[chosen] = 100 + 2 * random.randint(0, 400, len(chosen)) + parity
    return ranks


def _bytes(random: Any, count: int) -> NDArray[np.uint8]:
    """`count` random bytes: the cheapest dice there are."""
    import numpy as np

    return np.frombuffer(random.bytes(count), np.uint8)
