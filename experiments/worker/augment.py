"""Random shifts and flips of images: one implementation, so that all engines do equal work.

What ImageDataGenerator(width_shift_range=s, height_shift_range=s, horizontal_flip=True) did in
2017: shifts by whole pixels (it took the nearest pixel), the border's pixels repeated, a mirror
image in half of the cases.
"""

import math
from typing import Any, Dict, Tuple

import numpy as np


class Batches(object):
    """An epoch's batches of shuffled, shifted and flipped images: len() batches, [index] → (x, y).

    An epoch's plan (order, shifts, flips) is drawn at once from the seed and the epoch's number. So
    a batch depends on its index only, in whatever order and however often an engine asks, and is
    the same on all engines.
    """

    def __init__(
        self, arrays: Tuple[Any, Any], batch: int, spec: Dict[str, Any], shuffle: bool, seed: int
    ) -> None:
        """`arrays`: images (n, height, width, channels), C-contiguous, and targets (n, …)."""
        images, self._targets = arrays
        self._count, self._height, self._width, self._channels = (
            int(size) for size in images.shape
        )
        # One item a pixel, so that a pixel is copied at once: 14 µs an image of 32 × 32 × 3 instead
        # of 30 to 60.
        pixel = np.dtype((np.void, images.dtype.itemsize * self._channels))
        self._pixels = images.reshape(-1, self._channels).view(pixel)[:, 0]
        self._dtype = images.dtype
        self._batch = batch
        self._shift = float(spec["shift"])
        self._flips = bool(spec["horizontal_flip"])
        self._shuffle = shuffle
        self._seed = seed
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw the plan of `epoch` (from 0)."""
        random = np.random.RandomState([self._seed, epoch])
        self._order = random.permutation(self._count) if self._shuffle else np.arange(self._count)
        self._down = self._draw_shifts(random, self._height)
        self._right = self._draw_shifts(random, self._width)
        self._flipped = (random.random_sample(self._count) < 0.5) & self._flips

    def _draw_shifts(self, random: Any, size: int) -> Any:
        """Whole pixels, uniform within ± shift · size before rounding."""
        return np.rint(random.uniform(-self._shift, self._shift, self._count) * size).astype(
            "int64"
        )

    def __len__(self) -> int:
        return int(math.ceil(self._count / self._batch))

    def __getitem__(self, index: int) -> Tuple[Any, Any]:
        """Images (b, height, width, channels) and targets (b, …); the last batch may be smaller."""
        if not 0 <= index < len(self):
            raise IndexError("batch %d of %d" % (index, len(self)))
        part = slice(index * self._batch, (index + 1) * self._batch)
        chosen = self._order[part]
        rows = clamp(np.arange(self._height) - self._down[part, None], self._height)
        columns = clamp(np.arange(self._width) - self._right[part, None], self._width)
        columns = np.where(self._flipped[part, None], columns[:, ::-1], columns)
        pixels = (chosen[:, None] * self._height + rows)[:, :, None] * self._width + columns[
            :, None, :
        ]
        images = self._pixels.take(pixels).view(self._dtype)
        return images.reshape(
            len(chosen), self._height, self._width, self._channels
        ), self._targets[chosen]


def clamp(positions: Any, size: int) -> Any:
    """Positions beyond the border are the border's: `nearest` filling."""
    return np.minimum(np.maximum(positions, 0), size - 1)
