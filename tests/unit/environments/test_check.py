"""Verdicts on engines: each case runs once and is kept while nothing changes."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.environments import Environment, Needs, check, soundness
from experiments.environments.needs import everything, of_run, union
from experiments.errors import ConfigError, NotInstalled
from tests.support.composing import composed, members
from tests.support.environment_files import Lines, backend, script

PASSED = {"name": "forward", "value": 1e-7, "limit": 1e-4, "passed": True, "seconds": 0.5}
WRONG = {"name": "forward", "value": 1.41, "limit": 1e-3, "passed": False, "seconds": 0.5}
NOT_A_NUMBER = {"name": "step", "value": "NaN", "limit": 1e-3, "passed": False, "seconds": 0.5}
MLP = Needs(("dense", "rmsprop"), ("mlp",))
TEXT = Needs(("dense", "lstm", "adam"), ("text",))

# Answers for the cases that it is asked for, as the self-check does, and keeps the job.
ENGINE = """#!{python}
import json, os, sys
folder = {folder!r}
job = json.load(open(sys.argv[3]))
variables = [os.environ[name] for name in ("KERAS_BACKEND", "OMP_NUM_THREADS")]
with open(folder + "/ran", "a") as ran:
    print(json.dumps([variables, sys.argv[1:3], job]), file=ran)
answers = json.load(open(folder + "/answers"))
checks = []
for case in job["cases"]:
    for check in answers.get(case, answers["*"]):
        checks.append(dict(check, case=case, name=case + "." + check["name"]))
sound = all(check["passed"] for check in checks)
with open(sys.argv[4], "w") as out:
    json.dump(dict(sound=sound, checks=checks, versions=dict(), seconds=2.5), out)
sys.exit(0 if sound else 1)
"""


class Engine:
    """An interpreter whose self-check answers what the test says, and notes what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = Environment(
            folder / "python", "key", "cpu", "venv", folder, {}, 0.0, "tiny"
        )
        self.answers()

    def answers(self, **cases: list[dict[str, object]]) -> None:
        """The checks of some cases; all others pass with one check."""
        (self.folder / "answers").write_text(json.dumps({"*": [PASSED], **cases}))
        program = self.folder / "python"
        program.write_text(ENGINE.format(python=sys.executable, folder=str(self.folder)))
        program.chmod(0o755)

    def breaks(self, shell: str) -> None:
        """From now on the self-check is this shell script."""
        script(self.folder / "python", f"echo '[]' >> {self.folder}/ran\n{shell}")

    @property
    def runs(self) -> list[list[object]]:
        ran = self.folder / "ran"
        return [json.loads(line) for line in ran.read_text().splitlines()] if ran.exists() else []

    @property
    def asked(self) -> list[list[str]]:
        """The cases of each run."""
        return [run[2]["cases"] for run in self.runs]  # type: ignore[index, call-overload]

    def check(self, needs: Needs | None = MLP, again: bool = False) -> soundness.CheckResult:
        return check(self.environment, backend("tiny"), 2, Lines(), again=again, needs=needs)


@pytest.fixture
def engine(tmp_path: Path, kbb_cache: Path) -> Engine:
    return Engine(tmp_path)


def test_sound_engine_is_checked_once(engine: Engine) -> None:
    say = Lines()
    first = check(engine.environment, backend("tiny"), 2, say, needs=MLP)
    assert (first.sound, first.cached, first.failed, first.seconds) == (True, False, [], 1.0)
    assert say[-2:] == [
        "tiny: checking its engine for mlp against reference results, once",
        "tiny: 2 checks for mlp passed in 0 s",
    ]
    ((variables, module, job),) = engine.runs
    assert (variables, module) == (["theano", "2"], ["-m", "experiments.worker.selfcheck"])
    assert (job["keras_backend"], job["keras_generation"], job["threads"]) == ("theano", 2, 2)
    assert job["device"]["kind"] == "cpu" and job["settings"] == {} and isinstance(job["seed"], int)
    second = check(engine.environment, backend("tiny"), 2, say, needs=MLP)
    assert (second.sound, second.cached, len(engine.runs), len(say)) == (True, True, 1, 2)
    assert second.message == "tiny: 2 checks for mlp passed in 1 s"


