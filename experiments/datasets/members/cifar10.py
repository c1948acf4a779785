"""CIFAR-10: 50,000 + 10,000 colour images of 32×32 in ten classes, as in keras.datasets.cifar10.

The publisher's archive holds pickles of Python 2; only the restricted unpickler reads them, and the
archive's members are read in place, never unpacked to a path that the archive names.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.datasets.arrays import (
    ArrayFolder,
    Images,
    MalformedError,
    Portion,
    check_images,
    check_labels,
    prototype_images,
    write_images,
)
from experiments.datasets.pickles import read_npz, unpickle

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RECIPE = 1
CLASSES = 10
TRAIN, TEST, SIDE, CHANNELS = 50_000, 10_000, 32, 3
JPEG = "cifar10_jpeg.npz"
# MD5 of the publisher's batches, as torchvision.datasets.CIFAR10 lists them.
PUBLISHED_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
TRAIN_BATCHES = tuple(name for name in PUBLISHED_MD5 if name != "test_batch")
FOLDER = "cifar-10-batches-py"
ARCHIVES = ("cifar-10-python.tar.gz", "cifar-10-batches-py.tar.gz")
# Keras 3 unpacks into a folder for each archive, Keras 2 names the archive after the folder.
CHOICES = (
    tuple(f"{FOLDER}/{name}" for name in PUBLISHED_MD5),
    tuple(f"{FOLDER}-target/{FOLDER}/{name}" for name in PUBLISHED_MD5),
    *((archive,) for archive in ARCHIVES),
    (JPEG,),
)


def load(files: Mapping[str, Path]) -> Images:
    """uint8 (n, 32, 32, 3) and labels (n,), train and test; MalformedError for other content."""
    import numpy as np

    if JPEG in files:
        return _load_jpeg(files[JPEG])
    batches = {name: _read_batch(path, name, content) for path, name, content in _members(files)}
    if missing := [name for name in PUBLISHED_MD5 if name not in batches]:
        raise MalformedError(
            next(iter(files.values())), f"expected six batches; {', '.join(missing)} not found"
        )
    train = [batches.pop(name) for name in TRAIN_BATCHES]
    images = np.concatenate([part[0] for part in train])
    return Images(images, np.concatenate([part[1] for part in train]), *batches["test_batch"])


def _archive(files: Mapping[str, Path]) -> Path | None:
    return next((files[name] for name in ARCHIVES if name in files), None)


def _members(files: Mapping[str, Path]) -> Iterator[tuple[Path, str, bytes]]:
    """(file, batch name, content) of the batches in a folder or an archive."""
    archive = _archive(files)
    if archive is None:
        yield from ((path, name, path.read_bytes()) for name, path in files.items())
        return
    with tarfile.open(archive, "r|gz") as tar:
        for member in tar:
            name = Path(member.name).name
            stream = tar.extractfile(member) if member.isreg() and name in PUBLISHED_MD5 else None
            if stream is not None:
                yield archive, name, stream.read()


def _read_batch(
    path: Path, name: str, content: bytes
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (n, 32, 32, 3) and labels (n,) of a pickled batch: data uint8 (n, 3072), order CHW."""
    import numpy as np

    batch = unpickle(content, encoding="bytes")
    if not isinstance(batch, dict) or not {b"data", b"labels"} <= batch.keys():
        raise MalformedError(path, f"{name} should be a dict with b'data' and b'labels'")
    data, labels = np.asarray(batch[b"data"]), np.asarray(batch[b"labels"])
    check_images(path, f"{name}: data", data, (CHANNELS * SIDE * SIDE,))
    check_labels(path, f"{name}: labels", labels, len(data), CLASSES)
    images = data.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
    return images, labels.astype(np.uint8)


class JpegImages:
    """A stack of JPEG images that decodes the slice it is asked for."""

    def __init__(self, path: Path, blob: NDArray[Any], lengths: NDArray[Any]) -> None:
        import numpy as np

        self._path = path
        self._ends = np.cumsum(lengths, dtype=np.int64)
        self._starts = self._ends - lengths
        self._blob = blob
        self.shape: tuple[int, ...] = (len(lengths), SIDE, SIDE, CHANNELS)
        if (
            blob.dtype != np.uint8
            or blob.ndim != 1
            or (len(lengths) and int(self._ends[-1]) != len(blob))
        ):
            raise MalformedError(
                path, f"{blob.shape} JPEG bytes do not fit the lengths of {len(lengths)} images"
            )

    def __getitem__(self, index: slice, /) -> NDArray[Any]:
        """Decoded images uint8 (n, 32, 32, 3)."""
        import numpy as np

        with ThreadPoolExecutor() as pool:  # Pillow decodes outside Python's lock
            return np.stack(list(pool.map(self._decode, self._starts[index], self._ends[index])))

    def _decode(self, start: int, end: int) -> NDArray[Any]:
        import numpy as np
        from PIL import Image

        try:
            image = np.asarray(Image.open(io.BytesIO(self._blob[start:end].tobytes())))
        except (OSError, ValueError, SyntaxError) as error:
            raise MalformedError(
                self._path, f"the image at byte {start} is not a readable JPEG: {error}"
            ) from None
        if image.shape != self.shape[1:]:
            detail = f"the image at byte {start} should be {self.shape[1:]}, found {image.shape}"
            raise MalformedError(self._path, detail)
        return image


def _load_jpeg(path: Path) -> Images:
    """Images stored as JPEG in one .npz: *_jpeg (bytes end to end), *_length, *_label."""
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise MalformedError(path, "reading it needs Pillow: pip install pillow") from None
    names = tuple(
        f"{split}_{part}" for split in ("train", "test") for part in ("jpeg", "length", "label")
    )
    arrays = read_npz(path, names)
    parts: list[Any] = []
    for split in ("train", "test"):
        lengths = arrays[f"{split}_length"]
        check_labels(path, f"{split}_label", arrays[f"{split}_label"], len(lengths), CLASSES)
        parts += [JpegImages(path, arrays[f"{split}_jpeg"], lengths), arrays[f"{split}_label"]]
    return Images(*parts)


def synthetic(seed: int) -> Images:
    """Seeded, learnable images and labels of the same shapes and types."""
    return prototype_images(
        seed, (SIDE, SIDE, CHANNELS), block=8, lit=4, train=TRAIN, test=TEST, classes=CLASSES
    )


def prepare(
    raw: Images, preparation: Mapping[str, Any], portion: Portion, out: ArrayFolder
) -> dict[str, Any]:
    """Write float32 images in 0..1, (n, 32, 32, 3) or (n, 3072), and one-hot labels (n, 10)."""
    write_images(out, raw, preparation.get("layout"), portion, CLASSES)
    return {}


def content_sums(files: Mapping[str, Path]) -> dict[str, str] | None:
    """sha256 of the batches inside an archive: archive and unpacked folder are the same data."""
    if _archive(files) is None:
        return None
    return {name: hashlib.sha256(content).hexdigest() for _, name, content in _members(files)}


def remark(files: Mapping[str, Path], md5: Callable[[Path], str]) -> str | None:
    """The warning for local files with other images than the publisher's."""
    if JPEG in files:
        return (
            f"{JPEG} is JPEG re-encoded CIFAR-10 (lossy, shuffled): "
            "accuracy on it is not comparable with published values"
        )
    if _archive(files) is None and any(
        md5(path) != PUBLISHED_MD5[name] for name, path in files.items()
    ):
        return (
            f"{FOLDER} is not the publisher's: "
            "accuracy on it is not comparable with published values"
        )
    return None
