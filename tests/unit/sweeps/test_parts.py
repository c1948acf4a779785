"""The parts of a sweep that decide without running anything: grid, order, what is finished,
estimates, records.
"""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import environments
from experiments.config import identity
from experiments.config.schema import RunConfig
from experiments.environments import CheckResult, Needs
from experiments.errors import ConfigError, DataError, EngineUnsound, NotInstalled, UserError
from experiments.journal import journal
from experiments.runs.device import Device
from experiments.sweeps import backlog, grid, records, results, survey
from experiments.sweeps.finished import Ledger, Past, from_journal, same_cell
from experiments.sweeps.grid import Cell, Job
from experiments.sweeps.launched import kinds
from experiments.sweeps.plan import GUESS, SAME, SIMILAR, Estimator
from experiments.sweeps.results import Result
from experiments.sweeps.survey import Prospect
from tests.support.composing import composed
from tests.support.journals import complete_journal

CPU = Device("cpu", "Test CPU 9000", None, None, "as asked")
DIGEST = "0123456789abcdef"


@pytest.fixture(scope="module")
def config() -> RunConfig:
    return composed("task=mnist_mlp", "backend=torch", "profile=smoke", "gpu=cpu", "data=synthetic")


def cell(config: RunConfig, index: int = 0, repetitions: int = 3) -> Cell:
    return Cell(index, (f"seed={index}",), config, repetitions, f"cell {index}")


def past(config: RunConfig, **changes: Any) -> Past:
    found = Past(
        config.task.name,
        config.backend.name,
        config.gpu.name,
        CPU.name,
        identity.protocol_id(config, DIGEST, 2),
        1,
        2,
        {"setting.jit_compile": "false"},
        "finished",
        None,
        "sweep",
        None,
        (0.02, 2),
        {"total_seconds": 40.0, "steady_epoch_seconds": 5.0},
    )
    return replace(found, **changes)


# --- order ----------------------------------------------------------------------------------------


@given(counts=st.lists(st.integers(1, 5), min_size=1, max_size=12), seed=st.integers(0, 2**32 - 1))
def test_a_block_has_every_cell_once(counts: list[int], seed: int) -> None:
    cells = [cell(RunConfig(), index, count) for index, count in enumerate(counts)]
    blocks = grid.blocks(cells, seed)
    assert len(blocks) == max(counts)
    for number, block in enumerate(blocks, start=1):
        assert {job.repetition for job in block} == {number}
        assert sorted(job.cell.index for job in block) == [
            c.index for c in cells if c.repetitions >= number
        ]


def test_the_stored_seed_gives_the_order_again_and_another_seed_another() -> None:
    cells = [cell(RunConfig(), index) for index in range(12)]
    first, again, other = grid.blocks(cells, 7), grid.blocks(cells, 7), grid.blocks(cells, 8)
    assert first == again
    assert first != other
    assert [job.cell.index for job in first[0]] != [job.cell.index for job in first[1]]
    assert [job.cell.index for job in first[0]] != list(range(12))


def test_more_repetitions_leave_earlier_blocks_as_they_were() -> None:
    few = grid.blocks([cell(RunConfig(), index, 2) for index in range(8)], 3)
    many = grid.blocks([cell(RunConfig(), index, 5) for index in range(8)], 3)
    assert [[job.cell.index for job in block] for block in few] == [
        [j.cell.index for j in b] for b in many[:2]
    ]


def test_a_job_is_its_cell_in_its_block(config: RunConfig) -> None:
    job = Job(cell(config, index=4), 2)
    made = job.config("sweep-1")
    assert (made.repetition, made.sweep.id, made.sweep.block, made.sweep.cell) == (
        2,
        "sweep-1",
        2,
        "004",
    )
    assert config.repetition == 1
    assert "sweep.cell='004'" in job.overrides("sweep-1")


# --- what is finished -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"state": "diverged"}, True),
        ({"backend": "jax"}, False),
        ({"task": "mnist_cnn"}, False),
        ({"device_name": "Another CPU"}, False),
        ({"device_name": "Maker Test CPU 9000"}, True),  # as an engine may spell it
        ({"device_name": None}, False),
        ({"protocol_id": "ffffffffffff"}, False),
        ({"protocol_id": None}, False),
        ({"settings": {"setting.jit_compile": "true"}}, False),
    ],
)
def test_only_the_same_work_on_the_same_device_counts(
    config: RunConfig, changes: dict[str, Any], expected: bool
) -> None:
    assert same_cell(Prospect(cell(config), CPU, 2, DIGEST), past(config, **changes)) is expected


def test_other_threads_or_data_are_other_work(config: RunConfig) -> None:
    assert not same_cell(Prospect(cell(config), CPU, 1, DIGEST), past(config))
    assert not same_cell(Prospect(cell(config), CPU, 2, "f" * 16), past(config))
    assert not same_cell(Prospect(cell(config), CPU, 2, None), past(config))


