"""A task's cases are read off its model: each shipped task and backend, and what has no case."""

import json
from typing import Any

import pytest

from experiments.worker.selfcheck import __main__ as command
from experiments.worker.selfcheck import needs
from tests.support.composing import composed, members

ADAM = {"name": "adam", "learning_rate": 0.001}
# The layers of each task, as its model module builds it; LSTMs under Keras 3.
LAYERS = {
    "mnist_mlp": {"dense.relu", "dense.softmax", "dropout"},
    "mnist_cnn": {"conv2d.valid", "max_pooling", "dropout", "dense.relu", "dense.softmax"},
    "cifar10_cnn": {
        "conv2d.same",
        "conv2d.valid",
        "max_pooling",
        "dropout",
        "dense.relu",
        "dense.softmax",
    },
    "imdb_bilstm": {
        "embedding",
        "bidirectional_lstm.hard_sigmoid",
        "dropout",
        "dense.sigmoid",
    },
    "imdb_fasttext": {"embedding", "global_average_pooling", "dense.sigmoid"},
    "text_gen": {"lstm.hard_sigmoid", "dense.softmax"},
}
OTHERS = {
    "mnist_mlp": {"network.mlp", "optimizer.rmsprop"},
    "mnist_cnn": {"network.cnn", "optimizer.adadelta"},
    "cifar10_cnn": {"network.cnn", "optimizer.rmsprop"},
    # network.text has its loss
    "imdb_bilstm": {"network.lstm", "network.text", "optimizer.adam"},
    "imdb_fasttext": {"network.text", "optimizer.adam"},
    "text_gen": {"network.lstm", "optimizer.rmsprop"},
}
IMPLEMENTATION = {"text_gen": ".implementation_2", "imdb_bilstm": ".implementation_1"}


def needed(*overrides: str, **model: Any) -> tuple[list[str], list[str]]:
    config = composed(*overrides)
    task = config.task
    return needs.needed(
        {**config.model(), **model}, task.optimizer, task.loss, config.backend.keras_generation
    )


@pytest.mark.parametrize("backend", members("backend"))
@pytest.mark.parametrize("task", members("task"))
def test_every_shipped_task_is_covered(task: str, backend: str) -> None:
    cases, uncovered = needed(f"task={task}", f"backend={backend}")
    generation = composed(f"backend={backend}").backend.keras_generation
    suffix = IMPLEMENTATION.get(task, "") if generation == 2 else ""
    layers = {name + suffix if "lstm" in name else name for name in LAYERS[task]}
    assert set(cases) == layers | OTHERS[task] and uncovered == []
    assert cases == [name for name in needs.everything(generation) if name in cases]


@pytest.mark.parametrize(("backend", "suffix"), [("theano", ".implementation_2"), ("jax", "")])
def test_the_gates_of_a_profile_count(backend: str, suffix: str) -> None:
    cases, uncovered = needed("task=text_gen", f"backend={backend}", "profile.gates=sigmoid")
    assert f"lstm.sigmoid{suffix}" in cases and uncovered == []
    assert not any(name.startswith("lstm.hard_sigmoid") for name in cases)


@pytest.mark.parametrize(
    ("overrides", "model", "told"),
    [
        (["task=mnist_mlp"], {"activation": "elu"}, ["dense.elu"]),
        (["task=mnist_cnn"], {"activation": "tanh"}, ["conv2d.valid.tanh"]),
        (["task=text_gen", "backend=jax"], {"activation": "relu"}, ["lstm.hard_sigmoid.relu"]),
        (["task=text_gen", "backend=jax"], {"recurrent_activation": "tanh"}, ["lstm.tanh"]),
        (["task=text_gen", "backend=cntk"], {"implementation": 0}, ["lstm.hard_sigmoid"]),
        (["task=mnist_mlp", "task.loss=poisson"], {}, ["loss poisson"]),
        (
            ["task=mnist_mlp", "task.optimizer.name=sgd", "+task.optimizer.momentum=0.9"],
            {},
            ["optimizer.sgd.momentum"],
        ),
    ],
)
def test_what_no_case_covers_is_named(
    overrides: list[str], model: dict[str, Any], told: list[str]
) -> None:
    assert needed(*overrides, **model)[1] == told


class Model:
    """A model module that a test writes."""

    def __init__(self, make: Any) -> None:
        self.build = lambda engine, spec, extra: make(engine, extra)


@pytest.mark.parametrize(
    ("make", "layers"),
    [
        (lambda engine, extra: engine.layers.GRU(3), ["layers.GRU"]),
        (lambda engine, extra: engine.keras.layers.Conv1D(3, 3), ["keras.layers.Conv1D"]),
        (
            lambda engine, extra: engine.lstm(3, SPEC, return_sequences=True),
            ["lstm.sigmoid.return_sequences"],
        ),
        (
            lambda engine, extra: engine.bidirectional(engine.lstm(3, SPEC))(engine.flatten()),
            ["bidirectional_lstm.sigmoid"],
        ),
        (
            lambda engine, extra: engine.dense(
                2 * len(extra["alphabet"]) + extra["input_shape"][0] + extra.get("classes", 3),
                "relu",
                engine.initializer("zeros"),
            ),
            ["dense.relu"],
        ),
    ],
)
def test_layers_are_read_off_any_model(
    make: Any, layers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs.importlib, "import_module", lambda name: Model(make))
    assert needs.layers_of({"builder": "new"}, 3) == layers


SPEC = {"activation": "tanh", "recurrent_activation": "sigmoid", "implementation": 1}


def test_a_case_that_does_not_exist_is_refused(tmp_path: Any) -> None:
    job = {"keras_backend": "torch", "keras_generation": 3, "seed": 1, "cases": ["dense.elu"]}
    (tmp_path / "job.json").write_text(json.dumps(job))
    arguments = [str(tmp_path / "job.json"), str(tmp_path / "out.json")]
    assert command.main(arguments) == command.CRASHED
    error = json.loads((tmp_path / "out.json").read_text())["error"]
    assert error == "ValueError: no case is named dense.elu"
