"""MNIST: 60,000 + 10,000 grey images of 28×28 in ten classes, as keras.datasets.mnist has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.datasets.arrays import ArrayFolder, Images, MalformedError, Portion, prototype_images, write_images
from experiments.datasets.pickles import read_npz

if TYPE_CHECKING:
    from numpy.typing import NDArray

RECIPE = 1  # raised whenever the same sources would give other arrays
CHOICES = (("mnist.npz",),)  # what may lie in data.dir, the first complete choice is taken
CLASSES = 10
TRAIN, TEST, SIDE = 60_000, 10_000, 28


def load(files: Mapping[str, Path]) -> Images:
    """uint8 (n, 28, 28) and labels (n,), train and test, in the file's order; MalformedError if they are not."""
    path = files["mnist.npz"]
    arrays = read_npz(path, ("x_train", "y_train", "x_test", "y_test"))
    for split in ("train", "test"):
        check_images(path, f"x_{split}", arrays[f"x_{split}"], (SIDE, SIDE))
        check_labels(path, f"y_{split}", arrays[f"y_{split}"], len(arrays[f"x_{split}"]), CLASSES)
    return Images(**arrays)


def synthetic(seed: int) -> Images:
    """Seeded, learnable images and labels of the same shapes and types."""
    return prototype_images(seed, (SIDE, SIDE), block=4, lit=1, train=TRAIN, test=TEST, classes=CLASSES)


def prepare(raw: Images, preparation: Mapping[str, Any], portion: Portion, out: ArrayFolder) -> dict[str, Any]:
    """Write float32 images in 0..1, (n, 784) or (n, 28, 28, 1), and one-hot labels (n, 10)."""
    write_images(out, raw, preparation.get("layout"), portion, CLASSES)
    return {}


def check_images(path: Path, name: str, images: NDArray[Any], sample: tuple[int, ...]) -> None:
    """Raise MalformedError unless `images` are uint8 of (n > 0, *sample)."""
    if images.dtype != "uint8" or images.shape[1:] != sample or not len(images):
        expected = ", ".join(["n", *map(str, sample)])
        raise MalformedError(path, f"{name} should be uint8 of shape ({expected}), found {images.dtype} {images.shape}")


def check_labels(path: Path, name: str, labels: NDArray[Any], samples: int, classes: int) -> None:
    """Raise MalformedError unless `labels` are integers (samples,) in 0..classes-1."""
    if labels.dtype.kind not in "ui" or labels.shape != (samples,):
        raise MalformedError(
            path, f"{name} should be integers of shape ({samples},), found {labels.dtype} {labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise MalformedError(path, f"{name} should lie in 0..{classes - 1}, found {labels.min()}..{labels.max()}")
