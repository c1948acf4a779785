"""Blocks of (conv same, conv valid, pooling, dropout), one dense layer (Keras' cifar10_cnn)."""

from typing import Any, Dict

from experiments.worker.engines import Engine


def build(engine: Engine, spec: Dict[str, Any], extra: Dict[str, Any]) -> Any:
    """Input (n, height, width, channels) float32, output (n, classes) probabilities."""
    del extra
    activation, initializer = spec["activation"], spec["kernel_initializer"]
    layers = []
    for filters, rate in zip(spec["filters"], spec["dropout"]):
        layers += [
            engine.conv2d(filters, spec["kernel"], "same", activation, initializer),
            engine.conv2d(filters, spec["kernel"], "valid", activation, initializer),
            engine.max_pool(spec["pool"]),
            engine.dropout(rate),
        ]
    layers += [
        engine.flatten(),
        engine.dense(spec["dense"], activation, initializer),
        engine.dropout(spec["dropout"][len(spec["filters"])]),
        engine.dense(spec["classes"], "softmax", initializer),
    ]
    return engine.sequential(spec["inputs"], layers)
