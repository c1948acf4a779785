"""784 → dense → dense → classes, dropout after each hidden layer (Keras' mnist_mlp example)."""

from typing import Any, Dict

from experiments.worker.engines import Engine


def build(engine: Engine, spec: Dict[str, Any], extra: Dict[str, Any]) -> Any:
    """Input (n, inputs) float32, output (n, classes) probabilities."""
    del extra
    layers = []
    for units in spec["hidden"]:
        layers.append(engine.dense(units, spec["activation"], spec["kernel_initializer"]))
        layers.append(engine.dropout(spec["dropout"]))
    layers.append(engine.dense(spec["classes"], "softmax", spec["kernel_initializer"]))
    return engine.sequential((spec["inputs"],), layers)