def test_a_new_task_runs_only_what_is_new_to_it(engine: Engine) -> None:
    say = Lines()
    engine.check(MLP)
    result = check(engine.environment, backend("tiny"), 2, say, needs=TEXT)
    assert engine.asked == [["dense", "rmsprop"], ["lstm", "adam"]]
    assert (result.cached, len(result.checks)) == (False, 3)
    assert say[-1] == "tiny: 2 more checks for text passed in 0 s (3 in all)"
    assert engine.check(union([MLP, TEXT])).cached and engine.check(MLP).cached
    assert len(engine.runs) == 2


def test_tasks_are_checked_together_in_one_run(engine: Engine) -> None:
    assert engine.check(union([MLP, TEXT])).sound
    assert engine.asked == [["dense", "rmsprop", "lstm", "adam"]]
    assert engine.check(MLP).cached and engine.check(TEXT).cached


def test_without_a_task_everything_is_checked(engine: Engine) -> None:
    engine.check(MLP)
    result = engine.check(None)
    assert set(engine.asked[1]) == set(everything(2).cases)
    assert result.message.startswith(f"tiny: {len(everything(2).cases)} checks passed in ")


@pytest.mark.parametrize("case", ["rmsprop", "lstm", "dense"])
def test_a_case_that_fails_makes_the_tasks_that_use_it_unsound(engine: Engine, case: str) -> None:
    engine.answers(**{case: [WRONG]})
    engine.check(union([MLP, TEXT]))
    for needs in (MLP, TEXT):
        result = engine.check(needs)
        assert result.sound == (case not in needs.cases) and result.cached
        assert bool(result.failed) == (case in needs.cases)


@pytest.mark.parametrize("broken", ["optimizer.adam", "network.cnn", "dense.softmax"])
def test_a_case_that_fails_makes_exactly_the_shipped_tasks_that_use_it_unsound(
    engine: Engine, broken: str
) -> None:
    engine.answers(**{broken: [WRONG]})
    users = {
        "optimizer.adam": {"imdb_bilstm", "imdb_fasttext"},
        "network.cnn": {"mnist_cnn", "cifar10_cnn"},
        "dense.softmax": {"mnist_mlp", "mnist_cnn", "cifar10_cnn", "text_gen"},
    }
    tasks = {name: of_run(composed(f"task={name}", "backend=theano")) for name in members("task")}
    engine.check(union(tasks.values()))
    unsound = {name for name, needs in tasks.items() if not engine.check(needs).sound}
    assert unsound == users[broken] and len(engine.runs) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: '{"schema": 2, "cases": []}',
        lambda text: text.replace('"schema": 2', '"schema": 1'),
        lambda text: text.replace("true", '"yes"'),
        lambda text: text.replace("0.5", "null"),
        lambda text: text.replace('"value"', '"figure"'),
    ],
)
def test_a_damaged_memory_is_ignored(engine: Engine, damage: object) -> None:
    engine.check()
    (memory,) = soundness.checks_folder().glob("*.json")
    memory.write_text(damage(memory.read_text()))  # type: ignore[operator]
    result = engine.check()
    assert result.sound and not result.cached and len(engine.runs) == 2
    assert engine.check().cached


@pytest.mark.parametrize(
    ("change", "threads"),
    [({}, 1), ({"settings": {"gated_gradients": False}}, 2), ({"variables": {"TF_X": "1"}}, 2)],
)
def test_what_decides_the_verdict_asks_for_another(
    engine: Engine, change: dict[str, object], threads: int
) -> None:
    engine.check()
    other = check(engine.environment, backend("tiny", **change), threads, Lines(), needs=MLP)
    assert not other.cached and len(engine.runs) == 2


