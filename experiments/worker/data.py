"""The prepared arrays, mapped into memory."""

from typing import Any, Dict, Tuple

import numpy as np

NAMES = ("x_train", "y_train", "x_validation", "y_validation")
PAGE_BYTES = 4096


class Data(object):
    """Training and validation arrays as (x, y)."""

    def __init__(self, training: Tuple[Any, Any], validation: Tuple[Any, Any]) -> None:
        self.training = training
        self.validation = validation
        self.bytes = sum(int(array.nbytes) for array in training + validation)


def load(paths: Dict[str, str]) -> Data:
    """Map the four .npy files (copy on write) and read each page once, so that it is in memory.

    Raises ValueError if x and y differ in length or an array is empty, OSError if a file cannot be
    read.
    """
    arrays = {}
    for name in NAMES:
        array = np.asarray(np.load(paths[name], mmap_mode="c", allow_pickle=False))
        array.reshape(-1).view("uint8")[::PAGE_BYTES].max(initial=0)
        arrays[name] = array
    for part in ("train", "validation"):
        x, y = arrays["x_" + part], arrays["y_" + part]
        if len(x) != len(y) or not len(x):
            raise ValueError("%d inputs and %d targets in the %s arrays" % (len(x), len(y), part))
    return Data(
        (arrays["x_train"], arrays["y_train"]), (arrays["x_validation"], arrays["y_validation"])
    )
