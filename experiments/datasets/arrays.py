"""What every data set's preparation shares: how many samples a fraction is, and writing .npy files.

Files are streamed with ordinary writes instead of being memory-mapped: on a full disk a write
raises an error that can be told to a person, while a store into a mapping ends the process with
SIGBUS.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from experiments.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


MINIMUM_SAMPLES = 128  # a fraction never leaves less than this: one batch of the largest batch size
CHUNK = 2000  # samples converted at a time, so that memory stays small
LAYOUTS = ("flat", "image")


class MalformedError(Exception):
    """A source file has unexpected content; carries the file and what was found."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = path
        self.detail = detail


@dataclass(frozen=True)
class Portion:
    """The share of the training and of the validation samples that is used: the first ones."""

    train_fraction: float
    validation_fraction: float

    def __post_init__(self) -> None:
        shares = {"fraction": self.train_fraction, "validation_fraction": self.validation_fraction}
        for name, value in shares.items():
            if not 0.0 < value <= 1.0:
                raise ConfigError(
                    f"{name}={value} is out of range: it must be above 0 and at most 1"
                )

    def train(self, available: int) -> int:
        """How many of `available` training samples are used."""
        return samples_of(available, self.train_fraction)

    def validation(self, available: int) -> int:
        """How many of `available` validation samples are used."""
        return samples_of(available, self.validation_fraction)


def samples_of(available: int, fraction: float) -> int:
    """round(fraction · available), but at least MINIMUM_SAMPLES if there are that many."""
    return min(available, max(MINIMUM_SAMPLES, round(available * fraction)))


class ImageStack(Protocol):
    """What preparation needs of images: an array, or something that decodes a slice when asked."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, index: slice, /) -> NDArray[Any]: ...


class Images(NamedTuple):
    """Raw images uint8 (n, height, width[, channels]) and classes (n,), for training and test."""

    x_train: ImageStack
    y_train: NDArray[Any]
    x_test: ImageStack
    y_test: NDArray[Any]


@dataclass
class ArrayFolder:
    """Writes named arrays as .npy files into a folder and describes them for the manifest."""

    folder: Path
    described: dict[str, dict[str, Any]] = field(default_factory=dict)

    def write(
        self, name: str, shape: tuple[int, ...], dtype: str, chunks: Iterable[NDArray[Any]]
    ) -> None:
        """Write `chunks`, concatenated along axis 0, as NAME.npy of exactly `shape` and `dtype`.

        Raises ValueError if the chunks do not add up to the shape, OSError if the disk refuses.
        """
        import numpy as np

        path = self.folder / f"{name}.npy"
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
            "fortran_order": False,
            "shape": shape,
        }
        rows = 0
        with path.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            for chunk in chunks:
                if chunk.shape[1:] != shape[1:]:
                    raise ValueError(f"{name}: a chunk of {chunk.shape} does not fit into {shape}")
                stream.write(np.ascontiguousarray(chunk, dtype=dtype).data)
                rows += len(chunk)
            stream.flush()
            os.fsync(stream.fileno())  # a size alone must be proof enough after a power cut
        if rows != shape[0]:
            raise ValueError(f"{name}: {rows} rows were written instead of {shape[0]}")
        self.described[name] = {
            "file": path.name,
            "shape": list(shape),
            "dtype": str(np.dtype(dtype)),
            "bytes": path.stat().st_size,
        }


def spans(samples: int, chunk: int = CHUNK) -> Iterator[slice]:
    """Slices of at most `chunk` that cover range(samples)."""
    return (slice(start, min(start + chunk, samples)) for start in range(0, samples, chunk))


def one_hot(labels: NDArray[Any], classes: int) -> NDArray[np.float32]:
    """Class numbers (n,) as float32 rows (n, classes) with a single 1."""
    import numpy as np

    rows: NDArray[np.float32] = np.eye(classes, dtype=np.float32)[labels]
    return rows


def write_images(
    out: ArrayFolder, raw: Images, layout: Any, portion: Portion, classes: int
) -> None:
    """Write x_* float32 in 0..1 and y_* one-hot float32 for both splits of an image data set.

    `layout` "image" gives (n, height, width, channels), "flat" gives (n, height · width ·
    channels).
    """
    if layout not in LAYOUTS:
        raise ConfigError(
            f"preparation.layout={layout} is unknown; choose from {', '.join(LAYOUTS)}"
        )
    splits = (
        ("train", raw.x_train, raw.y_train, portion.train(len(raw.y_train))),
        ("validation", raw.x_test, raw.y_test, portion.validation(len(raw.y_test))),
    )
    for split, images, labels, samples in splits:
        shape = (samples, *sample_shape(images.shape[1:], layout))
        out.write(
            f"x_{split}",
            shape,
            "float32",
            (scaled(images[part], shape[1:]) for part in spans(samples)),
        )
        out.write(f"y_{split}", (samples, classes), "float32", [one_hot(labels[:samples], classes)])


def sample_shape(raw: tuple[int, ...], layout: str) -> tuple[int, ...]:
    """Shape of a prepared image, given a raw one's; no channel axis means one channel."""
    height, width, *rest = raw
    channels = rest[0] if rest else 1
    return (height * width * channels,) if layout == "flat" else (height, width, channels)


