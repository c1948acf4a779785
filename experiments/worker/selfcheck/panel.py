"""Many layers side by side in one model, so that an engine compiles them all at once.

Each branch is an embedding with one row for each sample, whose row is that sample's input to the
layer under check, and then the layer itself. So the inputs are weights too, and a plain training
step tells the gradient of everything a layer takes: under SGD with rate 1 it is what a weight has
lost. The branches' outputs are laid side by side under one squared error, which keeps their
gradients independent; and each branch has two layers with weights, so that an update which
overtakes a gradient shows in it.
"""

from typing import Any, Dict, List, Optional

import numpy as np

from experiments.worker.selfcheck import differences
from experiments.worker.selfcheck.cases import SAMPLES, Case, numbers
from experiments.worker.selfcheck.chains import SGD
from experiments.worker.selfcheck.convention import exchange
from experiments.worker.selfcheck.faults import Fault


class Branch(object):
    """A case in a panel: its probe (None for tokens), its layer, its columns of the output."""

    def __init__(
        self, engine: Any, case: Case, probe: Optional[Any], layer: Any, columns: slice
    ) -> None:
        self.engine = engine
        self.case = case
        self.probe = probe
        self.layer = layer
        self.columns = columns

    def reset(self) -> None:
        """Give the case's inputs and weights to the engine."""
        if self.probe is not None:
            self.probe.set_weights([self.case.inputs.reshape(SAMPLES, -1)])
        if self.case.weights:
            self.layer.set_weights(exchange(self.engine, self.case.weights))

    def parameters(self) -> List[np.ndarray]:
        """What the engine holds now, in the order of the case's parameters."""
        probe = (
            [self.probe.get_weights()[0].reshape(self.case.inputs.shape)]
            if self.probe is not None
            else []
        )
        return probe + exchange(self.engine, self.layer.get_weights() if self.case.weights else [])


class Panel(object):
    """A compiled model of several cases side by side."""

    def __init__(self, engine: Any, cases: List[Case], fault: Fault) -> None:
        self.fault = fault
        self.branches: List[Branch] = []
        self.inputs: List[np.ndarray] = []
        self._fed_layers: List[Any] = []
        # As engine.sequential feeds word numbers.
        self._dtype = "float32" if engine.generation == 2 else "int32"
        sample_number = None
        if not all(case.takes_tokens for case in cases):  # an input that nothing uses is refused
            rows = np.arange(SAMPLES, dtype=np.int32).reshape(SAMPLES, 1)
            sample_number = self._input(engine, rows)
        outputs = [self._branch(engine, case, sample_number) for case in cases]
        # One input is given bare, one output is not concatenated: Keras wants it so.
        together = engine.layers.Concatenate()(outputs) if len(outputs) > 1 else outputs[0]
        fed = self._fed_layers if len(self._fed_layers) > 1 else self._fed_layers[0]
        self.model = engine.keras.models.Model(inputs=fed, outputs=together)
        engine.compile(self.model, SGD, "mean_squared_error")
        # A target this far away makes the mean squared error's gradient one of order 1 at every
        # output.
        width = self.branches[-1].columns.stop
        self.target = -0.5 * SAMPLES * width * numbers(300, (SAMPLES, width), 1.0)

    def _input(self, engine: Any, array: np.ndarray) -> Any:
        """An input of the model that is fed with `array`."""
        made = engine.layers.Input(shape=array.shape[1:], dtype=self._dtype)
        self._fed_layers.append(made)
        self.inputs.append(array)
        return made

    def _branch(self, engine: Any, case: Case, sample_number: Any) -> Any:
        """Add the branch of `case`; returns its output, (samples, n)."""
        probe = None
        if case.takes_tokens:
            x = self._input(engine, case.inputs)
        else:
            probe = engine.embedding(SAMPLES, int(np.prod(case.inputs.shape[1:])), "uniform")
            x = engine.layers.Reshape(case.inputs.shape[1:])(probe(sample_number))
        layer = self.fault.layer(engine, case.name, case.build(engine))
        y = layer(x)
        start = self.branches[-1].columns.stop if self.branches else 0
        columns = slice(start, start + case.forward().shape[1])
        self.branches.append(Branch(engine, case, probe, layer, columns))
        return engine.layers.Flatten()(y) if case.output().ndim > 2 else y

    def upstream(self, branch: Branch, output: np.ndarray) -> np.ndarray:
        """The gradient of the mean squared error at a branch's output."""
        target = self.target[:, branch.columns].astype(np.float64)
        result: np.ndarray = 2.0 * (output - target) / self.target.size
        return result

    def forward(self) -> Dict[str, np.ndarray]:
        """The engine's output of each case, (samples, n), at inference."""
        for branch in self.branches:
            branch.reset()
        output = self.model.predict(self._fed(), batch_size=SAMPLES, verbose=0)
        return {branch.case.name: output[:, branch.columns] for branch in self.branches}

    def gradients(self) -> Dict[str, List[np.ndarray]]:
        """The engine's gradients of each case's parameters, out of one training step."""
        for branch in self.branches:
            branch.reset()
        self.fault.train(self.model, self._fed(), self.target)
        return {
            branch.case.name: [
                before.astype(np.float64).reshape(after.shape) - after
                for before, after in zip(branch.case.parameters(), branch.parameters())
            ]
            for branch in self.branches
        }

    def expected_gradients(self, branch: Branch) -> List[np.ndarray]:
        """The reference's gradients of a case's parameters, by central differences."""
        upstream = self.upstream(branch, branch.case.forward())
        base = branch.case.forward()

        def change(parameters: Any) -> float:
            # Differences of outputs, not of the loss: the loss is large and would swallow them.
            return float((upstream * (branch.case.forward(parameters) - base)).sum())

        return differences.gradients(change, branch.case.parameters())

    def _fed(self) -> Any:
        return self.inputs if len(self.inputs) > 1 else self.inputs[0]
