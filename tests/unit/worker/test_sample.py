"""Text generation: temperature's arithmetic, the sliding window, the file a person reads."""

import numpy as np
import pytest

from experiments.worker import sample


def shares(probabilities, temperature, draws=4000):
    random = np.random.RandomState(0)
    drawn = [sample.draw(probabilities, temperature, random) for _ in range(draws)]
    return np.bincount(drawn, minlength=len(probabilities)) / draws


def test_temperature_raises_probabilities_to_its_inverse():
    p = np.array([0.5, 0.3, 0.2], dtype="float32")
    for temperature in (0.5, 1.0, 2.0):
        expected = p.astype("float64") ** (1 / temperature)
        assert np.abs(shares(p, temperature) - expected / expected.sum()).max() < 0.03


def test_a_low_temperature_takes_the_likeliest_even_among_tiny_ones():
    assert shares(np.array([1e-30, 2e-30, 1e-31], dtype="float32"), 0.01, 50).tolist() == [0, 1, 0]


def test_what_is_impossible_is_never_drawn():
    assert shares(np.array([0.0, 1.0, 0.0], dtype="float32"), 1.0, 200).tolist() == [0, 1, 0]


def test_probabilities_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        sample.draw(np.array([np.nan, 1.0]), 1.0, np.random.RandomState(0))


def successor(window):
    """A model that is certain of the alphabet's next character, and checks its window."""
    assert window.shape == (1, 3, 5) and window.dtype == np.float32
    assert window.sum(-1).tolist() == [[1, 1, 1]]
    return np.roll(window[:, -1], 1, axis=-1)


def test_the_window_slides_over_what_was_generated():
    assert sample.generate(successor, "abcde", "cab", 7, 0.5, 1) == "cdeabcd"


def test_the_same_seed_writes_the_same_text():
    def even(window):
        return np.full((1, 5), 0.2, dtype="float32")

    texts = [sample.generate(even, "abcde", "abc", 40, 1.0, seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert set(texts[0]) == set("abcde")


def test_a_seed_text_beyond_the_alphabet_is_refused():
    with pytest.raises(ValueError, match="alphabet lacks: 'xz'"):
        sample.generate(successor, "abcde", "xaz", 1, 1.0, 1)


def test_the_file_says_how_it_came_about(tmp_path):
    extra = {"alphabet": "abcdé", "seed_text": "dab"}
    name = sample.write(str(tmp_path), successor, extra, {"characters": 5, "temperature": 0.5}, 123)
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert (
        text.splitlines()[0] == "5 characters after the seed text, temperature 0.5, random seed 123"
    )
    assert text.endswith("--- seed text\ndab\n\n--- generated\ncdéab\n")
