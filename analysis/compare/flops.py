"""How much arithmetic a training sample costs, for the share of the machine's ceiling.

Counts multiplications and additions of the products that a layer is made of, forward; training
costs three times that, one part forward and two backward (Kaplan et al. 2020, arXiv:2001.08361,
section 2.1). Pooling, activation and the optimizer's step are left out, so shares are slightly too
low, never too high.
"""

import json
from collections.abc import Callable
from typing import Any

BACKWARD_AND_FORWARD = 3
Model = dict[str, Any]


def training_flops_per_sample(hyper: str | None) -> float | None:
    """Floating-point operations per training sample from a run's hyper-parameters (JSON); None if
    unknown.
    """
    if not hyper:
        return None
    try:
        flat = json.loads(hyper)
        model = {
            key.removeprefix("model."): _value(text)
            for key, text in flat.items()
            if key.startswith("model.")
        }
        preparation = {
            key.removeprefix("preparation."): _value(text)
            for key, text in flat.items()
            if key.startswith("preparation.")
        }
        return BACKWARD_AND_FORWARD * _FORWARD[model["builder"]](model, preparation)
    except (KeyError, TypeError, ValueError, IndexError):  # a model this module does not know
        return None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _dense(inputs: float, outputs: float) -> float:
    return 2 * inputs * outputs


def _convolution(height: int, width: int, channels: int, filters: int, kernel: int) -> float:
    """height, width: of the output."""
    return 2 * height * width * filters * channels * kernel * kernel


def _lstm(steps: int, inputs: int, units: int) -> float:
    return steps * 4 * (_dense(inputs, units) + _dense(units, units))


def _mlp(model: Model, _: Model) -> float:
    sizes = [model["inputs"], *model["hidden"], model["classes"]]
    return sum(_dense(a, b) for a, b in zip(sizes, sizes[1:], strict=False))


def _mnist_cnn(model: Model, _: Model) -> float:
    height, width, channels = model["inputs"]
    kernel, (first, second) = model["kernel"], model["filters"]
    total = 0.0
    for source, filters in ((channels, first), (first, second)):
        height, width = height - kernel + 1, width - kernel + 1
        total += _convolution(height, width, source, filters, kernel)
    flat = (height // model["pool"]) * (width // model["pool"]) * second
    return total + _dense(flat, model["dense"]) + _dense(model["dense"], model["classes"])


def _cifar10_cnn(model: Model, _: Model) -> float:
    height, width, channels = model["inputs"]
    kernel, total = model["kernel"], 0.0
    for filters in model["filters"]:
        total += _convolution(height, width, channels, filters, kernel)  # padded: same size
        height, width = height - kernel + 1, width - kernel + 1
        total += _convolution(height, width, filters, filters, kernel)
        height, width, channels = height // model["pool"], width // model["pool"], filters
    flat = height * width * channels
    return total + _dense(flat, model["dense"]) + _dense(model["dense"], model["classes"])


def _imdb_bilstm(model: Model, preparation: Model) -> float:
    return 2 * _lstm(preparation["length"], model["embedding"], model["units"]) + _dense(
        2 * model["units"], 1
    )


def _imdb_fasttext(model: Model, preparation: Model) -> float:
    return float(preparation["length"] * model["embedding"]) + _dense(model["embedding"], 1)


def _text_gen(model: Model, preparation: Model) -> float:
    alphabet = 57  # characters of the text; it is no hyper-parameter
    return _lstm(preparation["window"], alphabet, model["units"]) + _dense(model["units"], alphabet)


_FORWARD: dict[str, Callable[[Model, Model], float]] = {
    "mnist_mlp": _mlp,
    "mnist_cnn": _mnist_cnn,
    "cifar10_cnn": _cifar10_cnn,
    "imdb_bilstm": _imdb_bilstm,
    "imdb_fasttext": _imdb_fasttext,
    "text_gen": _text_gen,
}
