"""A run's flat figures, from epochs whose figures are known."""

import math
from typing import Any

import pytest

from experiments import names
from experiments.journal.figures import (
    diverged,
    mad,
    noise_flags,
    summarise,
    time_to_target,
    verdict,
)


def epoch(number: int, train: float, validation: float = 0.5, **quality: Any) -> dict[str, Any]:
    return {
        "epoch": number, "train_seconds": train, "validation_seconds": validation,
        "epoch_seconds": train + validation, "samples_per_second": 100 / train, "loss": 1.0 / number,
        "accuracy": None, "val_loss": None, "val_accuracy": None, **quality,
    }  # fmt: skip


EPOCHS = [epoch(1, 5.0), epoch(2, 2.0), epoch(3, 4.0), epoch(4, 2.0, 1.5)]


def test_speed() -> None:
    figures = summarise(
        EPOCHS, {"build_seconds": 1.0, "import_seconds": 3.0, "cpu_seconds": None, "remark": "x"}
    )
    assert figures["steady_train_seconds"] == 2.0
    assert figures["steady_epoch_seconds"] == 3.5
    assert figures["steady_samples_per_second"] == 50.0
    assert figures["validation_steady_seconds"] == 0.5
    assert figures["mean_epoch_seconds"] == pytest.approx((5.5 + 2.5 + 4.5 + 3.5) / 4)
    assert figures["first_epoch_seconds"] == 5.5 and figures["first_train_seconds"] == 5.0
    assert figures["compile_seconds"] == 1.0 + 3.0
    assert figures["steady_epochs"] == 3 and figures["epochs_done"] == 4
    assert figures["import_seconds"] == 3.0
    assert "cpu_seconds" not in figures and "remark" not in figures
    assert figures["last_loss"] == 0.25 and "last_val_loss" not in figures
    assert set(figures) <= set(names.SUMMARY_METRICS)


def test_steady_throughput_is_the_medians() -> None:
    assert (
        summarise([epoch(1, 9.0), epoch(2, 1.0), epoch(3, 4.0)], {})["steady_train_seconds"] == 2.5
    )
    assert summarise(EPOCHS, {})["steady_mad_ratio"] == 0.0
    assert summarise([epoch(1, 9.0), epoch(2, 1.0), epoch(3, 4.0)], {})[
        "steady_mad_ratio"
    ] == pytest.approx(1.5 / 2.5)


def test_order_of_lines_does_not_matter() -> None:
    assert summarise(EPOCHS[::-1], {"build_seconds": 1.0}) == summarise(
        EPOCHS, {"build_seconds": 1.0}
    )


def test_lost_first_epoch_is_not_replaced_by_the_second() -> None:
    figures = summarise(EPOCHS[1:], {"build_seconds": 1.0})
    assert figures["steady_train_seconds"] == 2.0 and figures["steady_epochs"] == 3
    assert not {"first_epoch_seconds", "first_train_seconds", "compile_seconds"} & set(figures)


def test_single_epoch_has_no_steady_state() -> None:
    figures = summarise(EPOCHS[:1], {})
    assert figures["steady_epochs"] == 0 and "steady_train_seconds" not in figures


def test_no_epoch() -> None:
    assert summarise([], {"total_seconds": 2.0}) == {"total_seconds": 2.0, "epochs_done": 0.0}


def test_first_epoch_faster_than_the_steady_ones_gives_no_negative_compilation() -> None:
    assert (
        summarise([epoch(1, 1.0), epoch(2, 2.0)], {"build_seconds": 0.25})["compile_seconds"]
        == 0.25
    )


def test_best_leaves_out_what_is_not_finite_and_last_does_not() -> None:
    accuracies = [0.5, 0.9, math.nan]
    figures = summarise(
        [epoch(i + 1, 1.0, val_accuracy=a, val_loss=-a) for i, a in enumerate(accuracies)], {}
    )
    assert figures["best_val_accuracy"] == 0.9 and math.isnan(figures["last_val_accuracy"])
    assert figures["best_val_loss"] == -0.9


def test_cost() -> None:
    assert summarise(EPOCHS, {"price_per_hour": 3.6, "total_seconds": 100.0})[
        "cost"
    ] == pytest.approx(0.1)
    assert "cost" not in summarise(EPOCHS, {"price_per_hour": 3.6})


