"""Padding, windows and bi-grams against their definitions in Keras' examples, word for word."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.datasets.members.nietzsche import encoded, windows_of
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

WORDS = 12
sequences = st.lists(st.lists(st.integers(0, WORDS - 1), max_size=9), min_size=1, max_size=8)


def lists(content: Ragged) -> list[list[int]]:
    return [content.row(index).tolist() for index in range(content.rows)]


@given(sequences)
def test_ragged_keeps_every_sequence(content: list[list[int]]) -> None:
    assert lists(ragged(content)) == content


@given(sequences, st.integers(1, 12))
def test_padding_is_keras_pre_padding(content: list[list[int]], length: int) -> None:
    expected = [([0] * length + row)[-length:] for row in content]
    found = pad(ragged(content), length)
    assert found.dtype == np.int32
    assert found.tolist() == expected


@given(sequences, st.integers(4, 15))
def test_encoding_is_that_of_load_data(content: list[list[int]], words: int) -> None:
    expected = [
        [w if w < words else 2 for w in [1] + [rank + 3 for rank in row]] for row in content
    ]
    assert lists(encode(ragged(content), words)) == expected


@given(sequences, st.randoms())
def test_take_and_head_pick_whole_sequences(content: list[list[int]], random: Any) -> None:
    order = list(range(len(content)))
    random.shuffle(order)
    assert lists(take(ragged(content), np.array(order))) == [content[index] for index in order]
    assert lists(head(ragged(content), len(content) // 2)) == content[: len(content) // 2]


def keras_ngrams(content: list[list[int]], table: dict[tuple[int, ...], int]) -> list[list[int]]:
    """add_ngram of Keras' imdb_fasttext example for ngram_range=2, restated."""
    found = []
    for row in content:
        grams = [table[pair] for pair in zip(row, row[1:], strict=False) if pair in table]
        found.append(row + grams)
    return found


@settings(max_examples=200)
@given(sequences, sequences)
def test_bigrams_are_those_of_the_fasttext_example(
    train: list[list[int]], test: list[list[int]]
) -> None:
    pairs = sorted({pair for row in train for pair in zip(row, row[1:], strict=False)})
    table = {pair: number for number, pair in enumerate(pairs, start=WORDS + 1)}
    codes = bigram_table(ragged(train), base=WORDS)
    assert codes.tolist() == [a * WORDS + b for a, b in pairs]
    for content in (train, test):
        assert lists(add_bigrams(ragged(content), codes, WORDS, first=WORDS + 1)) == keras_ngrams(
            content, table
        )


@given(st.text(alphabet="abcdé\n", max_size=60), st.integers(1, 9), st.integers(1, 5))
def test_windows_are_those_of_the_text_example(text: str, window: int, step: int) -> None:
    alphabet = "".join(sorted(set(text)))
    starts = range(0, len(text) - window, step)
    if len(text) <= window:
        return
    windows, following = windows_of(encoded(text, alphabet), window, step)
    assert ["".join(alphabet[code] for code in row) for row in windows] == [
        text[i : i + window] for i in starts
    ]
    assert [alphabet[code] for code in following] == [text[i + window] for i in starts]


def test_what_is_no_sequence_of_integers_is_refused() -> None:
    for wrong in ([["a"]], [[1.5]], [[[1]]], [None]):
        try:
            ragged(wrong)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        raise AssertionError(wrong)
