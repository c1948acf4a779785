# ruff: noqa: ARG002 (the stand-in has the signatures of the engine)
"""Which cases a task needs: its layers, a network like it with its loss, its optimizer.

A case is what is checked and remembered as one: "dense.relu",
"bidirectional_lstm.sigmoid.implementation_2", "network.cnn", "optimizer.adam". The task's model is
built on a stand-in for the engine that notes which layers it is asked for, so a new model declares
nothing. No engine is imported: the parent asks this, too.
"""

import importlib
from typing import Any, Dict, Iterator, List, Sequence, Set, Tuple

from experiments.worker.selfcheck import cases, chains, networks, optimizers

# A task is checked with the first network whose kind of layer it has.
_KINDS = (("lstm", "lstm."), ("cnn", "conv2d."), ("text", "embedding"), ("mlp", ""))


def catalogue(generation: int) -> List[str]:
    """The names of all cases under a Keras generation, in the order in which they are checked."""
    layers = cases.feedforward() + [cases.dropout()] + cases.recurrent(generation)
    names = [case.name for case in layers]
    names += [networks.case_name(chain.name) for chain in chains.everything()]
    return names + [optimizers.case_name(each) for each in optimizers.SPECIFICATIONS]


def everything(generation: int) -> List[str]:
    """What a check without a task runs: all cases, but of Keras 2's LSTMs only `pairwise`."""
    left_out: Set[str] = set()
    if generation == 2:
        left_out = {case.name for case in cases.recurrent(2)}.difference(cases.pairwise())
    return [name for name in catalogue(generation) if name not in left_out]


def needed(
    model: Dict[str, Any], optimizer: Dict[str, Any], loss: str, generation: int
) -> Tuple[List[str], List[str]]:
    """The cases that a task needs, in the catalogue's order, and what it uses that no case covers.

    model, optimizer, loss: the task's sections. Raises whatever the model's builder raises.
    """
    layers = layers_of(model, generation)
    network, same_loss = _networks(layers, loss)
    wanted = set(layers) | set(network + same_loss[:1]) | {optimizers.case_name(optimizer)}
    known = catalogue(generation)
    uncovered = sorted(wanted.difference(known)) + ([] if same_loss else ["loss " + loss])
    return [name for name in known if name in wanted], uncovered


def _networks(layers: Sequence[str], loss: str) -> Tuple[List[str], List[str]]:
    """The network like the task's, and the ones with its loss, itself first if it has that loss."""
    alike = next(
        name for name, kind in _KINDS if any(kind in layer for layer in layers) or not kind
    )
    same = [chain.name for chain in chains.everything() if chain.loss == loss]
    same.sort(key=lambda name: name != alike)
    return [networks.case_name(alike)], [networks.case_name(name) for name in same]


def layers_of(model: Dict[str, Any], generation: int) -> List[str]:
    """The cases of the layers that a task's model is built of, each once.

    A layer or setting that no case covers has a name that is not in the catalogue.
    """
    module = importlib.import_module("experiments.worker.models." + model["builder"])
    recorder = Recorder(generation)
    module.build(recorder, model, _Extra())
    return sorted({layer.name for layer in recorder.made})


class _Unknown(int):
    """A value that only the prepared data have, such as an alphabet: 1 in every use."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, key: Any) -> "_Unknown":
        return self

    def __iter__(self) -> Iterator["_Unknown"]:
        return iter((self,))


class _Extra(Dict[str, Any]):
    """What preparation tells a model; every key is there."""

    def __missing__(self, key: str) -> _Unknown:
        return _Unknown(1)

    def get(self, key: str, default: Any = None) -> _Unknown:
        del default
        return _Unknown(1)


class Layer(object):
    """A layer that was asked for: the name of its case. Called on an output it returns itself."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *inputs: Any, **options: Any) -> "Layer":
        return self


class Recorder(object):
    """Has the methods that build models (see engines.Engine); `made` lists the layers."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.made: List[Layer] = []
        self.layers = _Path(self, "layers")
        self.keras = _Path(self, "keras")

    def note(self, name: str) -> Layer:
        """Add a layer."""
        self.made.append(Layer(name))
        return self.made[-1]

    def sequential(self, input_shape: Any, layers: Any, dtype: str = "float32") -> None:
        """Nothing: the layers were noted when they were made."""

    def initializer(self, spec: Any) -> Any:
        """The specification itself."""
        return spec

    def flatten(self) -> Layer:
        """A layer that all cases use to compare outputs, so it needs none."""
        return Layer("flatten")

    def dense(self, units: int, activation: str, kernel_initializer: Any) -> Layer:
        """Dense with an activation."""
        return self.note("dense.%s" % activation)

    def conv2d(
        self, filters: int, kernel: int, padding: str, activation: str, kernel_initializer: Any
    ) -> Layer:
        """Convolution; its case has relu."""
        return self.note(
            "conv2d.%s%s" % (padding, "" if activation == "relu" else "." + activation)
        )

    def max_pool(self, size: int) -> Layer:
        """Max pooling."""
        return self.note("max_pooling")

    def mean_over_time(self) -> Layer:
        """The mean over the second axis."""
        return self.note("global_average_pooling")

    def dropout(self, rate: float) -> Layer:
        """Dropout."""
        return self.note(cases.DROPOUT)

    def embedding(self, rows: int, width: int, initializer: Any) -> Layer:
        """Embedding."""
        return self.note("embedding")

    def lstm(self, units: int, spec: Dict[str, Any], **kwargs: Any) -> Layer:
        """LSTM; its cases have the activation tanh and no further options."""
        implementation = spec.get("implementation") if self.generation == 2 else None
        name = cases.lstm_name(spec["recurrent_activation"], implementation, False)
        if spec["activation"] != "tanh":
            name += "." + str(spec["activation"])
        return self.note(".".join([name] + sorted(kwargs)))

    def bidirectional(self, layer: Layer) -> Layer:
        """Both directions of a layer, which counts for that layer, too."""
        self.made.remove(layer)
        return self.note("bidirectional_" + layer.name)


class _Path(object):
    """engine.layers or engine.keras: what is made through it is noted, without a case."""

    def __init__(self, recorder: Recorder, path: str) -> None:
        self._recorder, self._path = recorder, path

    def __getattr__(self, name: str) -> "_Path":
        return _Path(self._recorder, self._path + "." + name)

    def __call__(self, *arguments: Any, **options: Any) -> Layer:
        return self._recorder.note(self._path)
