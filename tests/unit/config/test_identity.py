"""What makes runs comparable: values that decide the work change the id, others do not."""

import copy
from typing import Any

import pytest

from experiments.config.identity import protocol_id, rnn_path, seed, work
from experiments.config.schema import RunConfig
from tests.support.composing import composed


@pytest.fixture(scope="module")
def config() -> RunConfig:
    return composed("task=imdb_bilstm", "backend=jax", "gpu=cpu", "profile=quick")


def changed(config: RunConfig, path: str, value: Any) -> RunConfig:
    other = copy.deepcopy(config)
    *parents, last = path.split(".")
    target: Any = other
    for name in parents:
        target = target[name] if isinstance(target, dict) else getattr(target, name)
    if isinstance(target, dict):
        target[last] = value
    else:
        setattr(target, last, value)
    return other


def test_id_is_twelve_hex_digits_and_repeatable(config: RunConfig) -> None:
    first = protocol_id(config, "abc", 2)
    assert len(first) == 12 and int(first, 16) >= 0
    assert protocol_id(copy.deepcopy(config), "abc", 2) == first


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("epochs", 7),
        ("batch", 7),
        ("fraction", 0.5),
        ("affinity", [0]),
        ("gpu.tf32", True),
        ("profile.budget", "full"),
        ("profile.gates", "sigmoid"),
        ("backend.keras_generation", 2),
        ("task.loss", "mean_squared_error"),
        ("task.shuffle", False),
        ("task.augmentation", {"shift": 0.1}),
        ("task.model.units", 65),
        ("task.optimizer.learning_rate", 0.002),
        ("task.preparation.words", 10),
    ],
)
def test_what_decides_the_work_changes_the_id(config: RunConfig, path: str, value: Any) -> None:
    assert protocol_id(changed(config, path, value), "abc", 2) != protocol_id(config, "abc", 2)


def test_data_and_threads_change_the_id(config: RunConfig) -> None:
    assert (
        len({protocol_id(config, digest, threads) for digest in ("a", "b") for threads in (1, 2)})
        == 4
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("backend.name", "torch"),
        ("backend.keras_backend", "torch"),
        ("backend.title", "other"),
        ("gpu.name", "h200"),
        ("gpu.price_per_hour", 2.0),
        ("repetition", 3),
        ("tracking.uri", "sqlite:///x.db"),
        ("timeouts.epoch", 5.0),
        ("sweep.id", "s"),
        ("data.name", "official"),
        ("task.quality.target", 0.5),
        ("profile.name", "other"),
        ("profile.repetitions", 9),
    ],
)
def test_what_is_compared_does_not_change_the_id(config: RunConfig, path: str, value: Any) -> None:
    assert protocol_id(changed(config, path, value), "abc", 2) == protocol_id(config, "abc", 2)


def test_implementation_has_a_meaning_under_keras_2_only(config: RunConfig) -> None:
    old = changed(config, "backend.keras_generation", 2)
    assert rnn_path(old) == "keras2-implementation-1" and rnn_path(config) == "keras3-generic"
    assert protocol_id(changed(config, "task.model.implementation", 2), "a", 1) == protocol_id(
        config, "a", 1
    )
    assert protocol_id(changed(old, "task.model.implementation", 2), "a", 1) != protocol_id(
        old, "a", 1
    )
    assert rnn_path(composed("task=mnist_mlp")) is None
    assert (
        "implementation" not in work(config, "a", 1)["model"]
        and "implementation" in config.task.model
    )


def test_same_cell_of_three_backends_has_one_id() -> None:
    def ids(*backends: str) -> set[str]:
        return {
            protocol_id(composed("task=mnist_cnn", f"backend={name}"), "a", 1) for name in backends
        }

    new, old = ids("jax", "torch", "tensorflow2"), ids("theano", "cntk", "tensorflow")
    assert len(new) == len(old) == 1 and new != old


def test_seeds() -> None:
    seeds = [
        seed(task, repetition) for task in ("mnist_mlp", "text_gen") for repetition in range(1, 200)
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= value < 2**31 for value in seeds)
    assert seed("mnist_mlp", 1) == 162393636, "seeds of published runs may not change"
