"""Reviews of unequal length as one flat array, Keras' padding, and bi-grams as extra words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Ragged(NamedTuple):
    """n sequences of integers end to end: sequence i is flat[offsets[i]:offsets[i + 1]]."""

    flat: NDArray[np.int32]
    offsets: NDArray[np.int64]  # (n + 1,), starts with 0

    @property
    def rows(self) -> int:
        """How many sequences there are."""
        return len(self.offsets) - 1

    def row(self, index: int) -> NDArray[np.int32]:
        """One sequence."""
        return self.flat[self.offsets[index] : self.offsets[index + 1]]


def ragged(sequences: Sequence[Sequence[int]] | NDArray[Any]) -> Ragged:
    """Put sequences end to end; TypeError or ValueError if they hold anything but integers."""
    import numpy as np

    offsets = np.zeros(len(sequences) + 1, np.int64)
    offsets[1:] = np.cumsum([len(sequence) for sequence in sequences])
    flat = np.empty(int(offsets[-1]), np.int32)
    for sequence, start, end in zip(sequences, offsets[:-1], offsets[1:], strict=True):
        values = np.asarray(sequence)
        if values.ndim != 1 or (len(values) and values.dtype.kind not in "iu"):
            raise ValueError(
                f"a sequence of integers was expected, found {values.dtype} of {values.shape}"
            )
        flat[start:end] = values
    return Ragged(flat, offsets)


def head(sequences: Ragged, count: int) -> Ragged:
    """The first `count` sequences."""
    offsets = sequences.offsets[: count + 1]
    return Ragged(sequences.flat[: offsets[-1]], offsets)


def take(sequences: Ragged, order: NDArray[Any]) -> Ragged:
    """The sequences at the positions `order`, in that order."""
    import numpy as np

    lengths = np.diff(sequences.offsets)[order]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    rows = [sequences.row(int(index)) for index in order]
    return Ragged(np.concatenate(rows) if rows else sequences.flat[:0], offsets)


def encode(
    ranks: Ragged, words: int, start: int = 1, unknown: int = 2, index_from: int = 3
) -> Ragged:
    """Word ranks (1 = most frequent) encoded as by keras.datasets.imdb.load_data(num_words=words).

    Every sequence gets `start` before it, ranks move up by `index_from`, and what is then not below
    `words` becomes `unknown`.
    """
    import numpy as np

    offsets = ranks.offsets + np.arange(ranks.rows + 1)
    flat = np.empty(int(offsets[-1]), np.int32)
    is_start = np.zeros(len(flat), bool)
    is_start[offsets[:-1]] = True
    moved = ranks.flat + np.int32(index_from)
    flat[~is_start] = np.where(moved < words, moved, np.int32(unknown))
    flat[is_start] = start
    return Ragged(flat, offsets)


def pad(sequences: Ragged, length: int) -> NDArray[np.int32]:
    """The n sequences as int32 (n, length), padded with 0 and cut at the front.

    The same as keras.preprocessing.sequence.pad_sequences with padding='pre', truncating='pre'.
    """
    import numpy as np

    padded = np.zeros((sequences.rows, length), np.int32)
    for index in range(sequences.rows):
        tail = sequences.row(index)[-length:]
        padded[index, length - len(tail) :] = tail
    return padded


def _pairs(sequences: Ragged, base: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Codes first · base + second (len(flat) - 1,) of neighbours, and which are in one sequence."""
    import numpy as np

    codes = sequences.flat[:-1].astype(np.int64) * base + sequences.flat[1:]
    within = np.ones(len(codes), bool)
    ends = sequences.offsets[1:-1] - 1
    within[ends[(ends >= 0) & (ends < len(codes))]] = False
    return codes, within


def bigram_table(sequences: Ragged, base: int) -> NDArray[np.int64]:
    """All distinct bi-grams, sorted by first, then second word, as codes first · base + second.

    Keras' imdb_fasttext example numbers them in the order of a Python set, which is arbitrary; the
    sorted order is one of those, and the same everywhere. `base` must exceed every word.
    """
    import numpy as np

    codes, within = _pairs(sequences, base)
    # np.unique gives the same result but takes ten times as long on this.
    ordered = np.sort(codes[within])
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return ordered[first]


def add_bigrams(sequences: Ragged, table: NDArray[np.int64], base: int, first: int) -> Ragged:
    """Append to every sequence its bi-grams found in `table`, numbered from `first` in table order.

    The same as add_ngram(…, ngram_range=2) of Keras' imdb_fasttext example; unknown bi-grams are
    left out.
    """
    import numpy as np

    codes, within = _pairs(sequences, base)
    places = np.searchsorted(table, codes)
    known = within & (places < len(table))
    known[known] = table[places[known]] == codes[known]
    numbers = (places + first).astype(np.int32)
    rows: list[NDArray[np.int32]] = []
    for start, end in zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True):
        inner = slice(start, max(start, end - 1))
        rows += [sequences.flat[start:end], numbers[inner][known[inner]]]
    lengths = [len(words) + len(grams) for words, grams in zip(rows[::2], rows[1::2], strict=True)]
    return Ragged(np.concatenate(rows), np.concatenate([[0], np.cumsum(lengths)]))
