"""Central finite differences, and how far two arrays are apart."""

from typing import Callable, List, Sequence

import numpy as np

# Error of a central difference: step² · f''' / 6 + 1e-16 / step, both near 1e-11 for functions of
# order 1. float32 is five orders coarser, so the difference quotient is as good as the exact
# derivative here.
STEP = 1e-5


def gradients(
    function: Callable[[Sequence[np.ndarray]], float],
    arrays: Sequence[np.ndarray],
    step: float = STEP,
) -> List[np.ndarray]:
    """Derivative of a scalar function of several arrays with respect to each of their elements.

    `function` takes the float64 arrays and returns a number; the result has the arrays' shapes.
    """
    arrays = [np.array(array, dtype=np.float64) for array in arrays]
    results = []
    for array in arrays:
        result = np.zeros_like(array)
        flat, out = array.reshape(-1), result.reshape(-1)
        for index in range(flat.size):
            value = flat[index]
            flat[index] = value + step
            above = function(arrays)
            flat[index] = value - step
            below = function(arrays)
            flat[index] = value
            out[index] = (above - below) / (2.0 * step)
        results.append(result)
    return results


def relative_error(measured: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference over the largest expected value; infinite if the shapes differ.

    The largest value and not each element's own: an element that is small by cancellation carries
    the rounding of the large ones, and that is no fault of an engine.
    """
    measured = np.asarray(measured, dtype=np.float64)
    expected = np.asarray(expected, dtype=np.float64)
    if measured.shape != expected.shape:
        return float("inf")
    scale = float(np.abs(expected).max())
    return float(np.abs(measured - expected).max() / (scale if scale > 0.0 else 1.0))


def worst_error(measured: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """The largest relative error over pairs; infinite if their number differs, NaN stays NaN."""
    if len(measured) != len(expected):
        return float("inf")
    return float(np.max([relative_error(one, other) for one, other in zip(measured, expected)]))
