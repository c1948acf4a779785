"""Two selections side by side: what is paired, what is judged, and what fails."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from analysis.store import read
from analysis.store.select import choose, parse, percentage
from analysis.tables.pairs import (
    BROKEN,
    FASTER,
    FEW,
    MEASURES,
    OTHER_WORK,
    SLOWER,
    TIE,
    Result,
    compare,
    lines,
)
from experiments import names
from experiments.errors import ConfigError
from tests.support.planted import Planted, run

Make = Callable[..., str]
pytestmark = pytest.mark.usefixtures("kbb_cache")


@pytest.fixture
def judge(planted_store: Make) -> Callable[..., Result]:
    def make(runs: Sequence[Planted], first: str, second: str, **options: Any) -> Result:
        frame = read.read(planted_store(runs)).frame
        return compare(frame, parse(first), parse(second), names_=(first, second), **options)

    return make


def five(
    backend: str, seconds: float, task: str = "mnist_mlp", count: int = 5, **changes: Any
) -> list[Planted]:
    return [
        run(task, backend, seconds=seconds * (1 + 0.01 * (n - 2)), repetition=n + 1, **changes)
        for n in range(count)
    ]


def test_backends_are_paired_by_task_and_device(judge: Callable[..., Result]) -> None:
    runs = [
        *five("jax", 0.5),
        *five("torch", 1.0),
        *five("jax", 6.0, "mnist_cnn"),
        *five("torch", 6.0, "mnist_cnn"),
        *five("torch", 9.0, "text_gen"),
    ]
    result = judge(runs, "backend=jax", "backend=torch")
    assert [(pair.cell, pair.verdict) for pair in result.pairs] == [
        ("mnist_cnn · Planted 9000 · planted-host", TIE),
        ("mnist_mlp · Planted 9000 · planted-host", SLOWER),
    ]
    assert result.pairs[1].ratio == pytest.approx(2.0)
    assert result.pairs[1].slower_by(0.05)
    assert not result.pairs[0].slower_by(0.0)


def test_commits_are_paired_by_everything_else(judge: Callable[..., Result]) -> None:
    runs = [
        *five("jax", 0.5, tags={names.TAG_COMMIT: "aaaa111"}),
        *five("jax", 0.53, tags={names.TAG_COMMIT: "bbbb222"}),
    ]
    (pair,) = judge(runs, "commit=aaaa", "commit=bbbb").pairs
    assert pair.verdict == SLOWER
    assert (pair.slower_by(0.05), pair.slower_by(0.07)) == (True, False)
    (back,) = judge(runs, "commit=bbbb", "commit=aaaa").pairs
    assert back.verdict == FASTER
    assert not back.slower_by(0.0)


def test_devices_and_sweeps_can_be_set_against_each_other(judge: Callable[..., Result]) -> None:
    gpu = {"device": "NVIDIA H200", "kind": "gpu", "host": "elsewhere"}
    runs = [*five("jax", 6.0, sweep="s1"), *five("jax", 0.5, sweep="s2", **gpu)]
    (pair,) = judge(runs, "device=Planted", "device=h200").pairs
    assert pair.verdict == FASTER
    (pair,) = judge(
        [*five("jax", 1.0, sweep="s1"), *five("jax", 1.0, sweep="s2")], "sweep=s1", "sweep=s2"
    ).pairs
    assert pair.verdict == TIE


def test_other_work_is_named_and_not_divided(judge: Callable[..., Result]) -> None:
    runs = [*five("jax", 0.5), *five("jax", 5.0, profile="published", epochs=9)]
    (pair,) = judge(runs, "profile=quick", "profile=published").pairs
    assert (pair.verdict, pair.ratio) == (OTHER_WORK, None)
    (pair,) = judge(
        [*five("jax", 0.5), *five("jax", 5.0, "mnist_cnn")], "task=mnist_mlp", "task=mnist_cnn"
    ).pairs
    assert pair.verdict == OTHER_WORK, "two tasks are never one work"


def test_generations_are_divided_in_training_time_and_not_in_validation(
    judge: Callable[..., Result],
) -> None:
    runs = [*five("jax", 0.5), *five("theano", 1.0)]
    (pair,) = judge(runs, "backend=jax", "backend=theano").pairs
    assert pair.ratio == pytest.approx(2.0)
    (pair,) = judge(runs, "backend=jax", "backend=theano", measure=MEASURES["validation"]).pairs
    assert (pair.verdict, pair.ratio) == (OTHER_WORK, None)


def test_too_few_runs_are_no_verdict(judge: Callable[..., Result]) -> None:
    result = judge(
        [*five("jax", 0.5, count=2), *five("torch", 5.0)], "backend=jax", "backend=torch"
    )
    assert [pair.verdict for pair in result.pairs] == [FEW]
    assert result.judged == 0
    assert not result.pairs[0].slower_by(0.0)


@pytest.mark.parametrize("state", [names.FAILED, names.DIVERGED, names.TIMEOUT])
def test_a_cell_that_no_longer_finishes_is_a_regression(
    judge: Callable[..., Result], state: str
) -> None:
    (pair,) = judge(
        [*five("jax", 0.5), *five("torch", 0.1, state=state)], "backend=jax", "backend=torch"
    ).pairs
    assert pair.verdict == BROKEN
    assert pair.slower_by(0.05)
    (back,) = judge(
        [*five("jax", 0.5), *five("torch", 0.1, state=state)], "backend=torch", "backend=jax"
    ).pairs
    assert not back.slower_by(0.05), "what is mended is no regression"


def test_throughput_is_better_when_it_is_higher(judge: Callable[..., Result]) -> None:
    runs = [*five("jax", 0.5), *five("torch", 1.0)]
    (pair,) = judge(runs, "backend=jax", "backend=torch", measure=MEASURES["throughput"]).pairs
    assert pair.verdict == SLOWER
    assert pair.slower_by(0.5)
    assert not pair.slower_by(1.5)


def test_quality_is_told_beside_the_time(judge: Callable[..., Result]) -> None:
    worse = [run(backend="torch", accuracy=0.90 + 0.001 * n, repetition=n) for n in range(5)]
    better = [run(backend="jax", accuracy=0.95 + 0.001 * n, repetition=n) for n in range(5)]
    (pair,) = judge([*better, *worse], "backend=jax", "backend=torch").pairs
    assert pair.quality == "val_accuracy 0.9520 → 0.9020 (worse)"
    head, rows = lines(Result("A", "B", MEASURES["speed"], [pair]))
    assert len(head) == len(rows[0])


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("backend=jax", "backend=jax", "the two selections share 5 runs"),
        (
            "backend=jax",
            "backend=torch",
            r"nothing to compare: .*backend=jax has mnist_mlp .*backend=torch has mnist_cnn",
        ),
        ("backend=nope", "backend=jax", "no run has backend=nope; there are: jax, torch"),
        ("backend=jax,sweep=s9", "backend=torch", "no run has sweep_id=s9; there are: sweep-1"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_line(
    judge: Callable[..., Result], first: str, second: str, message: str
) -> None:
    runs = [*five("jax", 0.5), *five("torch", 1.0, "mnist_cnn")]
    with pytest.raises(ConfigError, match=message) as raised:
        judge(runs, first, second)
    assert "\n" not in str(raised.value)


def test_several_devices_on_one_side_are_ambiguous(judge: Callable[..., Result]) -> None:
    runs = [
        *five("jax", 0.5),
        *five("jax", 0.6, device="Other CPU"),
        *five("jax", 0.1, device="H200", kind="gpu"),
    ]
    with pytest.raises(
        ConfigError, match=r"has several values of device_name \(Other CPU, Planted CPU 9000\)"
    ):
        judge(runs, "device_kind=cpu", "device_kind=gpu")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jax", "is not a valid selection"),
        ("", "is not a valid selection"),
        ("backend=", "has no value"),
        ("x=1", "unknown key"),
        ("backend=jax,backend=torch", "is given twice"),
        ("backend jax=1", "is not a valid selection"),
    ],
)
def test_what_is_no_selection_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(text)


def test_selections_hold_commas_aliases_versions_and_short_commits(planted_store: Make) -> None:
    assert parse("device=Xeon, 2 GHz,sweep=a") == {"device_name": "Xeon, 2 GHz", "sweep_id": "a"}
    frame = read.read(planted_store([run(), run("mnist_cnn", "torch")])).frame
    assert list(choose(frame, parse("version.torch=1.2.3"))["backend"]) == ["torch"]
    assert len(choose(frame, parse("commit=c0ffee,threads=2,fraction=0.10"))) == 2


@pytest.mark.parametrize(
    ("text", "share"), [("5%", 0.05), ("0.05", 0.05), ("0%", 0.0), ("150%", 1.5)]
)
def test_shares_are_read(text: str, share: float) -> None:
    assert percentage(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["5", "-1%", "abc", "", "nan", "2000%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="write 5% or 0.05"):
        percentage(text)
