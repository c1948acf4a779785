"""The engines' self-check passes on real engines, and names the layer where something is broken.

They use the interpreter that KBB_TEST_PYTHON_<BACKEND> names, else the backend's own environment,
which is built if it is missing.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.environments import ensure, worker_variables
from tests.support.backends import need
from tests.support.composing import composed

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
BACKENDS = ("theano", "tensorflow", "cntk", "tensorflow2", "jax", "torch")
SOUND, UNSOUND, CRASHED = 0, 1, 2

# fault, as injected on any engine; the first check that must fail; others that must and
# must not
FAULTS = [
    (
        "lstm_cell_state",
        "lstm.hard_sigmoid.forward",
        ["bidirectional_lstm.sigmoid.forward"],
        ["dense.relu.forward"],
    ),
    ("layer:conv2d.same", "conv2d.same.forward", ["network.cnn.forward"], ["conv2d.valid.forward"]),
    (
        "gradient:dense.relu",
        "dense.relu.gradient",
        [],
        ["dense.relu.forward", "dense.softmax.gradient"],
    ),
    (
        "gradient:max_pooling",
        "max_pooling.gradient",
        ["network.cnn.conv2d_valid.gradient"],
        ["max_pooling.forward"],
    ),
    (
        "loss:binary_crossentropy",
        "network.text.binary_crossentropy.loss",
        ["network.text.embedding.gradient"],
        ["network.cnn.categorical_crossentropy.loss"],
    ),
    ("optimizer:adam", "adam.step_1.dense", ["adam.step_3.embedding"], ["rmsprop.step_3.dense"]),
    (
        "overtaking_updates",
        "dense.relu.gradient",
        ["network.cnn.conv2d_same.gradient"],
        ["dense.relu.forward"],
    ),
    ("learning:cnn", "network.cnn.learning", [], ["network.lstm.learning"]),
]


def interpreter(backend: str) -> str | None:
    """The interpreter named for a backend, None for its own environment; skips without either."""
    variable = f"KBB_TEST_PYTHON_{backend.upper()}"
    named = os.environ.get(variable)
    if not named:
        need(backend)
    return named


def check(
    backend: str, folder: Path, *options: str, **settings: Any
) -> tuple[int, dict[str, Any], str]:
    """Run the self-check as the project does: its exit status, its verdict and what it printed."""
    named = interpreter(backend)
    config = composed(f"backend={backend}", *([f"backend.python={named}"] if named else [])).backend
    env = ensure(config, "cpu", print)
    job = {
        "keras_backend": config.keras_backend,
        "keras_generation": config.keras_generation,
        "threads": 1,
        "seed": 1,
        "device": {"kind": "cpu", "name": None, "index": 0, "memory_growth": True, "tf32": False},
        "settings": {**config.settings, **settings},
    }
    (folder / "job.json").write_text(json.dumps(job))
    done = subprocess.run(
        [
            env.python,
            "-m",
            "experiments.worker.selfcheck",
            folder / "job.json",
            folder / "out.json",
            *options,
        ],
        cwd=folder,
        env=worker_variables(env, config, 1, "cpu"),
        text=True,
        capture_output=True,
        timeout=850,
        check=False,
    )
    verdict = folder / "out.json"
    assert verdict.is_file(), done.stderr
    return done.returncode, json.loads(verdict.read_text()), done.stdout + done.stderr


def plain(name: str) -> str:
    """A check's name without Keras 2's implementations."""
    return ".".join(part for part in name.split(".") if not part.startswith("implementation"))


def failed(verdict: dict[str, Any]) -> list[str]:
    """Names of the checks that failed, in their order."""
    return [plain(result["name"]) for result in verdict["checks"] if not result["passed"]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_engine_as_configured_is_sound(backend: str) -> None:
    """By the command that a person types; kept verdicts on this environment count."""
    named = interpreter(backend)
    words = ["env", "check", backend, *(["--python", named] if named else [])]
    done = subprocess.run(
        [sys.executable, "-m", "experiments", *words],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=850,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    total = rf"^{backend}: (\d+ more checks passed in \d+ s \()?[6-9]\d (checks passed|in all)"
    assert re.search(total, done.stdout, re.M), done.stdout


@pytest.mark.parametrize(
    ("fault", "first", "also", "never"), FAULTS, ids=[each[0] for each in FAULTS]
)
def test_an_injected_fault_is_caught_and_named(
    fault: str, first: str, also: list[str], never: list[str], tmp_path: Path
) -> None:
    status, verdict, output = check("torch", tmp_path, "--fault", fault)
    wrong = failed(verdict)
    assert status == UNSOUND and verdict["sound"] is False and verdict["fault"] == fault, output
    assert wrong[0] == first
    assert set(also) <= set(wrong)
    assert not set(never) & set(wrong)
    result = next(r for r in verdict["checks"] if plain(r["name"]) == first)
    assert result["value"] > 5 * result["limit"] or fault.startswith("learning")
    assert any(line.startswith("WRONG") and result["name"] in line for line in output.splitlines())


def test_the_lstm_that_returns_its_cell_state_is_caught_on_cntk(tmp_path: Path) -> None:
    """As Keras 2.2.4 to 2.3.1 had it on this very engine."""
    status, verdict, output = check("cntk", tmp_path, "--fault", "lstm_cell_state")
    wrong = failed(verdict)
    assert status == UNSOUND, output
    assert wrong[0] == "lstm.hard_sigmoid.forward"
    assert [name for name in wrong if "lstm" not in name] == []
    assert next(r["value"] for r in verdict["checks"] if not r["passed"]) > 0.1


def test_updates_that_overtake_gradients_are_caught_on_tensorflow_1(tmp_path: Path) -> None:
    """No emulation: the engine itself, without the gate that the configuration gives it."""
    status, verdict, output = check("tensorflow", tmp_path, gated_gradients=False)
    wrong = failed(verdict)
    assert status == UNSOUND, output
    # An optimizer's updates are always too early, those that gradients are read from mostly.
    assert any(".step_" in name for name in wrong), wrong
    assert not any(name.endswith(".forward") for name in wrong)


def test_squares_of_repeated_words_are_caught_on_tensorflow_2(tmp_path: Path) -> None:
    """No emulation: Keras 3 by default squares each of a repeated word's gradients, not the sum."""
    status, verdict, output = check("tensorflow2", tmp_path, dense_gradients=False)
    assert status == UNSOUND, output
    assert failed(verdict) == [
        f"{name}.step_{step}.embedding"
        for name in ("rmsprop", "adadelta", "adam")
        for step in (2, 3)
    ]


