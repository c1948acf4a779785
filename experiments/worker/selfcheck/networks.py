"""Checks of whole networks: their loss, all their gradients, and that they learn."""

from typing import Any, Container, List

import numpy as np

from experiments.worker.selfcheck import chains, differences, reference
from experiments.worker.selfcheck.chains import BATCH, Chain
from experiments.worker.selfcheck.convention import exchange
from experiments.worker.selfcheck.faults import Fault
from experiments.worker.selfcheck.layers import FORWARD_LIMIT, GRADIENT_LIMIT, REPETITIONS
from experiments.worker.selfcheck.report import Report

# The last epoch's mean loss as a share of the first's. All end below 0.2, alike on all engines as
# nothing is random; without updates that reach the weights it is 1.
LEARNING_LIMIT = 0.5


def case_name(chain_name: str) -> str:
    """The case that checks a network."""
    return "network." + chain_name


def check(engine: Any, fault: Fault, report: Report, wanted: Container[str]) -> None:
    """Check the losses, the gradients of several layers in a row, and learning."""
    for chain in chains.everything():
        if case_name(chain.name) not in wanted:
            continue
        model = chain.build(engine, fault)
        engine.compile(model, chain.optimizer, fault.loss(engine, chain.loss))
        _check_gradients(engine, chain, model, fault, report)
        optimizer = fault.learning(chain.name, chain.optimizer)
        if optimizer != chain.optimizer:
            engine.compile(model, optimizer, chain.loss)
        _check_learning(engine, chain, model, report)


def _check_gradients(engine: Any, chain: Chain, model: Any, fault: Fault, report: Report) -> None:
    """The loss is compared at the engine's own probabilities: no layer's fault counts as its."""
    inputs, target = chain.batch()
    case = case_name(chain.name)
    model.set_weights(exchange(engine, chain.weights))
    probability = model.predict(inputs, batch_size=len(inputs), verbose=0).astype(np.float64)
    report.check(
        case + ".forward",
        differences.relative_error(probability, chain.forward(inputs, chain.weights)),
        FORWARD_LIMIT,
        case,
    )
    losses: List[float] = []
    measured: List[List[np.ndarray]] = []
    for _ in range(REPETITIONS):
        model.set_weights(exchange(engine, chain.weights))
        losses.append(fault.train(model, inputs, target))
        measured.append(
            [
                (before.astype(np.float64) - after) / chain.rate
                for before, after in zip(chain.weights, exchange(engine, model.get_weights()))
            ]
        )
    expected_loss = reference.LOSSES[chain.loss](target, probability)
    loss = "%s.%s" % (case, chain.loss)
    loss_error = float(np.max(np.abs(np.array(losses) / expected_loss - 1.0)))
    report.check(loss + ".loss", loss_error, FORWARD_LIMIT, case)
    # Under softmax and sigmoid alike the derivative by the last layer's sums is probability -
    # target.
    slope = (probability - target).mean(axis=0)
    slope_error = float(np.max([differences.relative_error(a[-1], slope) for a in measured]))
    report.check(loss + ".gradient", slope_error, GRADIENT_LIMIT, case)
    expected = dict(chain.split(chain.expected_gradients()))
    for name, _ in reversed(chain.layers):  # from the loss down, as errors spread
        errors = [
            differences.worst_error(dict(chain.split(arrays))[name], expected[name])
            for arrays in measured
        ]
        report.check("%s.%s.gradient" % (case, name), float(np.max(errors)), GRADIENT_LIMIT, case)


def _check_learning(engine: Any, chain: Chain, model: Any, report: Report) -> None:
    model.set_weights(exchange(engine, chain.weights))
    history = model.fit(
        chain.inputs, chain.target, batch_size=BATCH, epochs=chain.epochs, verbose=0, shuffle=False
    )
    losses = history.history["loss"]
    case = case_name(chain.name)
    report.check(case + ".learning", float(losses[-1] / losses[0]), LEARNING_LIMIT, case)
