"""MNIST: 60,000 + 10,000 grey images of 28×28 in ten classes, as keras.datasets.mnist has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.datasets.arrays import (
    ArrayFolder,
    Images,
    Portion,
    check_images,
    check_labels,
    prototype_images,
    write_images,
)
from experiments.datasets.pickles import read_npz

RECIPE = 1  # raised whenever the same sources would give other arrays
CHOICES = (("mnist.npz",),)  # what may lie in data.dir, the first complete choice is taken
CLASSES = 10
TRAIN, TEST, SIDE = 60_000, 10_000, 28


def load(files: Mapping[str, Path]) -> Images:
    """uint8 (n, 28, 28) and labels (n,), train and test; MalformedError for other content."""
    path = files["mnist.npz"]
    arrays = read_npz(path, ("x_train", "y_train", "x_test", "y_test"))
    for split in ("train", "test"):
        check_images(path, f"x_{split}", arrays[f"x_{split}"], (SIDE, SIDE))
        check_labels(path, f"y_{split}", arrays[f"y_{split}"], len(arrays[f"x_{split}"]), CLASSES)
    return Images(**arrays)


def synthetic(seed: int) -> Images:
    """Seeded, learnable images and labels of the same shapes and types."""
    return prototype_images(
        seed, (SIDE, SIDE), block=4, lit=1, train=TRAIN, test=TEST, classes=CLASSES
    )


def prepare(
    raw: Images, preparation: Mapping[str, Any], portion: Portion, out: ArrayFolder
) -> dict[str, Any]:
    """Write float32 images in 0..1, (n, 784) or (n, 28, 28, 1), and one-hot labels (n, 10)."""
    write_images(out, raw, preparation.get("layout"), portion, CLASSES)
    return {}
