"""Checks of the optimizers: three steps each, since what they keep between steps matters."""

from typing import Any, Container, Dict, List, Sequence

import numpy as np

from experiments.worker.selfcheck import differences, reference, steps
from experiments.worker.selfcheck.cases import numbers
from experiments.worker.selfcheck.faults import Fault
from experiments.worker.selfcheck.report import Report

# As the tasks have them, but with a decay that shows within three steps (theirs is 1e-6 a step).
SPECIFICATIONS: Sequence[Dict[str, Any]] = (
    {"name": "sgd", "learning_rate": 0.01, "decay": 0.1},
    {"name": "rmsprop", "learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-8, "decay": 0.1},
    {"name": "adadelta", "learning_rate": 1.0, "rho": 0.95, "epsilon": 1e-8, "decay": 0.0},
    {
        "name": "adam",
        "learning_rate": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-8,
        "decay": 0.0,
    },
)

# Word 3 is never seen, word 2 in the first and last step only: its row must move on by Adam's
# momentum.
TOKENS = np.array([[[0], [1], [2]], [[0], [1], [0]], [[2], [0], [1]]], dtype=np.int32)

# A step is near 1e-3 and a weight near 0.1, which float32 holds to 4e-9; Adam's 1 - beta_2 ** step
# loses 3e-5 in float32. The smallest fault thinkable, a forgotten correction or decay, is of 1e-2
# and more.
LIMIT = 1e-3


def start() -> List[np.ndarray]:
    """Weights of embedding (4, 3), dense (3, 3) and dense (3, 2).

    They and the targets are chosen so that no gradient comes near zero, where its sign would be
    chance.
    """

    def positive(seed: int, shape: Sequence[int]) -> np.ndarray:
        result: np.ndarray = 0.15 + numbers(seed, shape, 0.05)
        return result

    return [
        positive(500, (4, 3)),
        positive(501, (3, 3)),
        positive(502, (3,)),
        positive(503, (3, 2)),
        positive(504, (2,)),
    ]


def targets() -> np.ndarray:
    """(steps, samples, 2), all far below what the network predicts."""
    result: np.ndarray = numbers(505, (len(TOKENS), 3, 2), 0.5) - 2.0
    return result


def forward(tokens: np.ndarray, weights: Sequence[np.ndarray]) -> np.ndarray:
    """The reference's prediction, (samples, 2), for tokens (samples, 1)."""
    x = reference.embedding(tokens, weights[0])[:, 0]
    return reference.dense(reference.dense(x, weights[1], weights[2]), weights[3], weights[4])


def expected(specification: Dict[str, Any]) -> List[List[np.ndarray]]:
    """The reference's weights after each step."""

    def gradient_at(step: int, weights: List[np.ndarray]) -> List[np.ndarray]:
        def loss(weights: Sequence[np.ndarray]) -> float:
            return reference.mean_squared_error(targets()[step], forward(TOKENS[step], weights))

        return differences.gradients(loss, weights)

    return steps.trajectory(
        specification, [array.astype(np.float64) for array in start()], gradient_at, len(TOKENS)
    )


def case_name(specification: Dict[str, Any]) -> str:
    """The case that checks an optimizer with this specification; momentum is SGD's alone."""
    momentum = ".momentum" if specification.get("momentum") or specification.get("nesterov") else ""
    return "optimizer.%s%s" % (specification.get("name"), momentum)


def check(engine: Any, fault: Fault, report: Report, wanted: Container[str]) -> None:
    """Check what each wanted optimizer has moved every weight by after each step."""
    for specification in SPECIFICATIONS:
        if case_name(specification) in wanted:
            _check_steps(engine, specification, fault, report)


def _check_steps(engine: Any, specification: Dict[str, Any], fault: Fault, report: Report) -> None:
    model = engine.sequential(
        (1,),
        [
            engine.embedding(4, 3, "uniform"),
            engine.layers.Flatten(),
            engine.dense(3, "linear", "glorot_uniform"),
            engine.dense(2, "linear", "glorot_uniform"),
        ],
        "int32",
    )
    engine.compile(model, fault.optimizer(specification), "mean_squared_error")
    model.set_weights(start())
    case = case_name(specification)
    for step, wanted in enumerate(expected(specification)):
        fault.train(model, TOKENS[step], targets()[step])
        errors = [
            differences.relative_error(array.astype(np.float64) - first, goal - first)
            for array, goal, first in zip(model.get_weights(), wanted, start())
        ]
        name = "%s.step_%d" % (specification["name"], step + 1)
        report.check(name + ".dense", float(np.max(errors[1:])), LIMIT, case)
        report.check(name + ".embedding", errors[0], LIMIT, case)