def test_other_content_or_other_worker_source_asks_for_another(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.check()
    other = replace(engine.environment, key="other")
    assert not check(other, backend("tiny"), 2, Lines(), needs=MLP).cached
    monkeypatch.setattr(soundness, "source_digest", lambda: "edited")
    assert not engine.check().cached


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("engines/base.py", True),
        ("selfcheck/reference.py", True),
        ("models/mnist_mlp.py", False),
        ("fit.py", False),
    ],
)
def test_the_source_of_engines_and_checks_counts(
    file: str, counts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "experiments" / "worker" / file
    source.parent.mkdir(parents=True)
    source.write_text("one")
    monkeypatch.setattr(soundness, "project_root", lambda: tmp_path)
    before = soundness.source_digest()
    assert soundness.source_digest() == before
    source.write_text("two")
    assert (soundness.source_digest() != before) == counts


def test_unsound_engine_is_told_by_figure_and_layer_and_kept(engine: Engine) -> None:
    engine.answers(dense=[PASSED, WRONG], rmsprop=[NOT_A_NUMBER])
    result = engine.check()
    assert not result.sound
    assert result.failed == [
        "dense.forward is 1.41, limit 0.001",
        "rmsprop.step is NaN, limit 0.001",
    ]
    told = "tiny: its engine is unsound for mlp: dense.forward is 1.41, limit 0.001"
    assert result.message == f"{told} and 1 more of 3 checks"
    assert engine.check().cached
    engine.answers()
    assert engine.check().message == result.message, "the kept verdict stands"
    mended = engine.check(again=True)
    assert mended.sound and not mended.cached and engine.check().sound


def test_checking_again_keeps_other_cases(engine: Engine) -> None:
    engine.check(TEXT)
    engine.check(MLP, again=True)
    assert engine.asked[1] == ["dense", "rmsprop"]
    assert engine.check(TEXT).cached


def test_what_no_case_covers_is_refused_without_a_run(engine: Engine) -> None:
    result = engine.check(Needs(("dense",), ("new",), ("layers.GRU", "loss poisson")))
    assert not result.sound and engine.runs == []
    assert result.message == "tiny: no check covers layers.GRU, loss poisson, used by new"


def test_a_model_that_cannot_be_built_is_one_line() -> None:
    config = composed("task=mnist_mlp")
    del config.task.model["hidden"]
    with pytest.raises(ConfigError, match="task.model of mnist_mlp: it cannot be built: KeyError"):
        of_run(config)


def test_a_case_without_an_answer_is_no_verdict(engine: Engine) -> None:
    engine.answers(rmsprop=[])
    for _ in range(2):
        result = engine.check()
        assert not result.sound and "ended badly" in result.message
    assert len(engine.runs) == 2


@pytest.mark.parametrize(
    ("shell", "told"),
    [
        ("echo 'ImportError: no libmpi.so.12'; exit 2", "ImportError: no libmpi.so.12"),
        (
            "echo an error that was no end; kill -SEGV $$",
            "killed by SIGSEGV after: an error that was no end",
        ),
        ("exit 0", "ended badly: exit status 0"),
    ],
)
def test_check_that_crashes_is_unsound_with_its_reason_and_tried_again(
    engine: Engine, shell: str, told: str
) -> None:
    engine.breaks(shell)
    for _ in range(2):
        result = engine.check()
        assert (result.sound, result.cached) == (False, False)
        assert told in result.message and "\n" not in result.message
    assert len(engine.runs) == 2


def test_a_crash_leaves_what_was_known(engine: Engine) -> None:
    engine.check(MLP)
    engine.breaks("exit 2")
    assert not engine.check(TEXT).sound
    assert engine.check(MLP).sound and engine.check(MLP).cached


def test_check_that_hangs_is_ended(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.breaks("exec sleep 60")
    monkeypatch.setattr(soundness, "_LIMIT_SECONDS", 0.3)
    result = engine.check()
    assert not result.sound and "not finished after 0 s" in result.message
    assert not list(soundness.checks_folder().glob(".tiny*")), "nothing is left beside the verdicts"


def test_cache_that_cannot_be_written_is_told(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KBB_CACHE", str(tmp_path / "file"))
    with pytest.raises(NotInstalled, match="set KBB_CACHE"):
        engine.check()
