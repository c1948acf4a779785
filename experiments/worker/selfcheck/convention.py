"""The one convention that differs: Theano's convolution turns its kernels by 180 degrees.

Keras 2 on Theano computes the convolution of mathematics, all others its mirror image, the
correlation. A network trains alike with either, and Keras says so
(keras.utils.layer_utils.convert_all_kernels_in_model), so it is no fault; a reference has to know
it all the same.
"""

from typing import Any, List, Sequence

import numpy as np


def exchange(engine: Any, arrays: Sequence[np.ndarray]) -> List[np.ndarray]:
    """The references' weights as the engine's, or the reverse, which is the same turn."""
    if engine.generation != 2 or engine.backend != "theano":
        return list(arrays)
    return [array[::-1, ::-1] if array.ndim == 4 else array for array in arrays]