def scaled(images: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """uint8 images as float32 in 0..1, the way Keras' examples do it: x.astype('float32') / 255."""
    import numpy as np

    return images.reshape(len(images), *shape).astype(np.float32) / np.float32(255)


def prototype_images(
    seed: int, shape: tuple[int, ...], *, block: int, lit: int, train: int, test: int, classes: int
) -> Images:
    """Learnable stand-ins for photographs: a coarse pattern per class, under another's and noise.

    `shape` is that of one image, (height, width) or (height, width, channels); patterns are made of
    squares of `block` pixels, so that they survive small shifts. `lit` of 4 squares are not black
    and `lit` sets the noise likewise: optimizers' steps depend on how bright inputs are, so 1 is as
    dark as MNIST (mean 0.12) and 4 as bright as photographs (mean 0.5). RandomState's stream is
    frozen by NumPy's policy and all arithmetic is on integers: the same bytes everywhere.
    """
    import numpy as np

    random = np.random.RandomState(seed)
    pixels = int(np.prod(shape))
    squares = (classes, shape[0] // block, shape[1] // block, *shape[2:])
    coarse = random.randint(0, 256, squares) * (random.randint(0, 4, squares) < lit)
    patterns = coarse.repeat(block, axis=1).repeat(block, axis=2)
    # blends[a, b]: 3/8 of class a's pattern under 1/8 of class b's, at most 127; noise adds up to
    # 127.
    blends = ((3 * patterns[:, None] + patterns[None, :]) // 8).astype(np.uint8)

    def split(samples: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        labels = random.randint(0, classes, samples)
        noise = np.frombuffer(random.bytes(samples * pixels), np.uint8).reshape(samples, *shape)
        images: NDArray[Any] = (noise >> (3 - lit // 2)) + blends[
            labels, random.randint(0, classes, samples)
        ]
        return images, labels.astype(np.uint8)

    x_train, y_train = split(train)
    return Images(x_train, y_train, *split(test))


def check_images(path: Path, name: str, images: NDArray[Any], sample: tuple[int, ...]) -> None:
    """Raise MalformedError unless `images` are uint8 of (n > 0, *sample)."""
    if images.dtype != "uint8" or images.shape[1:] != sample or not len(images):
        expected = ", ".join(["n", *map(str, sample)])
        raise MalformedError(
            path,
            f"{name} should be uint8 of shape ({expected}), found {images.dtype} {images.shape}",
        )


def check_labels(path: Path, name: str, labels: NDArray[Any], samples: int, classes: int) -> None:
    """Raise MalformedError unless `labels` are integers (samples,) in 0..classes-1."""
    if labels.dtype.kind not in "ui" or labels.shape != (samples,):
        raise MalformedError(
            path,
            f"{name} should be integers of shape ({samples},), found {labels.dtype} {labels.shape}",
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise MalformedError(
            path, f"{name} should lie in 0..{classes - 1}, found {labels.min()}..{labels.max()}"
        )
