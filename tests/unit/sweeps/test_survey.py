"""What can be measured here, asked before anything is."""

import copy
from typing import Any

import pytest

from experiments import environments
from experiments.config.schema import RunConfig
from experiments.environments import CheckResult, Needs
from experiments.errors import DataError, EngineUnsound, NotInstalled
from experiments.sweeps import survey
from experiments.sweeps.survey import Prospect
from tests.support.composing import composed
from tests.support.sweep_cells import CPU, DIGEST, cell


def test_data_that_cannot_be_had_refuse_their_cells_alone(config: RunConfig) -> None:
    other = copy.deepcopy(config)
    other.data.name = "official"
    asked: list[str] = []

    def digest(wanted: RunConfig) -> str | None:
        asked.append(wanted.data.name)
        if wanted.data.name == "official":
            raise DataError("not reachable")
        return DIGEST

    cells = [cell(config, 0), cell(other, 1), cell(config, 2), cell(other, 3)]
    found = survey.survey(cells, remote=False, digest=digest)
    assert asked == ["synthetic", "official"]  # once for each, failures too
    assert [prospect.refusal is None for prospect in found] == [True, False, True, False]
    assert found[0].protocol_id == found[2].protocol_id is not None


def test_a_missing_gpu_refuses_its_cell(config: RunConfig) -> None:
    missing = copy.deepcopy(config)
    missing.gpu.kind, missing.gpu.name, missing.gpu.device_name = "gpu", "k80", "No Such GPU 1"
    (found,) = survey.survey([cell(missing)], remote=False, digest=lambda _: DIGEST)
    assert found.refusal is not None
    assert found.refusal.state == "device_mismatch"
    (far,) = survey.survey([cell(missing)], remote=True, digest=lambda _: DIGEST)
    assert far.refusal is None


def test_a_backend_refused_as_a_whole_is_told_once(config: RunConfig) -> None:
    """One without any cell to measure; not one of which a task is refused, nor several reasons."""

    def prospect(backend: str, task: str, reason: str | None) -> Prospect:
        other = copy.deepcopy(config)
        other.backend.title, other.task.name = backend, task
        return Prospect(cell(other), refusal=NotInstalled(reason) if reason else None)

    prospects = [
        prospect("CNTK", "a", "no Python 3.6"),
        prospect("JAX", "a", None),
        prospect("Theano", "a", "no compiler"),
        prospect("CNTK", "b", "no Python 3.6"),
        prospect("JAX", "b", "no layer"),
        prospect("Theano", "b", "no layer"),
        prospect("Alone", "a", "no Python 3.6"),
    ]
    said: list[str] = []
    survey.tell_refusals(prospects, said.append)
    assert said == [
        "CNTK is not measured, all 2 cells are recorded as not_installed: no Python 3.6"
    ]
    assert [p.told for p in prospects] == [True, False, False, True, False, False, False]


def test_an_environment_is_checked_once_for_all_its_tasks(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def check(*arguments: Any, needs: Needs) -> CheckResult:
        asked.append(needs)
        wrong = "text_gen" in needs.tasks
        return CheckResult(not wrong, [], "wrong" if wrong else "", 0.0, False)

    monkeypatch.setattr(environments, "check", check)
    monkeypatch.setattr(environments, "ensure", lambda *_: None)
    prospects = [
        Prospect(cell(composed(f"task={task}", "backend=torch", "gpu=cpu")), CPU, 2)
        for task in ("mnist_mlp", "text_gen", "imdb_fasttext")
    ]
    survey.ready_environments(prospects, str)
    together, *each = asked
    assert together.tasks == ("mnist_mlp", "text_gen", "imdb_fasttext")
    assert set(together.cases) == {case for needs in each for case in needs.cases}
    assert [needs.tasks for needs in each] == [("mnist_mlp",), ("text_gen",), ("imdb_fasttext",)]
    refused = [type(prospect.refusal) for prospect in prospects]
    assert refused == [type(None), EngineUnsound, type(None)]
