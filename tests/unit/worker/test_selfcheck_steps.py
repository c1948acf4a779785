"""The optimizers' reference steps are right, a forgotten state shows, a report is honest.

NumPy only; no engine is needed.
"""

import json
import math

import numpy as np
import pytest

from experiments.worker.selfcheck import __main__ as command
from experiments.worker.selfcheck import differences, optimizers, steps
from experiments.worker.selfcheck.faults import Fault
from experiments.worker.selfcheck.report import Report

# ---- optimizers ----------------------------------------------------------------------------------


def test_first_steps_have_their_closed_forms():
    slope = np.array([0.3, -2.0])
    sgd, rmsprop, adadelta, adam = (dict(s, decay=0.0) for s in optimizers.SPECIFICATIONS)

    def moved(specification):
        return steps.ReferenceOptimizer(specification).step(np.zeros(2), slope)

    np.testing.assert_allclose(moved(rmsprop), -0.001 * np.sign(slope) / math.sqrt(0.1), rtol=1e-6)
    np.testing.assert_allclose(
        moved(adadelta), -slope * 1e-4 / np.sqrt(0.05 * slope**2 + 1e-8), rtol=1e-12
    )
    np.testing.assert_allclose(moved(adam), -0.001 * np.sign(slope), rtol=1e-5)
    np.testing.assert_allclose(moved(sgd), -0.01 * slope)


def test_adam_is_the_algorithm_of_the_paper():
    specification = {
        "name": "adam",
        "learning_rate": 0.01,
        "beta_1": 0.9,
        "beta_2": 0.99,
        "epsilon": 0.0,
    }
    optimizer = steps.ReferenceOptimizer(specification)
    weight, theta = np.array([1.0]), 1.0
    m = v = 0.0
    for t in range(1, 6):
        g = math.sin(t) + theta
        weight = optimizer.step(weight, np.array([g]))
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        theta -= 0.01 * (m / (1 - 0.9**t)) / math.sqrt(v / (1 - 0.99**t))
        assert weight[0] == pytest.approx(theta, rel=1e-12)


def test_decay_divides_the_rate_from_the_second_step_on():
    optimizer = steps.ReferenceOptimizer({"name": "sgd", "learning_rate": 1.0, "decay": 0.5})
    weight = np.zeros(1)
    for expected in (-1.0, -1.0 - 1 / 1.5, -1.0 - 1 / 1.5 - 1 / 2.0):
        weight = optimizer.step(weight, np.ones(1))
        assert weight[0] == pytest.approx(expected)


def _faulty(specification, change, monkeypatch):
    """How far the weights are from the right ones after the last step under a fault."""
    right = optimizers.expected(specification)[-1]
    with monkeypatch.context() as patch:
        change(patch)
        wrong = optimizers.expected(specification)[-1]
    first = optimizers.start()
    return max(
        differences.relative_error(w - f, r - f)
        for w, r, f in zip(wrong, right, first, strict=True)
    )


@pytest.mark.parametrize(
    "specification",
    [s for s in optimizers.SPECIFICATIONS if s["name"] != "sgd"],
    ids=lambda s: s["name"],
)
def test_steps_that_forget_their_state_would_be_seen(specification, monkeypatch):
    def forget(patch):
        patch.setattr(
            steps.ReferenceOptimizer,
            "_average",
            lambda self, name, share, value: (1 - share) * value,
        )

    assert _faulty(specification, forget, monkeypatch) > 10 * optimizers.LIMIT


@pytest.mark.parametrize(
    "specification",
    [s for s in optimizers.SPECIFICATIONS if s["decay"]],
    ids=lambda s: s["name"],
)
def test_a_forgotten_decay_would_be_seen(specification):
    right, wrong = (
        optimizers.expected(dict(specification, decay=decay))[-1][1]
        for decay in (specification["decay"], 0.0)
    )
    first = optimizers.start()[1]
    assert differences.relative_error(wrong - first, right - first) > 10 * optimizers.LIMIT


def test_unseen_words_stay_and_momentum_moves_a_word_seen_before():
    _, rmsprop, _, adam = optimizers.SPECIFICATIONS
    for specification in (rmsprop, adam):
        path = [weights[0] for weights in optimizers.expected(specification)]
        np.testing.assert_array_equal(path[-1][3], optimizers.start()[0][3])
        assert bool((path[1][2] != path[0][2]).all()) == (specification is adam)


@pytest.mark.parametrize("specification", optimizers.SPECIFICATIONS, ids=lambda s: s["name"])
def test_no_gradient_comes_near_zero(specification):
    """There the sign of a step would hang on a rounding error."""
    path = [optimizers.start(), *optimizers.expected(specification)]
    for before, after in zip(path, path[1:], strict=False):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            change = np.abs(new - old)[:2] if number == 0 else np.abs(new - old)
            assert change.min() > 0.05 * change.max()


# ---- report and command --------------------------------------------------------------------------


def test_report_fails_on_nan_and_writes_strict_json(tmp_path, capsys):
    report = Report()
    assert not report.sound  # nothing checked is not sound
    assert report.check("one", 1e-6, 1e-5, "a")
    assert report.sound
    assert not report.check("two", float("nan"), 1e-5, "a")
    assert not report.check("three", float("inf"), 1e-5, "b")
    report.facts["versions"] = {"keras": "2.1.6"}
    report.write(str(tmp_path / "out.json"))
    result = json.loads((tmp_path / "out.json").read_text(), parse_constant=pytest.fail)
    assert [check["value"] for check in result["checks"]] == [1e-6, "NaN", "Infinity"]
    assert [check["passed"] for check in result["checks"]] == [True, False, False]
    assert (
        result["sound"] is False
        and result["versions"] == {"keras": "2.1.6"}
        and result["seconds"] >= 0
    )
    assert set(result["checks"][0]) == {"name", "case", "value", "limit", "passed", "seconds"}
    assert list(tmp_path.iterdir()) == [tmp_path / "out.json"]
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "ok",
        "WRONG",
        "WRONG",
    ]


def test_a_crash_is_told_apart_and_leaves_a_reason(tmp_path, capsys):
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"keras_backend": "abacus", "keras_generation": 2, "seed": 1}))
    assert command.main([str(job), str(tmp_path / "out.json")]) == command.CRASHED
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["sound"] is False and "abacus" in result["error"] and "\n" not in result["error"]
    assert "Traceback" in capsys.readouterr().err


def test_unknown_faults_are_refused(tmp_path):
    with pytest.raises(ValueError, match="overtaking_updates"):
        Fault("moonlight")
    job = tmp_path / "job.json"
    job.write_text("{}")
    assert (
        command.main([str(job), str(tmp_path / "out.json"), "--fault", "moonlight"])
        == command.CRASHED
    )


def test_without_a_name_nothing_is_injected():
    fault, marker, specification = Fault(), object(), {"name": "adam", "learning_rate": 1.0}
    assert fault.layer(None, "dense.relu", marker) is marker
    assert fault.loss(None, "binary_crossentropy") == "binary_crossentropy"
    assert (
        fault.optimizer(specification) is specification
        and fault.learning("cnn", specification) is specification
    )
    assert fault.injected == 0
