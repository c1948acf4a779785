"""The default backend is one that can be had here; a backend that is named is never replaced."""

from pathlib import Path

import pytest

from experiments.config import members
from experiments.environments import default, inventory
from experiments.environments.inventory import BUILT, MISSING, Entry


class Machine:
    """Which backends are built, for which there is an interpreter, and which were looked at."""

    def __init__(self) -> None:
        self.built: set[str] = set()
        self.found: set[str] = set()
        self.looked: list[str] = []

    def look(self, backend: members.BackendConfig, kind: str) -> Entry:
        self.looked.append(backend.name)
        state = BUILT if backend.name in self.built else MISSING
        found = "3.11.9 (PATH)" if backend.name in self.built | self.found else "none"
        python = "3.6" if backend.keras_generation == 2 else "3.11"
        return Entry(backend.name, kind, python, found, state, None, None)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(inventory, "look", made.look)
    return made


@pytest.mark.parametrize("built", [True, False])
def test_the_configured_default_is_kept_if_it_can_be_had(machine: Machine, built: bool) -> None:
    (machine.built if built else machine.found).add("tensorflow")
    assert default.choice(["task=mnist_cnn"]) == ([], "")
    assert machine.looked == ["tensorflow"]


def test_without_its_interpreter_the_same_engine_under_keras_3_is_taken(machine: Machine) -> None:
    machine.found |= {"jax", "tensorflow2", "torch"}
    reason = "backend=tensorflow2 (no Python 3.6 here for tensorflow; name a backend to choose)"
    assert default.choice(["epochs=1"]) == (["backend=tensorflow2"], reason)


def test_any_other_is_better_than_none_and_without_any_the_default_explains(
    machine: Machine,
) -> None:
    machine.built.add("torch")
    assert default.choice([])[0] == ["backend=torch"]
    machine.built.clear()
    assert default.choice([]) == ([], "")


@pytest.mark.parametrize(
    "argument",
    ["backend=cntk", "backend=theano,jax", "backend.python=/opt/python", "++backend.python=x"]
    + ["--help", "-m", "--cfg"],
)
def test_a_named_backend_is_not_replaced_and_nothing_is_looked_for(
    machine: Machine, argument: str
) -> None:
    assert default.choice(["task=mnist_mlp", argument]) == ([], "")
    assert machine.looked == []


def test_a_built_environment_needs_no_interpreter(
    kbb_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = members.backends()["tensorflow"]
    monkeypatch.setattr(inventory.interpreters, "find", lambda _: pytest.fail("a search"))
    monkeypatch.setattr(inventory.installed, "find_complete", lambda *_: kbb_cache)
    assert inventory.look(backend, "cpu").state == BUILT
    assert default.choice([]) == ([], "")
