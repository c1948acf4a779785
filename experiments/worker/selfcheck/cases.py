"""Layers to check: each with fixed weights and inputs, a reference, and its Keras layer.

Weights and inputs come from fixed seeds, whatever the job's: a check must not pass on one day and
fail on the next. They are float32 numbers, so that an engine and its reference start from the same
ones, and they stay clear of the kinks of relu, max and hard_sigmoid
(tests/unit/worker/test_selfcheck.py), where a rounding error could choose the other branch.
"""

from functools import partial
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from experiments.worker.selfcheck import reference

SAMPLES = 4
GATES = ("hard_sigmoid", "sigmoid")
IMPLEMENTATIONS = (1, 2)  # Keras 2: one product for each gate, or one for all of them
DROPOUT, DROPOUT_RATE = "dropout", 0.5


def numbers(seed: int, shape: Sequence[int], size: float) -> np.ndarray:
    """float32 numbers of `shape`, spread evenly over ±size."""
    return np.random.RandomState(seed).uniform(-size, size, tuple(shape)).astype(np.float32)


class Case(object):
    """One layer in one setting.

    name: what the names of its checks begin with. inputs: (samples, ...) float32, or int32 tokens.
    weights: in Keras' order. apply(inputs, *weights): the reference's output in float64.
    build(engine): the Keras layer.
    """

    def __init__(
        self,
        name: str,
        inputs: np.ndarray,
        weights: List[np.ndarray],
        apply: Callable[..., np.ndarray],
        build: Callable[[Any], Any],
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.weights = weights
        self.apply = apply
        self.build = build

    @property
    def takes_tokens(self) -> bool:
        """Whether the inputs are integers, which have no gradient."""
        return self.inputs.dtype == np.int32

    def forward(self, parameters: Optional[Sequence[np.ndarray]] = None) -> np.ndarray:
        """The reference's output, (samples, n); `parameters` stand in for the case's own ones."""
        return self.output(parameters).reshape(len(self.inputs), -1)

    def output(self, parameters: Optional[Sequence[np.ndarray]] = None) -> np.ndarray:
        """The same in the layer's own shape, (samples, ...)."""
        inputs, weights = self.split(self.parameters() if parameters is None else parameters)
        return self.apply(inputs, *weights)

    def parameters(self) -> List[np.ndarray]:
        """What has a gradient, in float64: inputs (unless tokens), then weights."""
        free = self.weights if self.takes_tokens else [self.inputs] + self.weights
        return [array.astype(np.float64) for array in free]

    def split(self, parameters: Sequence[np.ndarray]) -> Tuple[np.ndarray, List[np.ndarray]]:
        """Inputs and weights out of `parameters`."""
        if self.takes_tokens:
            return self.inputs, list(parameters)
        return parameters[0], list(parameters[1:])


def _dense(activation: str, seed: int) -> Case:
    def apply(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
        return reference.ACTIVATIONS[activation](reference.dense(x, kernel, bias))

    return Case(
        "dense." + activation,
        numbers(seed, (SAMPLES, 5), 1.5),
        [numbers(seed + 1, (5, 4), 1.0), numbers(seed + 2, (4,), 0.5)],
        apply,
        lambda engine: engine.dense(4, activation, "glorot_uniform"),
    )


def _conv2d(padding: str, seed: int) -> Case:
    def apply(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
        return reference.relu(reference.conv2d(x, kernel, bias, padding))

    # Neither image nor kernel is symmetric, so that a flip or a transposition shows.
    return Case(
        "conv2d." + padding,
        numbers(seed, (SAMPLES, 5, 6, 2), 1.0),
        [numbers(seed + 1, (3, 3, 2, 3), 0.5), numbers(seed + 2, (3,), 0.5)],
        apply,
        lambda engine: engine.conv2d(3, 3, padding, "relu", "glorot_uniform"),
    )


def _embedding(seed: int) -> Case:
    # Words that repeat within and between samples add up; words 0 (padding), 1 and 8 never occur.
    tokens = np.array([[2, 3, 2], [4, 5, 6], [3, 3, 7], [7, 2, 5]], dtype=np.int32)
    return Case(
        "embedding",
        tokens,
        [numbers(seed, (9, 4), 1.0)],
        reference.embedding,
        lambda engine: engine.embedding(9, 4, "uniform"),
    )


def feedforward() -> List[Case]:
    """Every layer but dropout and the LSTMs."""
    return [
        _dense("relu", 100),
        _dense("softmax", 110),
        _dense("sigmoid", 120),
        _dense("tanh", 190),
        _dense("linear", 195),
        _conv2d("same", 130),
        _conv2d("valid", 140),
        Case(
            "max_pooling",
            numbers(150, (SAMPLES, 5, 6, 3), 1.0),
            [],
            partial(reference.max_pooling, size=2),
            lambda engine: engine.max_pool(2),
        ),
        Case(
            "global_average_pooling",
            numbers(160, (SAMPLES, 5, 4), 1.0),
            [],
            reference.global_average_pooling,
            lambda engine: engine.layers.GlobalAveragePooling1D(),
        ),
        _embedding(170),
    ]


def dropout() -> Case:
    """Dropout, which does nothing at inference; what it does in training is random."""
    return Case(
        DROPOUT,
        numbers(180, (SAMPLES, 32), 1.0),
        [],
        lambda x: x,
        lambda engine: engine.dropout(DROPOUT_RATE),
    )


def _lstm_weights(features: int, units: int, seed: int) -> List[np.ndarray]:
    return [
        numbers(seed, (features, 4 * units), 1.0),
        numbers(seed + 1, (units, 4 * units), 1.0),
        numbers(seed + 2, (4 * units,), 1.0),
    ]


def lstm_specification(gate: str, implementation: int) -> Dict[str, Any]:
    """What engine.lstm wants to know, as a task's model section says it."""
    return {
        "activation": "tanh",
        "recurrent_activation": gate,
        "implementation": implementation,
        "kernel_initializer": "glorot_uniform",
        "recurrent_initializer": "orthogonal",
        "unit_forget_bias": True,
    }


def lstm_name(gate: str, implementation: Optional[int], bidirectional: bool) -> str:
    """The name of an LSTM's case; `implementation` is None under Keras 3, which has no choice."""
    name = "bidirectional_lstm." if bidirectional else "lstm."
    return name + gate + (".implementation_%s" % implementation if implementation else "")


def _lstm(gate: str, implementation: Optional[int], bidirectional: bool, seed: int) -> Case:
    specification = lstm_specification(gate, implementation or 1)
    features, units, steps = 3, 3, 7
    weights = _lstm_weights(features, units, seed + 1)
    function: Callable[..., np.ndarray] = reference.lstm
    if bidirectional:
        weights += _lstm_weights(features, units, seed + 5)
        function = reference.bidirectional_lstm

    def build(engine: Any) -> Any:
        layer = engine.lstm(units, specification)
        return engine.bidirectional(layer) if bidirectional else layer

    return Case(
        lstm_name(gate, implementation, bidirectional),
        numbers(seed, (SAMPLES, steps, features), 2.0),
        weights,
        partial(function, gate=gate),
        build,
    )


def recurrent(generation: int) -> List[Case]:
    """LSTMs: both directions with both gate functions, under Keras 2 with both implementations.

    The numbers depend on direction and gates alone.
    """
    implementations: Sequence[Optional[int]] = IMPLEMENTATIONS if generation == 2 else (None,)
    settings = [(gate, both) for both in (False, True) for gate in GATES]
    return [
        _lstm(gate, implementation, both, 200 + 20 * number)
        for number, (gate, both) in enumerate(settings)
        for implementation in implementations
    ]


def pairwise() -> List[str]:
    """Names of four LSTMs of Keras 2 that hold every pair of direction, gates and implementation.

    All eight would take Theano's compiler twice as long.
    """
    return [
        lstm_name("hard_sigmoid", 2, False),
        lstm_name("sigmoid", 1, False),
        lstm_name("hard_sigmoid", 1, True),
        lstm_name("sigmoid", 2, True),
    ]
