"""Relations that a run's figures keep, whatever its epochs took."""

import math
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from experiments import names
from experiments.journal.figures import (
    diverged,
    mad,
    noise_flags,
    summarise,
    time_to_target,
    verdict,
)

SECONDS = st.floats(1e-3, 1e4)
QUALITY = st.none() | st.floats()


@st.composite
def epochs(draw: st.DrawFn, least: int = 0) -> list[dict[str, Any]]:
    count = draw(st.integers(least, 12))
    found = []
    for number in range(1, count + 1):
        train, validation = draw(SECONDS), draw(SECONDS)
        found.append({
            "epoch": number, "train_seconds": train, "validation_seconds": validation,
            "epoch_seconds": train + validation, "samples_per_second": 1000 / train, "loss": draw(st.floats()),
            "accuracy": draw(QUALITY), "val_loss": draw(QUALITY), "val_accuracy": draw(QUALITY),
        })  # fmt: skip
    return found


@given(epochs(), st.randoms(use_true_random=False), st.none() | SECONDS)
def test_figures(run: list[dict[str, Any]], chance: random.Random, build: float | None) -> None:
    figures = summarise(run, {"build_seconds": build})
    assert set(figures) <= set(names.SUMMARY_METRICS) and all(
        isinstance(value, float) for value in figures.values()
    )
    assert figures["epochs_done"] == len(run)
    if len(run) >= 2:
        train = sorted(epoch["train_seconds"] for epoch in run[1:])
        assert train[0] <= figures["steady_train_seconds"] <= train[-1]
        assert figures["compile_seconds"] >= (build or 0.0)
        assert figures["steady_train_seconds"] <= figures["steady_epoch_seconds"]
        middle = 1000 / figures["steady_train_seconds"]
        if len(train) % 2:
            assert math.isclose(figures["steady_samples_per_second"], middle)
    if run:
        low, high = min(e["epoch_seconds"] for e in run), max(e["epoch_seconds"] for e in run)
        assert low * (1 - 1e-9) <= figures["mean_epoch_seconds"] <= high * (1 + 1e-9)
    mixed = list(run)
    chance.shuffle(mixed)
    assert repr(sorted(summarise(mixed, {"build_seconds": build}).items())) == repr(
        sorted(figures.items())
    )


@given(epochs(least=1), st.data())
def test_a_lost_epoch_is_never_made_up(run: list[dict[str, Any]], data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, len(run) - 1))
    left = run[:lost] + run[lost + 1 :]
    figures = summarise(
        left, {"quality_metric": "loss", "quality_better": "lower", "target": math.inf}
    )
    assert figures["epochs_done"] == len(run) - 1
    if lost == 0:
        assert "first_train_seconds" not in figures and "compile_seconds" not in figures
        assert "time_to_target_seconds" not in figures
    steady = [epoch for epoch in left if epoch["epoch"] > 1]
    assert figures.get("steady_epochs", 0) == len(steady)


@given(epochs(), st.sampled_from(["higher", "lower"]), st.floats(allow_nan=False))
def test_time_to_target(run: list[dict[str, Any]], better: str, target: float) -> None:
    seconds = time_to_target(run, "loss", better, target)
    reached = [
        e for e in run if (e["loss"] >= target if better == "higher" else e["loss"] <= target)
    ]
    assert (seconds is None) == (not reached)
    if seconds is not None:
        assert seconds <= sum(epoch["epoch_seconds"] for epoch in run) * (1 + 1e-9)


@given(epochs(), st.sampled_from(["higher", "lower"]), st.floats(-10, 10))
def test_diverged_is_a_line_or_nothing(
    run: list[dict[str, Any]], better: str, floor: float
) -> None:
    reason = diverged(run, "val_loss", better, floor)
    last = run[-1]["val_loss"] if run else None
    fine = last is None or (
        math.isfinite(last) and (last >= floor if better == "higher" else last <= floor)
    )
    assert (reason is None) == (not run or (fine and math.isfinite(run[-1]["loss"])))
    assert reason is None or ("\n" not in reason and reason.startswith(("val_loss", "loss")))


@given(epochs(), st.sampled_from([*names.STATES, "odd"]), st.integers(1, 12))
def test_verdict_is_a_known_state(run: list[dict[str, Any]], said: str, planned: int) -> None:
    plan = {
        "epochs": planned,
        "floor": 0.0,
        "quality_metric": "val_accuracy",
        "quality_better": "higher",
    }
    state, reason = verdict({"state": said, "reason": "why"}, run, plan)
    assert state in names.STATES
    assert (state == names.FINISHED) == (reason is None)
    if said == names.FINISHED and len(run) < planned:
        assert state == names.FAILED


@given(st.lists(SECONDS, min_size=1, max_size=12), st.floats(0.1, 10))
def test_mad_scales(values: list[float], factor: float) -> None:
    assert math.isclose(
        mad([value * factor for value in values]), mad(values) * factor, rel_tol=1e-6, abs_tol=1e-6
    )


@given(epochs())
def test_flags_are_known(run: list[dict[str, Any]]) -> None:
    assert set(noise_flags(run)) <= {names.FLAG_NOISY, names.FLAG_OUTLIER}