def test_time_to_target() -> None:
    epochs = [epoch(1, 1.0, val_loss=3.0), epoch(2, 2.0, val_loss=2.0), epoch(3, 4.0, val_loss=1.0)]
    assert time_to_target(epochs, "val_loss", "lower", 2.0) == 4.0
    assert time_to_target(epochs, "val_loss", "lower", 0.5) is None
    assert time_to_target(epochs, "val_loss", "higher", 3.0) == 1.5
    assert time_to_target(epochs, "val_accuracy", "higher", 0.5) is None
    assert time_to_target(epochs, None, None, None) is None
    assert time_to_target(epochs[1:], "val_loss", "lower", 2.0) is None, (
        "the first epoch's seconds are not known"
    )


@pytest.mark.parametrize(
    ("value", "better", "floor", "reason"),
    [
        (0.9, "higher", 0.7, None),
        (0.7, "higher", 0.7, None),
        (0.5, "higher", 0.7, "val_accuracy 0.5000 is below the task's floor 0.7"),
        (4.0, "lower", 3.5, "val_accuracy 4.0000 is above the task's floor 3.5"),
        (3.0, "lower", 3.5, None),
        (math.nan, "higher", 0.0, "val_accuracy is nan after epoch 1"),
        (math.inf, "lower", 9.0, "val_accuracy is inf after epoch 1"),
        (None, "higher", 0.7, None),
    ],
)
def test_diverged(value: float | None, better: str, floor: float, reason: str | None) -> None:
    assert diverged([epoch(1, 1.0, val_accuracy=value)], "val_accuracy", better, floor) == reason


def test_loss_that_is_not_finite_is_diverged_whatever_the_metric() -> None:
    reason = diverged(
        [epoch(1, 1.0, loss=math.nan, val_accuracy=0.9)], "val_accuracy", "higher", 0.5
    )
    assert reason == "loss is nan after epoch 1"


def test_diverged_looks_at_the_last_epoch() -> None:
    epochs = [epoch(2, 1.0, val_loss=9.0), epoch(1, 1.0, val_loss=1.0)]
    assert diverged(epochs, "val_loss", "lower", 5.0) is not None
    assert diverged([], "val_loss", "lower", 5.0) is None


PLAN = {"epochs": 4, "floor": 0.3, "quality_metric": "loss", "quality_better": "lower"}


@pytest.mark.parametrize(
    ("end", "epochs", "state"),
    [
        (None, EPOCHS, names.KILLED),
        ({"state": "finished"}, EPOCHS, names.FINISHED),
        ({"state": "finished"}, EPOCHS[:3], names.FAILED),
        ({"state": "failed", "reason": "why"}, EPOCHS[:3], names.FAILED),
        ({"state": "device_mismatch", "reason": "why"}, [], names.DEVICE_MISMATCH),
        ({"state": "diverged", "reason": "why"}, EPOCHS[:1], names.DIVERGED),
        ({"state": "no such state", "reason": "why"}, EPOCHS, names.FAILED),
    ],
)
def test_verdict(end: dict[str, Any] | None, epochs: list[dict[str, Any]], state: str) -> None:
    found, reason = verdict(end, epochs, PLAN)
    assert found == state
    if state not in (names.FINISHED, names.KILLED):
        assert reason and "\n" not in reason


def test_verdict_below_the_floor() -> None:
    assert verdict({"state": "finished"}, EPOCHS, {**PLAN, "floor": 0.1})[0] == names.DIVERGED
    assert verdict({"state": "finished"}, EPOCHS, {}) == (names.FINISHED, None)


@pytest.mark.parametrize(
    ("seconds", "flags"),
    [
        ([1.0, 1.0, 1.0, 1.0], []),
        ([1.0, 1.0, 1.0], []),
        ([9.0, 1.0, 1.01, 0.99, 1.0], []),
        ([9.0, 1.0, 1.2, 0.8, 1.0], [names.FLAG_NOISY]),
        ([9.0, 1.0, 1.01, 0.99, 1.0, 1.02, 3.0], [names.FLAG_OUTLIER]),
        ([9.0, 1.0, 50.0], []),
    ],
)
def test_noise_flags(seconds: list[float], flags: list[str]) -> None:
    assert noise_flags([epoch(i + 1, s) for i, s in enumerate(seconds)]) == flags


def test_mad() -> None:
    assert mad([1.0, 2.0, 3.0, 4.0, 100.0]) == 1.0
