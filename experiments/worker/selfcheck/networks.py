"""Checks of whole networks: their loss, all their gradients, and that they learn."""

from typing import Any, List

import numpy as np

from experiments.worker.selfcheck import chains, differences, reference
from experiments.worker.selfcheck.chains import BATCH, SGD, Chain
from experiments.worker.selfcheck.convention import exchange
from experiments.worker.selfcheck.faults import Plant
from experiments.worker.selfcheck.layers import FORWARD_LIMIT, GRADIENT_LIMIT, REPETITIONS
from experiments.worker.selfcheck.report import Report

# The last epoch's mean loss as a share of the first's. The CNN ends at 0.14 and the LSTM at 0.02, alike on all
# engines as nothing is random; without updates that reach the weights it is 1.
LEARNING_LIMIT = 0.5


def check(engine: Any, plant: Plant, report: Report) -> None:
    """Check the losses, the gradients of several layers in a row, and learning."""
    for chain in (chains.cnn(), chains.text(), chains.lstm()):
        model = chain.build(engine, plant)
        engine.compile(model, SGD, plant.loss(engine, chain.loss))
        _check_gradients(engine, chain, model, plant, report)
        if chain.optimizer is None:
            continue
        optimizer = plant.learning(chain.name, chain.optimizer)
        if optimizer != SGD:
            engine.compile(model, optimizer, chain.loss)
        _check_learning(engine, chain, model, report)


def _check_gradients(engine: Any, chain: Chain, model: Any, plant: Plant, report: Report) -> None:
    """The loss is compared at the engine's own probabilities, so that no layer's fault is put down to it."""
    inputs, target = chain.batch()
    model.set_weights(exchange(engine, chain.weights))
    probability = model.predict(inputs, batch_size=len(inputs), verbose=0).astype(np.float64)
    report.check(
        "network.%s.forward" % chain.name,
        differences.relative_error(probability, chain.forward(inputs, chain.weights)),
        FORWARD_LIMIT,
    )
    losses: List[float] = []
    measured: List[List[np.ndarray]] = []
    for _ in range(REPETITIONS):
        model.set_weights(exchange(engine, chain.weights))
        losses.append(plant.train(model, inputs, target))
        measured.append(
            [
                before.astype(np.float64) - after
                for before, after in zip(chain.weights, exchange(engine, model.get_weights()))
            ]
        )
    expected_loss = reference.LOSSES[chain.loss](target, probability)
    loss = "network.%s.%s" % (chain.name, chain.loss)
    report.check(
        loss + ".loss", float(np.max(np.abs(np.array(losses) / expected_loss - 1.0))), FORWARD_LIMIT
    )
    # Under softmax and sigmoid alike the derivative by the last layer's sums is probability - target.
    slope = (probability - target).mean(axis=0)
    report.check(
        loss + ".gradient",
        float(np.max([differences.relative_error(arrays[-1], slope) for arrays in measured])),
        GRADIENT_LIMIT,
    )
    expected = dict(chain.split(chain.expected_gradients()))
    for name, _ in reversed(chain.layers):  # from the loss down, as errors spread
        errors = [
            differences.worst_error(dict(chain.split(arrays))[name], expected[name])
            for arrays in measured
        ]
        report.check(
            "network.%s.%s.gradient" % (chain.name, name), float(np.max(errors)), GRADIENT_LIMIT
        )


def _check_learning(engine: Any, chain: Chain, model: Any, report: Report) -> None:
    model.set_weights(exchange(engine, chain.weights))
    history = model.fit(
        chain.inputs, chain.target, batch_size=BATCH, epochs=chain.epochs, verbose=0, shuffle=False
    )
    losses = history.history["loss"]
    report.check("network.%s.learning" % chain.name, float(losses[-1] / losses[0]), LEARNING_LIMIT)