def test_on_a_cluster_device_and_automatic_threads_are_the_node_s(config: RunConfig) -> None:
    prospect = Prospect(cell(config), device=None, threads=None, data_digest=DIGEST)
    assert same_cell(prospect, past(config, device_name="Some node's CPU"))
    assert not same_cell(prospect, past(config, gpu="v100"))
    fixed = Prospect(cell(config), device=None, threads=4, data_digest=DIGEST)
    assert not same_cell(fixed, past(config))


def test_journals_stand_in_where_there_is_no_store(tmp_path: Path, config: RunConfig) -> None:
    work = {"protocol_id": identity.protocol_id(config, DIGEST, 2)}
    path = complete_journal(tmp_path / "one", backend="torch", repetition=2)
    text = (
        path.read_text()
        .replace("0123456789ab", work["protocol_id"])
        .replace('"device_name": "c"', f'"device_name": "{CPU.name}"')
    )
    params = '"params": {"setting.jit_compile": false, "run.threads": 2'
    path.write_text(text.replace('"params": {"hp.optimizer.learning_rate": 0.001', params))
    complete_journal(tmp_path / "two", "b" * 32, end=False, backend="torch")
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / journal.FILE_NAME).write_text("torn")
    ledger = Ledger(None, tmp_path)
    prospect = Prospect(cell(config), CPU, 2, DIGEST)
    assert ledger.finished(prospect, 1) is None
    found = ledger.finished(prospect, 2)
    assert found is not None
    assert found.figures["steady_train_seconds"] == 2.0
    assert Ledger(None, tmp_path, only_sweep="another").finished(prospect, 2) is None


def test_a_journal_without_an_end_is_not_complete(tmp_path: Path) -> None:
    found = from_journal(journal.read(complete_journal(tmp_path, end=False)))
    assert found is not None
    assert found.state is None
    assert not found.complete


# --- estimates ------------------------------------------------------------------------------------


class Kept(Ledger):
    """A ledger that holds given runs."""

    def __init__(self, runs: list[Past]) -> None:
        super().__init__(None, Path())
        self._known[""] = runs


def test_estimates_prefer_the_same_cell_then_the_same_task_then_say_that_they_guess(
    config: RunConfig,
) -> None:
    prospect = Prospect(cell(config), CPU, 2, DIGEST)
    assert Estimator(Kept([past(config)])).seconds(prospect) == (40.0, SAME)
    half = past(
        config, protocol_id="f" * 12, share=(0.01, 2)
    )  # half the data: 30 s of start, then 2 x 10 s
    assert Estimator(Kept([half])).seconds(prospect) == (pytest.approx(30 + 2 * 10), SIMILAR)
    foreign = past(config, backend="jax", share=(0.02, 1))
    assert Estimator(Kept([foreign])).seconds(prospect) == (pytest.approx(35 + 2 * 5), SIMILAR)
    assert Estimator(Kept([past(config, state="failed")])).seconds(prospect)[1] == GUESS


def test_estimates_learn_from_the_sweep_itself(config: RunConfig) -> None:
    estimator = Estimator(Kept([past(config)]))
    for seconds in (10.0, 14.0, 100.0):
        estimator.learn("000", seconds)
    prospect = Prospect(cell(config), CPU, 2, DIGEST)
    assert estimator.seconds(prospect) == (14.0, SAME)
    assert estimator.total([Job(prospect.cell, 1), Job(prospect.cell, 2)], [prospect]) == 28.0


# --- survey ---------------------------------------------------------------------------------------


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


# --- records and claims ---------------------------------------------------------------------------


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KBB_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def test_the_same_grid_goes_on_and_another_does_not(runs: Path) -> None:
    cells = [cell(RunConfig(), index) for index in range(3)]
    key = records.fingerprint(cells, "store", force=False)
    assert records.fingerprint(list(reversed(cells)), "store", force=False) == key
    assert records.fingerprint(cells[:2], "store", force=False) != key
    assert records.fingerprint(cells, "another store", force=False) != key
    assert (
        records.fingerprint([replace(c, repetitions=4) for c in cells], "store", force=False) != key
    )
    assert records.to_continue(key, force=False) is None
    record = records.start(cells, key, "store", ["sweep.py"])
    assert records.to_continue(key, force=False) == record
    record.ended = True
    record.save()
    assert records.to_continue(key, force=False) == record
    assert records.to_continue(key, force=True) is None  # measured to its end: force starts anew


def test_a_torn_record_is_no_record(runs: Path) -> None:
    record = records.start([], "f", "store", [])
    path = record.folder / records.FILE_NAME
    path.write_text(path.read_text()[:40])
    assert records.latest("f") is None


def test_the_same_sweep_twice_at_once_is_refused(runs: Path) -> None:
    with records.held("f"):
        with (
            pytest.raises(UserError, match="already running in another process"),
            records.held("f"),
        ):
            pass
        with records.held("another"):
            pass
    with records.held("f"):
        pass


