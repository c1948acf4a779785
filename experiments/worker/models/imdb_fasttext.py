"""Embedding, mean over the words, one output (Keras' imdb_fasttext example)."""

from typing import Any, Dict

from experiments.worker.engines import Engine


def build(engine: Engine, spec: Dict[str, Any], extra: Dict[str, Any]) -> Any:
    """Input (n, length) int32 below extra["words"], output (n, 1): P(positive review)."""
    layers = [
        engine.embedding(extra["words"], spec["embedding"], spec["embedding_initializer"]),
        engine.mean_over_time(),
        engine.dense(1, "sigmoid", spec["kernel_initializer"]),
    ]
    return engine.sequential(extra["input_shape"], layers, dtype="int32")
