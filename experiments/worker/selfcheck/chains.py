"""The tasks' networks in small: each with a loss, all its gradients, and something that it learns.

The gradients of layers in a row depend on each other's weights, so an update that overtakes a
gradient shows here even where each layer by itself is right.
"""

from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np

from experiments.worker.selfcheck import differences, reference
from experiments.worker.selfcheck.cases import lstm_specification, numbers
from experiments.worker.selfcheck.faults import Fault

SAMPLES = 96
BATCH = 16  # in learning
GRADIENT_SAMPLES = 6
FILTERS, HIDDEN, CLASSES, SIDE = 4, 8, 3, 8
WORDS, FEATURES, UNITS, STEPS = 9, 4, 4, 8
GATE = "hard_sigmoid"
SGD: Dict[str, Any] = {"name": "sgd", "learning_rate": 1.0, "decay": 0.0}

Arrays = Sequence[np.ndarray]


class Chain(object):
    """A network with its fixed weights and data.

    layers: (name, number of weight arrays) of the layers that have weights, bottom first. weights:
    all of them in one list, as get_weights() of the model orders them. forward(inputs, weights):
    the reference's probabilities. build(engine, fault): the uncompiled Keras model. rate, epochs:
    of the SGD that it learns with; gradients are read from its steps too, so that Theano compiles
    one function for both. (The optimizers of the tasks are checked by themselves.)
    """

    def __init__(
        self,
        name: str,
        loss: str,
        layers: List[Tuple[str, int]],
        weights: List[np.ndarray],
        data: Tuple[np.ndarray, np.ndarray],
        forward: Callable[[np.ndarray, Arrays], np.ndarray],
        build: Callable[[Any, Fault], Any],
        rate: float,
        epochs: int,
    ) -> None:
        self.name = name
        self.loss = loss
        self.layers = layers
        self.weights = weights
        self.inputs, self.target = data
        self.forward = forward
        self.build = build
        self.rate = rate
        self.epochs = epochs

    @property
    def optimizer(self) -> Dict[str, Any]:
        """The specification of the SGD that it learns with."""
        return dict(SGD, learning_rate=self.rate)

    def batch(self) -> Tuple[np.ndarray, np.ndarray]:
        """The inputs and the target that gradients are taken on."""
        return self.inputs[:GRADIENT_SAMPLES], self.target[:GRADIENT_SAMPLES]

    def expected_gradients(self) -> List[np.ndarray]:
        """The reference's gradients on that batch, by central differences of the loss."""
        inputs, target = self.batch()

        def loss(weights: Arrays) -> float:
            return reference.LOSSES[self.loss](target, self.forward(inputs, weights))

        return differences.gradients(loss, self.weights)

    def split(self, arrays: Arrays) -> List[Tuple[str, Arrays]]:
        """(layer's name, its arrays) out of one list in the order of the weights, bottom first."""
        parts, start = [], 0
        for name, count in self.layers:
            parts.append((name, arrays[start : start + count]))
            start += count
        return parts


def everything() -> List[Chain]:
    """All networks."""
    return [mlp(), cnn(), text(), lstm()]


def mlp() -> Chain:
    """Two dense layers: mnist_mlp in small."""
    weights = [
        numbers(450, (SIDE * SIDE, HIDDEN), 0.3),
        numbers(451, (HIDDEN,), 0.2),
        numbers(452, (HIDDEN, CLASSES), 0.7),
        numbers(453, (CLASSES,), 0.2),
    ]

    def forward(pixels: np.ndarray, weights: Arrays) -> np.ndarray:
        x = reference.relu(reference.dense(pixels, weights[0], weights[1]))
        return reference.softmax(reference.dense(x, weights[2], weights[3]))

    def build(engine: Any, fault: Fault) -> Any:
        start = "glorot_uniform"
        return engine.sequential(
            (SIDE * SIDE,),
            [
                fault.layer(engine, "dense.relu", engine.dense(HIDDEN, "relu", start)),
                fault.layer(engine, "dense.softmax", engine.dense(CLASSES, "softmax", start)),
            ],
        )

    pictures, target = images()
    return Chain(
        "mlp",
        "categorical_crossentropy",
        [("dense_relu", 2), ("dense_softmax", 2)],
        weights,
        (pictures.reshape(SAMPLES, -1), target),
        forward,
        build,
        rate=1.0,
        epochs=30,
    )


def cnn() -> Chain:
    """Two convolutions, pooling and two dense layers: mnist_cnn in small."""
    pooled = (SIDE - 2) // 2
    weights = [
        numbers(400, (3, 3, 1, FILTERS), 0.5),
        numbers(401, (FILTERS,), 0.2),
        numbers(402, (3, 3, FILTERS, FILTERS), 0.3),
        numbers(403, (FILTERS,), 0.2),
        numbers(404, (pooled * pooled * FILTERS, HIDDEN), 0.3),
        numbers(405, (HIDDEN,), 0.2),
        numbers(406, (HIDDEN, CLASSES), 0.7),
        numbers(407, (CLASSES,), 0.2),
    ]

    def forward(images: np.ndarray, weights: Arrays) -> np.ndarray:
        x = reference.relu(reference.conv2d(images, weights[0], weights[1], "same"))
        x = reference.relu(reference.conv2d(x, weights[2], weights[3], "valid"))
        x = reference.max_pooling(x, 2).reshape(len(images), -1)
        x = reference.relu(reference.dense(x, weights[4], weights[5]))
        return reference.softmax(reference.dense(x, weights[6], weights[7]))

    def build(engine: Any, fault: Fault) -> Any:
        def layer(name: str, made: Any) -> Any:
            return fault.layer(engine, name, made)

        start = "glorot_uniform"
        return engine.sequential(
            (SIDE, SIDE, 1),
            [
                layer("conv2d.same", engine.conv2d(FILTERS, 3, "same", "relu", start)),
                layer("conv2d.valid", engine.conv2d(FILTERS, 3, "valid", "relu", start)),
                layer("max_pooling", engine.max_pool(2)),
                engine.layers.Flatten(),
                layer("dense.relu", engine.dense(HIDDEN, "relu", start)),
                layer("dense.softmax", engine.dense(CLASSES, "softmax", start)),
            ],
        )

    layers = [("conv2d_same", 2), ("conv2d_valid", 2), ("dense_relu", 2), ("dense_softmax", 2)]
    return Chain(
        "cnn",
        "categorical_crossentropy",
        layers,
        weights,
        images(),
        forward,
        build,
        rate=0.25,  # at 1.0 its relus die
        epochs=40,
    )


