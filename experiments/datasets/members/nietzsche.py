"""Nietzsche's works as one text: windows of characters and the character that follows each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments.datasets.arrays import ArrayFolder, MalformedError, Portion, one_hot, spans
from experiments.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RECIPE = 1
CHOICES = (("nietzsche.txt",),)
CHARACTERS = 600_893  # of the published text


class Text(NamedTuple):
    """The text in lower case, and the file it came from (for messages)."""

    text: str
    path: Path


def load(files: Mapping[str, Path]) -> Text:
    """The text in lower case with \\n line ends; MalformedError if it is empty or not UTF-8."""
    path = files["nietzsche.txt"]
    try:
        text = path.read_text(encoding="utf-8").lower()
    except UnicodeDecodeError as error:
        raise MalformedError(
            path, f"expected UTF-8 text, found {error.reason} at byte {error.start}"
        ) from None
    if not text.strip():
        raise MalformedError(path, "expected text, found an empty file")
    return Text(text, path)


def prepare(
    raw: Text, preparation: Mapping[str, Any], portion: Portion, out: ArrayFolder
) -> dict[str, Any]:
    """Write one-hot float32 windows x_* (n, window, characters), next characters y_*.

    Training windows come from the head of the text, validation windows from the held-out tail, so
    that none straddles the cut. Extras: `alphabet` (sorted) and `seed_text`, the tail's first
    window.
    """
    window, step, held_out = _checked(preparation)
    alphabet = "".join(sorted(set(raw.text)))
    head = len(raw.text) - round(len(raw.text) * held_out)
    splits = (
        ("train", raw.text[:head], portion.train),
        ("validation", raw.text[head:], portion.validation),
    )
    for split, text, share in splits:
        if len(text) <= window:
            raise MalformedError(
                raw.path, f"expected more than {window} characters to {split}, found {len(text)}"
            )
        windows, following = windows_of(encoded(text, alphabet), window, step)
        samples = share(len(following))
        shape = (samples, window, len(alphabet))
        rows = (one_hot(windows[part], len(alphabet)) for part in spans(samples))
        out.write(f"x_{split}", shape, "float32", rows)
        targets = one_hot(following[:samples], len(alphabet))
        out.write(f"y_{split}", targets.shape, "float32", [targets])
    return {"alphabet": alphabet, "seed_text": raw.text[head : head + window]}


def _checked(preparation: Mapping[str, Any]) -> tuple[int, int, float]:
    """window, step and held_out; ConfigError if one is missing or out of range."""
    for name in ("window", "step"):
        value = preparation.get(name)
        if not isinstance(value, int) or value < 1:
            raise ConfigError(f"preparation.{name}={value} must be a whole number of at least 1")
    held_out = preparation.get("held_out")
    if not isinstance(held_out, float) or not 0.0 < held_out < 1.0:
        raise ConfigError(f"preparation.held_out={held_out} must lie between 0 and 1")
    return int(preparation["window"]), int(preparation["step"]), held_out


def encoded(text: str, alphabet: str) -> NDArray[np.uint8]:
    """The place of every character of `text` in the sorted `alphabet` (at most 256 characters)."""
    import numpy as np

    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    known = np.frombuffer(alphabet.encode("utf-32-le"), np.uint32)
    return np.searchsorted(known, points).astype(np.uint8)


def windows_of(
    codes: NDArray[np.uint8], window: int, step: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Windows (n, window) starting at every `step`-th place and the codes (n,) that follow them.

    As in Keras' lstm_text_generation example: starts are range(0, len(codes) - window, step).
    """
    import numpy as np

    starts = np.arange(0, len(codes) - window, step)
    return np.lib.stride_tricks.sliding_window_view(codes, window)[starts], codes[starts + window]


def synthetic(seed: int) -> Text:
    """Seeded, learnable prose of the published length and alphabet: made-up words, Zipf's law."""
    import numpy as np

    random = np.random.RandomState(seed)
    words = _lexicon(random, 1500)
    cumulative = np.cumsum((1 << 40) // np.arange(3, len(words) + 3, dtype=np.int64))
    pieces: list[str] = []
    characters = 0
    section = 0
    while characters < CHARACTERS:
        section += 1
        paragraph = _paragraph(random, words, cumulative, section)
        pieces.append(paragraph)
        characters += len(paragraph)
    return Text("".join(pieces)[:CHARACTERS], Path("synthetic"))


def _lexicon(random: Any, count: int) -> list[str]:
    """`count` pronounceable words of one to four syllables; a few have the rare letters."""
    onsets = (
        "b",
        "c",
        "d",
        "f",
        "g",
        "h",
        "l",
        "m",
        "n",
        "p",
        "r",
        "s",
        "t",
        "th",
        "w",
        "st",
        "pr",
        "",
    )
    vowels = ("a", "e", "i", "o", "u", "ea", "e", "a", "ou")
    codas = ("n", "r", "s", "t", "", "", "nd", "ng", "l", "d")
    words: list[str] = []
    for _ in range(count):
        syllables = random.randint(1, 5) if len(words) > 100 else 1  # frequent words are short
        chosen = [
            parts[random.randint(len(parts))] for parts in (onsets, vowels, codas) * syllables
        ]
        words.append("".join(chosen))
    words[40::50] = [
        word + rare for word, rare in zip(words[40::50], "jkqvxyzäæéë" * 3, strict=False)
    ]
    return words


def _paragraph(random: Any, words: list[str], cumulative: NDArray[np.int64], section: int) -> str:
    """A numbered paragraph of a few sentences in lines of about 70 characters."""
    import numpy as np

    sentences = []
    for _ in range(random.randint(3, 9)):
        draws = random.randint(0, int(cumulative[-1]), random.randint(5, 25))
        picks = np.searchsorted(cumulative, draws, "right")
        chosen = [words[pick] for pick in picks]
        middle = len(chosen) // 2
        mark = (",", ";", ":", "--", ",", ",")[random.randint(6)]
        frame = ('"{}"', "({})", "'{}'", "_{}_", "[{}]", "={}=", "{}", "{}", "{}", "{}")[
            random.randint(10)
        ]
        first, second = " ".join(chosen[:middle]), " ".join(chosen[middle:])
        sentences.append(f"{first}{mark} {frame.format(second)}" + ".?!..."[random.randint(6)])
    lines, line = [], f"{section}."
    for word in " ".join(sentences).split(" "):
        if len(line) + len(word) > 70:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}"
    return "\n".join([*lines, line]) + "\n\n"
