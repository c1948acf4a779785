"""Layers and losses in NumPy float64, written from their definitions.

These are the truth that an engine is compared with, so they share no code with any engine. Images
are (samples, rows, columns, channels), sequences (samples, steps, features). The weights of a layer
come in Keras' order: kernel, (recurrent kernel,) bias; an LSTM's gates lie side by side in the
order input, forget, candidate, output.
"""

from typing import Callable, Dict

import numpy as np

CLIP = 1e-7  # Keras clips probabilities to [CLIP, 1 - CLIP] before it takes a logarithm


def linear(x: np.ndarray) -> np.ndarray:
    """The identity."""
    return x


def relu(x: np.ndarray) -> np.ndarray:
    """max(x, 0)."""
    result: np.ndarray = np.maximum(x, 0.0)
    return result


def tanh(x: np.ndarray) -> np.ndarray:
    """Hyperbolic tangent."""
    result: np.ndarray = np.tanh(x)
    return result


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow: the same as (1 + tanh(x / 2)) / 2."""
    result: np.ndarray = 0.5 * (1.0 + np.tanh(0.5 * x))
    return result


def hard_sigmoid(x: np.ndarray) -> np.ndarray:
    """Keras 2's piecewise linear gate, clip(0.2 x + 0.5, 0, 1); Keras 3's is another."""
    result: np.ndarray = np.clip(0.2 * x + 0.5, 0.0, 1.0)
    return result


def softmax(x: np.ndarray) -> np.ndarray:
    """exp(x) normalised over the last axis."""
    exponentials: np.ndarray = np.exp(x - x.max(axis=-1, keepdims=True))
    result: np.ndarray = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result


ACTIVATIONS: Dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": linear,
    "relu": relu,
    "sigmoid": sigmoid,
    "hard_sigmoid": hard_sigmoid,
    "softmax": softmax,
    "tanh": tanh,
}


def dense(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """x (samples, n) times kernel (n, m), plus bias (m,); no activation."""
    result: np.ndarray = x.dot(kernel) + bias
    return result


def conv2d(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, padding: str) -> np.ndarray:
    """Cross-correlation with stride 1, no activation: no kernel is flipped.

    x (samples, rows, columns, channels), kernel (height, width, channels, filters), both of odd
    size; padding "valid" shrinks the image by kernel - 1, "same" keeps its size with zeros around
    it.
    """
    height, width = kernel.shape[:2]
    if padding == "same":
        above, left = (height - 1) // 2, (width - 1) // 2
        x = np.pad(
            x, ((0, 0), (above, height - 1 - above), (left, width - 1 - left), (0, 0)), "constant"
        )
    rows, columns = x.shape[1] - height + 1, x.shape[2] - width + 1
    result: np.ndarray = np.zeros((x.shape[0], rows, columns, kernel.shape[3])) + bias
    for i in range(height):
        for j in range(width):
            result += np.dot(x[:, i : i + rows, j : j + columns, :], kernel[i, j])
    return result


def max_pooling(x: np.ndarray, size: int) -> np.ndarray:
    """The maximum of each size × size window; no overlap, incomplete windows are cut."""
    samples, rows, columns, channels = x.shape
    rows, columns = rows // size, columns // size
    windows = x[:, : rows * size, : columns * size, :].reshape(
        samples, rows, size, columns, size, channels
    )
    result: np.ndarray = windows.max(axis=(2, 4))
    return result


def global_average_pooling(x: np.ndarray) -> np.ndarray:
    """Mean over the steps of (samples, steps, features)."""
    result: np.ndarray = x.mean(axis=1)
    return result


def embedding(tokens: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Rows of table (words, features) for tokens (samples, steps): (samples, steps, features)."""
    result: np.ndarray = table[tokens]
    return result


def lstm(
    x: np.ndarray,
    kernel: np.ndarray,
    recurrent_kernel: np.ndarray,
    bias: np.ndarray,
    gate: str,
    backwards: bool = False,
) -> np.ndarray:
    """An LSTM's output after the last step (Hochreiter & Schmidhuber 1997, with forget gates).

    x (samples, steps, features), kernel (features, 4 u), recurrent_kernel (u, 4 u), bias (4 u,);
    `gate` names the gates' activation; `backwards` reads the steps from last to first. Returns
    (samples, u).
    """
    gate_function = ACTIVATIONS[gate]
    units = recurrent_kernel.shape[0]
    output = np.zeros((x.shape[0], units))
    cell = np.zeros((x.shape[0], units))
    steps = range(x.shape[1])
    for step in reversed(steps) if backwards else steps:
        sums = x[:, step].dot(kernel) + output.dot(recurrent_kernel) + bias
        admit, keep = gate_function(sums[:, :units]), gate_function(sums[:, units : 2 * units])
        candidate = np.tanh(sums[:, 2 * units : 3 * units])
        cell = keep * cell + admit * candidate
        output = gate_function(sums[:, 3 * units :]) * np.tanh(cell)
    return output


def bidirectional_lstm(x: np.ndarray, *weights: np.ndarray, gate: str) -> np.ndarray:
    """Last outputs of two LSTMs, one reading each way, side by side: (samples, 2 u).

    weights: the three of the forward LSTM, then the three of the backward one.
    """
    forward = lstm(x, weights[0], weights[1], weights[2], gate)
    backward = lstm(x, weights[3], weights[4], weights[5], gate, backwards=True)
    return np.concatenate([forward, backward], axis=-1)


def categorical_crossentropy(target: np.ndarray, probability: np.ndarray) -> float:
    """Mean over samples of -sum(target log(probability)); both (samples, classes)."""
    logarithm = np.log(np.clip(probability, CLIP, 1.0 - CLIP))
    return float(-(target * logarithm).sum(axis=-1).mean())


def binary_crossentropy(target: np.ndarray, probability: np.ndarray) -> float:
    """Mean of -t log(p) - (1 - t) log(1 - p), natural logarithm; arrays of one shape."""
    probability = np.clip(probability, CLIP, 1.0 - CLIP)
    terms = target * np.log(probability) + (1.0 - target) * np.log1p(-probability)
    return float(-terms.mean())


def mean_squared_error(target: np.ndarray, prediction: np.ndarray) -> float:
    """Mean over all elements of the squared difference."""
    return float(((prediction - target) ** 2).mean())


LOSSES = {
    "categorical_crossentropy": categorical_crossentropy,
    "binary_crossentropy": binary_crossentropy,
    "mean_squared_error": mean_squared_error,
}
