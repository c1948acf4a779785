"""Verdicts on engines: run once, kept while nothing changes, never kept where there was none."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.environments import Environment, check, soundness
from experiments.errors import NotInstalled
from tests.support.environment_files import Lines, backend, script

PASSED = {"name": "dense/forward", "value": 1e-7, "limit": 1e-4, "passed": True, "seconds": 0.1}
WRONG = {"name": "lstm/forward", "value": 1.41, "limit": 1e-3, "passed": False, "seconds": 0.2}
NOT_A_NUMBER = {"name": "sgd/step", "value": "NaN", "limit": 1e-3, "passed": False, "seconds": 0.2}


class Engine:
    """An interpreter whose self-check writes what the test says, and counts how often it ran."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ran = folder / "ran"
        self.environment = Environment(
            folder / "python", "key", "cpu", "venv", folder, {}, 0.0, "tiny"
        )

    def answers(self, *checks: object, status: int = 0, before: str = "") -> None:
        sound = status == 0
        verdict = json.dumps(
            {"sound": sound, "checks": list(checks), "versions": {}, "seconds": 2.5}
        )
        script(
            self.folder / "python",
            f'echo "$KERAS_BACKEND $OMP_NUM_THREADS $2" >> {self.ran}\ncp "$3" {self.folder}/job\n{before}\n'
            f"cat > \"$4\" <<'X'\n{verdict}\nX\nexit {status}",
        )

    @property
    def times(self) -> int:
        return len(self.ran.read_text().splitlines()) if self.ran.exists() else 0


@pytest.fixture
def engine(tmp_path: Path, kbb_cache: Path) -> Engine:
    return Engine(tmp_path)


def test_sound_engine_is_checked_once(engine: Engine) -> None:
    engine.answers(PASSED)
    say = Lines()
    first = check(engine.environment, backend("tiny"), 2, say)
    assert (first.sound, first.cached, first.failed, first.seconds) == (True, False, [], 2.5)
    assert say[-1] == "tiny: its engine is sound, 1 checks passed in 2 s"
    assert engine.ran.read_text() == "theano 2 experiments.worker.selfcheck\n"
    job = json.loads((engine.folder / "job").read_text())
    assert (job["keras_backend"], job["keras_generation"], job["threads"]) == ("theano", 2, 2)
    assert job["device"]["kind"] == "cpu" and job["settings"] == {} and isinstance(job["seed"], int)
    second = check(engine.environment, backend("tiny"), 2, say)
    assert (second.sound, second.cached, engine.times) == (True, True, 1)


@pytest.mark.parametrize(
    ("change", "threads"),
    [({}, 1), ({"settings": {"gated_gradients": False}}, 2), ({"variables": {"TF_X": "1"}}, 2)],
)
def test_what_decides_the_verdict_asks_for_another(
    engine: Engine, change: dict[str, object], threads: int
) -> None:
    engine.answers(PASSED)
    check(engine.environment, backend("tiny"), 2, Lines())
    assert not check(engine.environment, backend("tiny", **change), threads, Lines()).cached
    assert engine.times == 2


def test_other_content_or_other_worker_source_asks_for_another(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.answers(PASSED)
    check(engine.environment, backend("tiny"), 2, Lines())
    assert not check(replace(engine.environment, key="other"), backend("tiny"), 2, Lines()).cached
    monkeypatch.setattr(soundness, "worker_digest", lambda: "edited")
    assert not check(engine.environment, backend("tiny"), 2, Lines()).cached


def test_worker_digest_follows_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "experiments" / "worker" / "fit.py"
    source.parent.mkdir(parents=True)
    source.write_text("one")
    monkeypatch.setattr(soundness, "project_root", lambda: tmp_path)
    before = soundness.worker_digest()
    assert soundness.worker_digest() == before
    source.write_text("two")
    assert soundness.worker_digest() != before


def test_unsound_engine_is_told_by_figure_and_layer_and_kept(engine: Engine) -> None:
    engine.answers(PASSED, WRONG, NOT_A_NUMBER, status=1)
    result = check(engine.environment, backend("tiny"), 2, Lines())
    assert not result.sound
    assert result.failed == ["lstm/forward is 1.41, limit 0.001", "sgd/step is NaN, limit 0.001"]
    told = "tiny: its engine is unsound: lstm/forward is 1.41, limit 0.001 and 1 more of 3 checks"
    assert result.message == told
    assert check(engine.environment, backend("tiny"), 2, Lines()).cached
    assert not check(engine.environment, backend("tiny"), 2, Lines(), again=True).cached


def test_verdict_that_contradicts_its_checks_is_unsound(engine: Engine) -> None:
    engine.answers(PASSED, WRONG, status=0)
    assert not check(engine.environment, backend("tiny"), 2, Lines()).sound


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("echo 'ImportError: no libmpi.so.12'; exit 2", "ImportError: no libmpi.so.12"),
        (
            "echo an error that was no end; kill -SEGV $$",
            "ended by SIGSEGV after: an error that was no end",
        ),
        ("exit 0", "ended badly: exit status 0"),
    ],
)
def test_check_that_crashes_is_unsound_with_its_reason_and_tried_again(
    engine: Engine, before: str, told: str
) -> None:
    engine.answers(PASSED, before=before)
    for _ in range(2):
        result = check(engine.environment, backend("tiny"), 2, Lines())
        assert (result.sound, result.cached) == (False, False)
        assert told in result.message and "\n" not in result.message
    assert engine.times == 2


def test_check_that_hangs_is_ended(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.answers(PASSED, before="exec sleep 60")
    monkeypatch.setattr(soundness, "_LIMIT_SECONDS", 0.3)
    result = check(engine.environment, backend("tiny"), 2, Lines())
    assert not result.sound and "not done after 0 s" in result.message
    assert not list(soundness.checks_folder().glob(".tiny*")), "nothing is left beside the verdicts"


def test_cache_that_cannot_be_written_is_told(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KBB_CACHE", str(tmp_path / "file"))
    with pytest.raises(NotInstalled, match="set KBB_CACHE"):
        check(engine.environment, backend("tiny"), 2, Lines())
