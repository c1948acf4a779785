"""Values that cannot be run are refused in one line that names the key and the valid choices."""

import os
from pathlib import Path

import pytest

from experiments.errors import ConfigError
from tests.support.composing import composed, hydra

PLAIN = ("task=mnist_mlp", "backend=jax", "gpu=cpu", "data=synthetic", "profile=smoke")


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("epochs=0", "epochs=0: must be a whole number of at least 1 or auto"),
        ("epochs=1.5", "epochs=1.5"),
        ("epochs=true", "epochs=True"),
        ("epochs=[1,2]", "epochs=[1, 2]"),
        ("epochs=null", "epochs=None"),
        ("epochs=many", "epochs=many"),
        ("batch=-1", "batch=-1"),
        ("task.batch=0", "task.batch=0: must be a whole number of at least 1"),
        ("fraction=0", "fraction=0: must be above 0 and at most 1, or auto"),
        ("fraction=1.01", "fraction=1.01"),
        ("fraction=nan", "fraction=nan"),
        ("fraction=true", "fraction=True"),
        ("threads=0", "threads=0"),
        ("repetition=auto", "repetition=auto: must be a whole number of at least 1"),
        ("repetition=0", "repetition=0"),
        ("affinity=0", "affinity=0: must be a list of processor numbers"),
        ("affinity=[]", "affinity=[]"),
        ("affinity=[-1]", "affinity=[-1]"),
        ("affinity=[true]", "affinity=[True]"),
        ("affinity=[99999]", "this process may use processors"),
        ("profile.gates=tanh", "choose from task, hard_sigmoid, sigmoid"),
        ("profile.budget=huge", "has smoke, quick, full"),
        ("profile.repetitions=0", "profile.repetitions=0"),
        ("task.budgets.smoke.epochs=0", "task.budgets.smoke.epochs=0"),
        ("task.budgets.smoke.fraction=3", "task.budgets.smoke.fraction=3"),
        ("task.budgets.smoke.validation_fraction=0", "task.budgets.smoke.validation_fraction=0"),
        ("task.budgets.smoke.floor=nan", "task.budgets.smoke.floor=nan"),
        ("task.ngram_range=3", "choose 1 (words) or 2"),
        ("task.optimizer.learning_rate=0", "task.optimizer.learning_rate=0: must be above 0"),
        ("task.optimizer.learning_rate=null", "task.optimizer.learning_rate=None"),
        ("task.optimizer.learning_rate=inf", "task.optimizer.learning_rate=inf"),
        ("task.optimizer.learning_rate=true", "task.optimizer.learning_rate=True"),
        ("task.optimizer.name=lion", "choose from rmsprop, adadelta, adam, sgd"),
        ("task.quality.better=more", "choose higher or lower"),
        ("task.quality.metric=f1", "choose from loss, accuracy, val_loss, val_accuracy"),
        ("timeouts.epoch=0", "timeouts.epoch=0.0: must be above 0 seconds, or null for no limit"),
        ("timeouts.total=nan", "timeouts.total=nan"),
        ("timeouts.build=inf", "timeouts.build=inf"),
        ("gpu.kind=tpu", "choose from auto, cpu, gpu"),
        ("gpu.index=-1", "gpu.index=-1"),
        ("gpu.price_per_hour=-2", "gpu.price_per_hour=-2.0"),
        ("gpu.price_per_hour=nan", "gpu.price_per_hour=nan"),
        ("tracking.flush_seconds=0", "tracking.flush_seconds=0.0"),
        ("tracking.flush_seconds=nan", "tracking.flush_seconds=nan"),
        ("tracking.experiment=' '", "tracking.experiment is empty"),
        ("data=local", "say where the files are with data.dir=FOLDER"),
    ],
)
def test_refused_in_one_line(override: str, says: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        composed(*PLAIN, override)
    text = str(refusal.value)
    assert says in text and "\n" not in text and len(text) < 200


@pytest.mark.parametrize(
    "override",
    [
        "epochs=3",
        "batch=1",
        "fraction=1",
        "fraction=0.001",
        "threads=1",
        "affinity=null",
        "repetition=7",
        "timeouts.build=null",
        "timeouts.total=86400",
        "gpu.price_per_hour=0",
        "task.quality.target=0.5",
        "profile.gates=sigmoid",
        "tracking.required=false",
    ],
)
def test_taken(override: str) -> None:
    composed(*PLAIN, override)


def test_affinity_that_is_allowed() -> None:
    one = min(os.sched_getaffinity(0))
    assert composed(*PLAIN, f"affinity=[{one}]").affinity == [one]


def test_local_data_folder_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        composed(*PLAIN, "data=local", f"data.dir={tmp_path / 'nothing'}")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "files").mkdir()
    assert composed(*PLAIN, "data=local", "data.dir=files").data.dir == str(tmp_path / "files")


@pytest.mark.parametrize(
    "override",
    [
        "nothing=1",
        "task.nothing=1",
        "task.model.hiden=[1]",
        "backend.settings=3",
        "task.shuffle=maybe",
        "timeouts.epoch=soon",
        "gpu.memory_growth=perhaps",
    ],
)
def test_unknown_keys_and_wrong_types_are_refused_by_the_schema(override: str) -> None:
    with hydra() as compose, pytest.raises(Exception, match=r"(?i)overrid"):
        compose("config", [*PLAIN, override])


def test_overrides_reach_the_budget() -> None:
    config = composed(*PLAIN, "epochs=7", "fraction=0.5", "batch=3")
    budget = config.budget()
    assert (budget.epochs, budget.fraction, budget.validation_fraction) == (7, 0.5, 0.5)
    assert config.batch_size() == 3
    assert composed(*PLAIN).budget().epochs == 2
