"""Injectable faults; used only by the tests, to prove that the self-check can fail.

    lstm_cell_state       every LSTM returns its cell state (Keras 2.2.4 to 2.3.1 on CNTK)
    layer:NAME            the output of that layer is 1 % too large
    gradient:NAME         its output is right and its gradients are 1 % too large
    loss:NAME             that loss is 1 % too large
    optimizer:NAME        the steps of that optimizer are 1 % too long
    overtaking_updates    a layer's weights change before the gradients of those below it are taken;
                          Keras 2 on TensorFlow 1 does so at times, this does always
    learning:NAME         that network (mlp, cnn, text, lstm) loses its updates while it learns

NAME is what the names of the checks begin with, e.g. gradient:conv2d.same.
"""

from typing import Any, Callable, Dict, List, Optional, Union

import numpy as np

EXCESS = 1.01
KINDS = (
    "lstm_cell_state",
    "layer",
    "gradient",
    "loss",
    "optimizer",
    "overtaking_updates",
    "learning",
)


class Fault(object):
    """A fault to inject; without a name every method returns what it was given."""

    def __init__(self, name: Optional[str] = None) -> None:
        self.name = name
        self.kind, _, self.target = (name or "").partition(":")
        self.injected = 0
        if name is not None and self.kind not in KINDS:
            raise ValueError("unknown fault %r; known: %s" % (name, ", ".join(KINDS)))

    def _hits(self, kind: str, target: str) -> bool:
        hit = self.kind == kind and self.target == target
        self.injected += int(hit)
        return hit

    def layer(self, engine: Any, name: str, layer: Any) -> Any:
        """The layer for the checks of that name, before it is first called."""
        if self.kind == "lstm_cell_state":
            sides = [
                getattr(layer, side)
                for side in ("forward_layer", "backward_layer")
                if hasattr(layer, side)
            ]
            for single in sides or [layer]:
                if hasattr(single, "cell"):
                    single.use_cudnn = (
                        False  # Keras 3 goes round the cell where an engine has a whole LSTM
                    )
                    _return_cell_state(single.cell)
                    self.injected += 1
        if self._hits("layer", name):
            _change_output(layer, lambda output: output * EXCESS)
        if self._hits("gradient", name):
            stop = (
                engine.keras.backend.stop_gradient
                if engine.generation == 2
                else engine.keras.ops.stop_gradient
            )
            _change_output(layer, lambda output: output * EXCESS - stop(output * (EXCESS - 1.0)))
        return layer

    def loss(self, engine: Any, name: str) -> Union[str, Callable[[Any, Any], Any]]:
        """What to compile a model with for the loss of that name."""
        if not self._hits("loss", name):
            return name
        function = getattr(engine.keras.losses, name)
        return lambda target, prediction: function(target, prediction) * EXCESS

    def optimizer(self, specification: Dict[str, Any]) -> Dict[str, Any]:
        """The specification to build an optimizer from."""
        if not self._hits("optimizer", specification["name"]):
            return specification
        return dict(specification, learning_rate=specification["learning_rate"] * EXCESS)

    def learning(self, name: str, specification: Dict[str, Any]) -> Dict[str, Any]:
        """The optimizer's specification for the learning model of that name."""
        return (
            dict(specification, learning_rate=0.0)
            if self._hits("learning", name)
            else specification
        )

    def train(self, model: Any, inputs: Any, target: np.ndarray) -> float:
        """One training step, and its loss."""
        if self.kind != "overtaking_updates":
            return _train(model, inputs, target)
        self.injected += 1
        return _overtake(model, inputs, target)


def _train(model: Any, inputs: Any, target: np.ndarray) -> float:
    if hasattr(model, "reset_metrics"):
        model.reset_metrics()  # Keras 3 would add this batch's loss to the mean of those before
    return float(model.train_on_batch(inputs, target)[0])


def _overtake(model: Any, inputs: Any, target: np.ndarray) -> float:
    """Step layer by layer from the top, each on gradients taken after those above it."""
    loss: Optional[float] = None
    layers = [layer for layer in model.layers if layer.get_weights()]
    for layer in reversed(layers):
        before = model.get_weights()
        value = _train(model, inputs, target)
        loss = value if loss is None else loss
        stepped: List[np.ndarray] = layer.get_weights()
        model.set_weights(before)
        layer.set_weights(stepped)
    return loss if loss is not None else float("nan")


def _return_cell_state(cell: Any) -> None:
    """Let an LSTM's cell return its cell state, with its two states exchanged.

    The order matters on CNTK, whose loop in Keras takes the first state for the output. Both states
    start at zero, so nothing else changes by it.
    """
    original = cell.call

    def call(inputs: Any, states: Any, training: Any = None) -> Any:
        swapped = [states[1], states[0]] + list(states[2:])
        output, cell_state = original(inputs, swapped, training=training)[1]
        return cell_state, [cell_state, output]

    cell.call = call


def _change_output(layer: Any, change: Callable[[Any], Any]) -> None:
    original = layer.call

    def call(inputs: Any, **options: Any) -> Any:
        return change(original(inputs, **options))

    layer.call = call
