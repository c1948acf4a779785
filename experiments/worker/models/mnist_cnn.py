"""Two convolutions, one pooling, one dense layer (Keras' mnist_cnn example)."""

from typing import Any, Dict

from experiments.worker.engines import Engine


def build(engine: Engine, spec: Dict[str, Any], extra: Dict[str, Any]) -> Any:
    """Input (n, height, width, channels) float32, output (n, classes) probabilities."""
    del extra
    activation, initializer = spec["activation"], spec["kernel_initializer"]
    layers = [
        engine.conv2d(filters, spec["kernel"], "valid", activation, initializer)
        for filters in spec["filters"]
    ]
    layers += [
        engine.max_pool(spec["pool"]),
        engine.dropout(spec["dropout"][0]),
        engine.flatten(),
        engine.dense(spec["dense"], activation, initializer),
        engine.dropout(spec["dropout"][1]),
        engine.dense(spec["classes"], "softmax", initializer),
    ]
    return engine.sequential(spec["inputs"], layers)
