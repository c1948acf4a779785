"""Embedding, an LSTM in both directions, one output (Keras' imdb_bidirectional_lstm example)."""

from typing import Any, Dict

from experiments.worker.engines import Engine


def build(engine: Engine, spec: Dict[str, Any], extra: Dict[str, Any]) -> Any:
    """Input (n, length) int32 below extra["words"], output (n, 1): P(positive review)."""
    layers = [
        engine.embedding(extra["words"], spec["embedding"], spec["embedding_initializer"]),
        engine.bidirectional(engine.lstm(spec["units"], spec)),
        engine.dropout(spec["dropout"]),
        engine.dense(1, "sigmoid", spec["kernel_initializer"]),
    ]
    return engine.sequential(extra["input_shape"], layers, dtype="int32")