def test_a_cell_is_claimed_once_whatever_the_grid(runs: Path, config: RunConfig) -> None:
    mine = Prospect(cell(config, 0), CPU, 2, DIGEST)
    theirs = Prospect(cell(config, 5), CPU, 2, DIGEST)
    claim = records.claim_cell(mine, 1, "store", wait=False)
    assert claim is not None
    assert records.claim_cell(theirs, 1, "store", wait=False) is None
    for stack in (
        records.claim_cell(theirs, 2, "store", wait=False),
        records.claim_cell(theirs, 1, "elsewhere", wait=False),
    ):
        assert stack is not None
        stack.close()
    claim.close()
    again = records.claim_cell(theirs, 1, "store", wait=False)
    assert again is not None
    again.close()


# --- backlog --------------------------------------------------------------------------------------


def test_only_journals_of_this_store_wait_for_it(runs: Path) -> None:
    complete_journal(runs / "dead-parent", "1" * 32)
    complete_journal(runs / "whole", "2" * 32)
    (runs / "whole" / "ingested.json").write_text(
        json.dumps({"uri": "sqlite:///x", "run_id": "r", "complete": True})
    )
    complete_journal(runs / "elsewhere", "3" * 32)
    (runs / "elsewhere" / "ingested.json").write_text(
        json.dumps({"uri": "http://other", "run_id": "r"})
    )
    complete_journal(runs / "experiment", "4" * 32, experiment="another")
    record = records.start([], "f", records.store_key("http://other"), [])
    complete_journal(runs / "others-sweep", "5" * 32, sweep_id=record.id)
    found = [path.parent.name for path in backlog.waiting("sqlite:///x", "keras-backend-benchmark")]
    assert found == ["dead-parent"]


# --- launchers ------------------------------------------------------------------------------------


def launching(**node: Any) -> kinds.Launching:
    from omegaconf import OmegaConf

    return kinds.launching(OmegaConf.create({"hydra": {"launcher": node}}))


@pytest.mark.parametrize(
    ("node", "name", "remote", "parallel"),
    [
        (
            {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"},
            "basic",
            False,
            1,
        ),
        ({"_target_": "x.JoblibLauncher", "n_jobs": 3}, "joblib", False, 3),
        ({"_target_": "x.SlurmLauncher"}, "slurm", True, None),
        (
            {
                "_target_": "x.RayLauncher",
                "ray": {"init": {"address": None, "num_cpus": 4}, "remote": {"num_cpus": 2}},
            },
            "ray",
            False,
            2,
        ),
        (
            {"_target_": "x.RayLauncher", "ray": {"init": {"address": "auto"}, "remote": {}}},
            "ray",
            True,
            None,
        ),
    ],
)
def test_what_a_launcher_means(
    node: dict[str, Any], name: str, remote: bool, parallel: int | None
) -> None:
    found = launching(**node)
    assert (found.name, found.remote, found.parallel) == (name, remote, parallel)


def test_crowding_one_device_is_refused_with_the_way_out(config: RunConfig) -> None:
    cells = [cell(config, 0), cell(config, 1)]
    two = launching(_target_="x.JoblibLauncher", n_jobs=2)
    with pytest.raises(
        ConfigError, match=r"2 runs at once on cpu.*hydra.launcher.n_jobs=1.*allow_sharing=true"
    ):
        kinds.refuse_crowding(two, cells, sharing=False)
    kinds.refuse_crowding(two, cells, sharing=True)
    kinds.refuse_crowding(
        two, [cell(config, 0, repetitions=1)], sharing=False
    )  # one run crowds nothing
    kinds.refuse_crowding(launching(_target_="x.JoblibLauncher", n_jobs=1), cells, sharing=False)
    kinds.refuse_crowding(launching(_target_="x.SlurmLauncher"), cells, sharing=False)


# --- results --------------------------------------------------------------------------------------


def test_the_table_counts_what_is_finished_failed_and_left() -> None:
    cells = [cell(RunConfig(), 0), cell(RunConfig(), 1)]
    good = {"steady_train_seconds": 2.0, "last_val_accuracy": 0.9}
    ended = {
        ("000", 1): Result("finished", None, good, earlier=True),
        ("000", 2): Result("finished", None, {**good, "steady_train_seconds": 4.0}),
        ("001", 1): Result("timeout", "timeouts.epoch=2 s passed"),
        ("001", 2): Result("diverged", None, {"last_val_loss": 7.0}),
    }
    assert results.counts(cells, ended) == (3, 1, 2)
    assert results.rows(cells, ended) == [
        ("cell 0", "2 (1 before)", "0", "1", "3", "0.9000", ""),
        ("cell 1", "1", "1", "1", "–", "7.0000", "diverged, timeout"),
    ]
    assert results.markdown(cells, ended).count("\n") == 4
