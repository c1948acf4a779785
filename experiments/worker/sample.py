"""Writes text with a trained character model."""

import io
import os
from typing import Any, Callable, Dict

import numpy as np

Predict = Callable[[Any], Any]


def draw(probabilities: Any, temperature: float, random: Any) -> int:
    """An index drawn with probabilities ∝ p ** (1 / temperature), computed in float64.

    `probabilities`: (n,), not negative, not all zero; `temperature` > 0, below 1 favours the
    likely. Raises ValueError for probabilities that are not finite.
    """
    p = np.asarray(probabilities, dtype="float64")
    if not np.all(np.isfinite(p)):
        raise ValueError("the model's probabilities are not finite")
    logits = np.log(np.maximum(p, 1e-300)) / temperature
    weights = np.cumsum(np.exp(logits - logits.max()))
    return int(
        np.searchsorted(weights, random.random_sample() * weights[-1], side="right").clip(
            0, len(p) - 1
        )
    )


def generate(
    predict: Predict, alphabet: str, seed_text: str, characters: int, temperature: float, seed: int
) -> str:
    """`characters` characters that follow `seed_text`.

    `predict` maps a one-hot window (1, len(seed_text), len(alphabet)) float32 to probabilities (1,
    len(alphabet)). Raises ValueError where the seed text has characters beyond the alphabet.
    """
    unknown = sorted(set(seed_text) - set(alphabet))
    if unknown:
        raise ValueError(
            "the seed text has characters that the alphabet lacks: %r" % ("".join(unknown),)
        )
    numbers = {character: number for number, character in enumerate(alphabet)}
    random = np.random.RandomState(seed)
    window = np.zeros((1, len(seed_text), len(alphabet)), dtype="float32")
    window[0, np.arange(len(seed_text)), [numbers[character] for character in seed_text]] = 1.0
    text = []
    for _ in range(characters):
        chosen = draw(np.asarray(predict(window))[0], temperature, random)
        text.append(alphabet[chosen])
        window[0, :-1] = window[0, 1:].copy()
        window[0, -1] = 0.0
        window[0, -1, chosen] = 1.0
    return "".join(text)


def write(
    folder: str, predict: Predict, extra: Dict[str, Any], spec: Dict[str, Any], seed: int
) -> str:
    """Generate `spec` ({characters, temperature}) into sample.txt; returns the file's name."""
    text = generate(
        predict,
        extra["alphabet"],
        extra["seed_text"],
        int(spec["characters"]),
        float(spec["temperature"]),
        seed,
    )
    heading = "%d characters after the seed text, temperature %g, random seed %d\n" % (
        spec["characters"],
        spec["temperature"],
        seed,
    )
    with io.open(os.path.join(folder, "sample.txt"), "w", encoding="utf-8") as file:
        file.write(
            heading + "\n--- seed text\n" + extra["seed_text"] + "\n\n--- generated\n" + text + "\n"
        )
    return "sample.txt"