def images() -> Tuple[np.ndarray, np.ndarray]:
    """Noisy images (samples, 8, 8, 1) of a bright row, column or square, and the one-hot labels."""
    random = np.random.RandomState(410)
    kinds = random.randint(0, CLASSES, SAMPLES)
    pictures = random.uniform(0.0, 0.3, (SAMPLES, SIDE, SIDE, 1))
    for picture, kind in zip(pictures, kinds):
        row, column = random.randint(0, SIDE - 3, 2)
        if kind == 0:
            picture[row] += 0.7
        elif kind == 1:
            picture[:, column] += 0.7
        else:
            picture[row : row + 3, column : column + 3] += 0.7
    return pictures.astype(np.float32), np.eye(CLASSES, dtype=np.float32)[kinds]


def text() -> Chain:
    """Embedding, average and two dense layers: imdb_fasttext in small."""
    tokens, _ = sentences()
    high = (tokens > 4).mean(axis=1, keepdims=True) > 0.5  # an average can tell, in whatever order
    weights = [
        numbers(440, (WORDS, FEATURES), 1.0),
        numbers(441, (FEATURES, HIDDEN), 1.0),
        numbers(442, (HIDDEN,), 0.3),
        numbers(443, (HIDDEN, 1), 0.8),
        numbers(444, (1,), 0.2),
    ]

    def forward(tokens: np.ndarray, weights: Arrays) -> np.ndarray:
        x = reference.global_average_pooling(reference.embedding(tokens, weights[0]))
        x = reference.relu(reference.dense(x, weights[1], weights[2]))
        return reference.sigmoid(reference.dense(x, weights[3], weights[4]))

    def build(engine: Any, fault: Fault) -> Any:
        start = "glorot_uniform"
        return engine.sequential(
            (STEPS,),
            [
                fault.layer(engine, "embedding", engine.embedding(WORDS, FEATURES, "uniform")),
                fault.layer(
                    engine, "global_average_pooling", engine.layers.GlobalAveragePooling1D()
                ),
                fault.layer(engine, "dense.relu", engine.dense(HIDDEN, "relu", start)),
                fault.layer(engine, "dense.sigmoid", engine.dense(1, "sigmoid", start)),
            ],
            "int32",
        )

    layers = [("embedding", 1), ("dense_relu", 2), ("dense_sigmoid", 2)]
    return Chain(
        "text",
        "binary_crossentropy",
        layers,
        weights,
        (tokens, high.astype(np.float32)),
        forward,
        build,
        rate=1.0,
        epochs=30,
    )


def lstm() -> Chain:
    """LSTM on one-hot words and a dense layer: text_gen in small."""
    weights = [
        numbers(420, (WORDS, 4 * UNITS), 0.6),
        numbers(421, (UNITS, 4 * UNITS), 0.6),
        numbers(422, (4 * UNITS,), 0.3),
        numbers(423, (UNITS, 2), 0.8),
        numbers(424, (2,), 0.2),
    ]
    tokens, target = sentences()
    one_hot: np.ndarray = np.eye(WORDS, dtype=np.float32)[tokens].reshape(SAMPLES, -1)

    def forward(inputs: np.ndarray, weights: Arrays) -> np.ndarray:
        x = reference.lstm(
            inputs.reshape(-1, STEPS, WORDS), weights[0], weights[1], weights[2], GATE
        )
        return reference.softmax(reference.dense(x, weights[3], weights[4]))

    def build(engine: Any, fault: Fault) -> Any:
        made = engine.lstm(UNITS, lstm_specification(GATE, 2))
        # A sequence of known length: else Theano compiles forty functions for the arithmetic of
        # shapes alone.
        return engine.sequential(
            (STEPS * WORDS,),
            [
                engine.layers.Reshape((STEPS, WORDS)),
                fault.layer(engine, "lstm." + GATE, made),
                fault.layer(engine, "dense.softmax", engine.dense(2, "softmax", "glorot_uniform")),
            ],
        )

    layers = [("lstm", 3), ("dense_softmax", 2)]
    return Chain(
        "lstm",
        "categorical_crossentropy",
        layers,
        weights,
        (one_hot, target),
        forward,
        build,
        rate=1.0,
        epochs=30,
    )


def sentences() -> Tuple[np.ndarray, np.ndarray]:
    """Sequences of words (samples, 8) int32, and one-hot whether the last but one is above 4."""
    tokens = np.random.RandomState(430).randint(1, WORDS, (SAMPLES, STEPS)).astype(np.int32)
    return tokens, np.eye(2, dtype=np.float32)[(tokens[:, -2] > 4).astype(int)]
