"""One LSTM that predicts the next character (Keras' lstm_text_generation example)."""

from typing import Any, Dict

from experiments.worker.engines import Engine


def build(engine: Engine, spec: Dict[str, Any], extra: Dict[str, Any]) -> Any:
    """Input (n, window, characters) float32 one-hot, output (n, characters) probabilities."""
    layers = [
        engine.lstm(spec["units"], spec),
        engine.dense(len(extra["alphabet"]), "softmax", spec["kernel_initializer"]),
    ]
    return engine.sequential(extra["input_shape"], layers)
