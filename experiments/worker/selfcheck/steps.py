"""What an optimizer does to a weight, step by step, in NumPy float64 and as Keras 2 defines it."""

from typing import Any, Dict, List

import numpy as np


class ReferenceOptimizer(object):
    """Applies an optimizer to one array of weights and keeps its state.

    specification: name (sgd, rmsprop, adadelta, adam), learning_rate, decay, and rho, epsilon,
    beta_1, beta_2 where the optimizer has them. Every epsilon stands outside the square root but
    Adadelta's; the rate of step n (from 0) is learning_rate / (1 + decay n).
    """

    def __init__(self, specification: Dict[str, Any]) -> None:
        self.specification = specification
        self.steps_done = 0
        self.state: Dict[str, np.ndarray] = {}

    def step(self, weights: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """The weights after one more step along `gradient` (same shape)."""
        rate = self.specification["learning_rate"] / (
            1.0 + self.specification.get("decay", 0.0) * self.steps_done
        )
        self.steps_done += 1
        change = getattr(self, "_" + self.specification["name"])
        result: np.ndarray = weights - rate * change(gradient)
        return result

    def _average(self, name: str, share: float, value: np.ndarray) -> np.ndarray:
        """Moving average that starts at zero; `share` is what is kept of the old one."""
        self.state[name] = (
            share * self.state.get(name, np.zeros_like(value)) + (1.0 - share) * value
        )
        return self.state[name]

    def _sgd(self, gradient: np.ndarray) -> np.ndarray:
        return gradient

    def _rmsprop(self, gradient: np.ndarray) -> np.ndarray:
        """Tieleman & Hinton 2012."""
        square = self._average("square", self.specification["rho"], gradient**2)
        result: np.ndarray = gradient / (np.sqrt(square) + self.specification["epsilon"])
        return result

    def _adadelta(self, gradient: np.ndarray) -> np.ndarray:
        """Zeiler 2012, algorithm 1."""
        rho, epsilon = self.specification["rho"], self.specification["epsilon"]
        square = self._average("square", rho, gradient**2)
        moved = self.state.get("moved", np.zeros_like(gradient))
        result: np.ndarray = gradient * np.sqrt(moved + epsilon) / np.sqrt(square + epsilon)
        self._average("moved", rho, result**2)
        return result

    def _adam(self, gradient: np.ndarray) -> np.ndarray:
        """Kingma & Ba 2015, as in the last remark of section 2 (epsilon beside the raw root)."""
        beta_1, beta_2 = self.specification["beta_1"], self.specification["beta_2"]
        mean = self._average("mean", beta_1, gradient)
        square = self._average("square", beta_2, gradient**2)
        correction = np.sqrt(1.0 - beta_2**self.steps_done) / (1.0 - beta_1**self.steps_done)
        result: np.ndarray = correction * mean / (np.sqrt(square) + self.specification["epsilon"])
        return result


def trajectory(
    specification: Dict[str, Any], weights: List[np.ndarray], gradient_at: Any, steps: int
) -> List[List[np.ndarray]]:
    """Weights after each step; `gradient_at(step, weights)` gives the gradients there."""
    optimizers = [ReferenceOptimizer(specification) for _ in weights]
    path = []
    for step in range(steps):
        slopes = gradient_at(step, weights)
        weights = [
            optimizer.step(weight, slope)
            for optimizer, weight, slope in zip(optimizers, weights, slopes)
        ]
        path.append(weights)
    return path