def test_a_fault_without_a_place_is_a_crash(tmp_path: Path) -> None:
    """A misspelt layer must not pass for a check that found nothing."""
    status, verdict, _ = check("torch", tmp_path, "--fault", "layer:conv3d")
    assert status == CRASHED and verdict["sound"] is False and "layer:conv3d" in verdict["error"]


def test_theano_knows_the_processor_and_takes_the_precompiled_headers(tmp_path: Path) -> None:
    named = interpreter("theano")
    config = composed("backend=theano", *([f"backend.python={named}"] if named else [])).backend
    env = ensure(config, "cpu", print)
    ask = (
        "import json, theano; from theano.gof.cmodule import GCC_compiler as g;"
        "print(json.dumps([theano.config.cxx, g.compile_args()]))"
    )
    told = subprocess.run(
        [env.python, "-c", ask],
        capture_output=True,
        text=True,
        check=True,
        env=worker_variables(env, config, 1, "cpu"),
    ).stdout
    compiler, flags = json.loads(told.splitlines()[-1])
    assert any(flag.startswith("-march=") for flag in flags)
    source = tmp_path / "mod.cpp"
    source.write_text("int one() { return 1; }\n")
    # As theano.gof.cmodule.GCC_compiler.compile_str calls it.
    command = [compiler, "-shared", "-g", "-O3", "-fno-math-errno", *flags, "-fvisibility=hidden"]
    printed = subprocess.run(
        [*command, "-H", "-o", tmp_path / "mod.so", source],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    # "!" is a precompiled header that was taken, "x" one that was not.
    assert re.match(r"! .*theano_headers\.h\.gch", printed), printed
