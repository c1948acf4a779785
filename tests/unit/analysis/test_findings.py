"""Sentences about planted runs: each claim has its arithmetic, and none is made on too few runs."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from analysis.report.finding import (
    CAVEAT,
    COMPILE,
    DEVICE,
    ERRATUM,
    OVERALL,
    QUALITY,
    SPEED,
    TROUBLE,
    Finding,
)
from analysis.report.findings import findings
from analysis.store import read
from analysis.store.select import Choice
from experiments import names
from experiments.errors import UserError
from tests.support.planted import Planted, run

Make = Callable[..., str]
pytestmark = pytest.mark.usefixtures("kbb_cache")


@pytest.fixture
def say(planted_store: Make) -> Callable[..., list[Finding]]:
    def make(runs: Sequence[Planted], **choice: Any) -> list[Finding]:
        return findings(read.read(planted_store(runs)).frame, Choice(**{"source": "all", **choice}))

    return make


def five(
    backend: str, seconds: float, task: str = "mnist_mlp", gain: float = 0.0, **changes: Any
) -> list[Planted]:
    """Five runs, 1 % apart in time and 0.1 points in accuracy."""
    return [
        run(
            task,
            backend,
            seconds=seconds * (1 + 0.01 * (n - 2)),
            repetition=n + 1,
            accuracy=0.95 + gain + 0.001 * (n - 2),
            **changes,
        )
        for n in range(5)
    ]


def of(found: Sequence[Finding], kind: str) -> list[Finding]:
    return [one for one in found if one.kind == kind]


def test_a_difference_is_told_with_ratio_interval_and_count(
    say: Callable[..., list[Finding]],
) -> None:
    (one,) = of(say([*five("jax", 0.5), *five("torch", 1.05)]), SPEED)
    assert re.fullmatch(
        r"On Planted 9000, JAX is 2\.\d+× \[2\.\d+, 2\.\d+\] faster than the next best, PyTorch, "
        r"on MLP on MNIST "
        r"\(n = 5 each\)\.",
        one.text,
    )
    assert one.arithmetic == "1.05 s / 0.500 s per training epoch = 2.10"
    assert one.shown
    assert one.runs == 10


def test_where_nothing_could_be_shown_it_says_so(say: Callable[..., list[Finding]]) -> None:
    (one,) = of(say([*five("jax", 0.5), *five("torch", 0.505)]), SPEED)
    assert "no difference in speed could be shown between JAX and PyTorch" in one.text
    assert not one.shown


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_runs_are_told_as_what_they_are(
    say: Callable[..., list[Finding]], count: int
) -> None:
    runs = [
        run(backend=backend, seconds=seconds, repetition=n)
        for backend, seconds in (("jax", 0.5), ("torch", 50.0))
        for n in range(count)
    ]
    for one in of(say(runs), SPEED):
        assert "support no claim" in one.text
        assert "faster" not in one.text
        assert not one.shown
    assert not of(say(runs), QUALITY)


def test_equal_work_is_compared_across_generations(say: Callable[..., list[Finding]]) -> None:
    (one,) = of(say([*five("jax", 0.5), *five("theano", 5.0)]), SPEED)
    assert "JAX is 10× [" in one.text
    assert "faster than the next best, Theano," in one.text


def test_other_work_is_not_compared_across_generations(say: Callable[..., list[Finding]]) -> None:
    found = say([*five("jax", 0.5), *five("theano", 5.0, epochs=9)])
    assert not of(found, SPEED)


def test_provisional_synthetic_and_noisy_figures_carry_their_caveats(
    say: Callable[..., list[Finding]],
) -> None:
    runs = [
        run(backend=backend, seconds=seconds, repetition=n, data_source="synthetic", flags=flags)
        for backend, seconds, flags in (("jax", 0.5, ""), ("torch", 5.0, "noisy"))
        for n in range(3)
    ]
    found = say(runs)
    (one,) = of(found, SPEED)
    assert set(one.caveats) >= {
        "provisional: fewer than five runs",
        "synthetic data",
        "3 runs noisy",
    }
    assert any(
        "6 of 6 runs trained on synthetic data" in caveat.text for caveat in of(found, CAVEAT)
    )
    assert not of(found, QUALITY), "accuracies on synthetic data mean nothing"


def test_accuracies_that_differ_are_told(say: Callable[..., list[Finding]]) -> None:
    (one,) = of(say([*five("jax", 0.5, gain=0.02), *five("torch", 0.5)]), QUALITY)
    assert (
        "JAX ends MLP on MNIST with a validation accuracy of 0.9700, higher than PyTorch's 0.9500"
        in one.text
    )
    (tie,) = of(say([*five("jax", 0.5), *five("torch", 0.5)]), QUALITY)
    assert "no difference in validation accuracy could be shown" in tie.text


def test_the_same_work_on_two_devices_is_compared(say: Callable[..., list[Finding]]) -> None:
    runs = [
        *five("jax", 6.0, "mnist_cnn"),
        *five("jax", 0.5, "mnist_cnn", device="NVIDIA H200", kind="gpu"),
    ]
    (one,) = of(say(runs), DEVICE)
    assert re.match(
        r"JAX trains CNN on MNIST 12\.0× \[11\.\d, 12\.\d\] faster on NVIDIA H200 "
        r"than on Planted 9000",
        one.text,
    )


def test_other_work_on_two_devices_is_not(say: Callable[..., list[Finding]]) -> None:
    runs = [
        *five("jax", 6.0),
        *five("jax", 0.5, device="NVIDIA H200", kind="gpu", epochs=9),
    ]
    assert not of(say(runs), DEVICE)


def test_compilation_that_takes_long_is_told(say: Callable[..., list[Finding]]) -> None:
    runs = five("jax", 0.5, metrics={"compile_seconds": 40.0, "total_seconds": 50.0})
    (one,) = of(say(runs), COMPILE)
    assert "JAX spends 80% of MLP on MNIST's time on building and compiling (5 runs)" in one.text


def test_runs_that_ended_badly_are_told_with_their_reason(
    say: Callable[..., list[Finding]],
) -> None:
    runs = [
        *five("jax", 0.5),
        run(
            backend="jax",
            state=names.FAILED,
            repetition=8,
            tags={names.TAG_REASON: "MemoryError: 8 GB"},
        ),
        run(backend="torch", state=names.ENGINE_UNSOUND),
        run(backend="tensorflow2", flags="unsound"),
    ]
    told = {one.text: one.arithmetic for one in of(say(runs), TROUBLE)}
    assert (
        told["On Planted 9000, 1 of 6 runs of JAX on MLP on MNIST ended as failed."]
        == "MemoryError: 8 GB"
    )
    assert any("PyTorch" in text and "engine unsound" in text for text in told)
    assert any("TensorFlow 2" in text and "in doubt" in text for text in told)


def test_means_over_tasks_come_first(say: Callable[..., list[Finding]]) -> None:
    runs = [
        *five("jax", 0.5),
        *five("torch", 1.0),
        *five("jax", 2.0, "mnist_cnn"),
        *five("torch", 8.0, "mnist_cnn"),
    ]
    found = say(runs)
    assert found[0].kind == OVERALL
    assert "over 2 tasks that all 2 backends finished" in found[0].text
    assert "JAX 1.00×, PyTorch 2.8×" in found[0].text


def test_one_backend_alone_claims_nothing(say: Callable[..., list[Finding]]) -> None:
    assert not [one for one in say(five("jax", 0.5)) if one.shown]


def test_every_finding_holds_its_runs_and_no_line_feed(say: Callable[..., list[Finding]]) -> None:
    from tests.support import planted

    for one in say(list(planted.grid(repetitions=3))):
        assert one.runs > 0
        assert "\n" not in one.line
        assert "nan" not in one.line.lower()


def test_errata_come_with_published_results(published_store: str, planted_store: Make) -> None:
    assert {one.kind for one in findings(read.read(published_store).frame)} == {ERRATUM}
    measured = read.read(planted_store([run()])).frame
    assert not of(findings(measured), ERRATUM)
    with pytest.raises(UserError, match="import-published"):
        findings(measured, Choice(source="published"))
