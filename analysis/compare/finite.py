"""Samples as float arrays: NaN and infinities count as no figure."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Epochs = Sequence[Sequence[float] | Floats]  # the figures of each run's epochs, a run each


def finite(values: Sequence[float] | Floats) -> Floats:
    """The values as a one-dimensional float64 array, NaN and infinities left out."""
    array = np.asarray(values, dtype=np.float64).ravel()
    return array[np.isfinite(array)]
