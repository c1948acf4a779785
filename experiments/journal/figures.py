"""The flat figures of a run, computed from its epochs. Pure functions, seconds throughout."""

import math
from statistics import median
from typing import Any

from experiments import names

NOISY_MAD_RATIO = 0.05
OUTLIER_MODIFIED_Z = 14.8

Epoch = dict[str, Any]


def summarise(epochs: list[Epoch], facts: dict[str, Any]) -> dict[str, float]:
    """Summary metrics (names.SUMMARY_METRICS) from the epochs' events and single `facts`.

    `facts` may hold import_seconds, data_load_seconds, build_seconds, total_seconds, parameters and
    the like; absent and None stay absent. The order of `epochs` does not matter; one whose line was
    lost is missed where it counts (no first epoch, no time to target) and nowhere guessed at.
    """
    epochs = in_order(epochs)
    figures: dict[str, Any] = {key: facts.get(key) for key in names.SUMMARY_METRICS if key in facts}
    figures["epochs_done"] = len(epochs)
    if epochs:
        figures.update(_speed(epochs, facts.get("build_seconds")))
        figures.update(_quality(epochs))
        figures["time_to_target_seconds"] = time_to_target(
            epochs, facts.get("quality_metric"), facts.get("quality_better"), facts.get("target")
        )
    if facts.get("price_per_hour") is not None and facts.get("total_seconds") is not None:
        figures["cost"] = facts["price_per_hour"] * facts["total_seconds"] / 3600
    return {key: float(value) for key, value in figures.items() if isinstance(value, int | float)}


def in_order(epochs: list[Epoch]) -> list[Epoch]:
    """By epoch number, whatever order the lines of a journal came in."""
    return sorted(epochs, key=lambda epoch: int(epoch["epoch"]))


def _speed(epochs: list[Epoch], build_seconds: float | None) -> dict[str, Any]:
    first = epochs[0] if epochs[0]["epoch"] == 1 else None
    steady = [epoch for epoch in epochs if epoch is not first]
    figures: dict[str, Any] = {
        "mean_epoch_seconds": sum(epoch["epoch_seconds"] for epoch in epochs) / len(epochs),
        "steady_epochs": len(steady),
    }
    if first is not None:
        figures["first_epoch_seconds"] = first["epoch_seconds"]
        figures["first_train_seconds"] = first["train_seconds"]
    if steady:
        train = [epoch["train_seconds"] for epoch in steady]
        centre = median(train)
        figures["steady_train_seconds"] = centre
        figures["steady_epoch_seconds"] = median(epoch["epoch_seconds"] for epoch in steady)
        figures["validation_steady_seconds"] = median(
            epoch["validation_seconds"] for epoch in steady
        )
        figures["steady_samples_per_second"] = median(
            epoch["samples_per_second"] for epoch in steady
        )
        if len(steady) > 1 and centre > 0:
            figures["steady_mad_ratio"] = mad(train) / centre
        if first is not None:
            figures["compile_seconds"] = (build_seconds or 0.0) + max(
                0.0, first["train_seconds"] - centre
            )
    return figures


def steady_each(epochs: list[Epoch]) -> str:
    """train_seconds of epochs 2..E in order, six digits each, space-separated; may be empty."""
    return " ".join(
        f"{epoch['train_seconds']:.6g}" for epoch in in_order(epochs) if epoch["epoch"] > 1
    )


def _quality(epochs: list[Epoch]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for key in ("loss", "accuracy", "val_loss", "val_accuracy"):
        values = [epoch.get(key) for epoch in epochs]
        if values[-1] is None:
            continue
        figures[f"last_{key}"] = values[-1]
        if key.startswith("val_"):
            known = [value for value in values if value is not None and math.isfinite(value)]
            if known:
                figures[f"best_{key}"] = min(known) if key.endswith("loss") else max(known)
    return figures


def time_to_target(
    epochs: list[Epoch], metric: str | None, better: str | None, target: float | None
) -> float | None:
    """Seconds of training and validation up to the first epoch that reached the target, or None."""
    if target is None or metric is None:
        return None
    passed = 0.0
    for number, epoch in enumerate(epochs, start=1):
        if epoch["epoch"] != number:
            return None  # the seconds of an epoch are missing
        passed += epoch["epoch_seconds"]
        value = epoch.get(metric)
        if value is not None and (value >= target if better == "higher" else value <= target):
            return float(passed)
    return None


def verdict(
    end: dict[str, Any] | None, epochs: list[Epoch], plan: dict[str, Any]
) -> tuple[str, str | None]:
    """The end state and reason, from the worker's last event, the finished epochs and the plan.

    `plan` may hold epochs, floor, quality_metric and quality_better. Without a last word: killed.
    """
    if end is None:
        return names.KILLED, None
    if end["state"] != names.FINISHED:
        state = end["state"] if end["state"] in names.STATES else names.FAILED
        return state, end.get("reason")
    if len(epochs) < plan.get("epochs", 0):
        return (
            names.FAILED,
            f"the worker says finished, with {len(epochs)} of {plan['epochs']} epochs "
            "in its journal",
        )
    reason = None
    if plan.get("floor") is not None:
        reason = diverged(epochs, plan["quality_metric"], plan["quality_better"], plan["floor"])
    return (names.DIVERGED, reason) if reason else (names.FINISHED, None)


def diverged(epochs: list[Epoch], metric: str, better: str, floor: float) -> str | None:
    """Why a run that trained to its end counts as diverged, in one line; None if it learned."""
    if not epochs:
        return None
    last = in_order(epochs)[-1]
    for name in ("loss", metric):
        if last.get(name) is not None and not math.isfinite(last[name]):
            return f"{name} is {last[name]} after epoch {last['epoch']}"
    value = last.get(metric)
    if value is None:
        return None
    if value < floor if better == "higher" else value > floor:
        side = "below" if better == "higher" else "above"
        return f"{metric} {value:.4f} is {side} the task's floor {floor:g}"
    return None


def noise_flags(epochs: list[Epoch]) -> list[str]:
    """FLAG_NOISY and FLAG_OUTLIER, from the training seconds of at least three steady epochs."""
    train = [epoch["train_seconds"] for epoch in epochs if epoch["epoch"] > 1]
    if len(train) < 3:
        return []
    centre, spread = median(train), mad(train)
    flags = [names.FLAG_NOISY] if centre > 0 and spread / centre > NOISY_MAD_RATIO else []
    # Iglewicz and Hoaglin's modified z score; 14.8 is the threshold that hyperfine took for
    # outliers.
    if (
        spread > 0
        and max(abs(0.6745 * (value - centre) / spread) for value in train) > OUTLIER_MODIFIED_Z
    ):
        flags.append(names.FLAG_OUTLIER)
    return flags


def mad(values: list[float]) -> float:
    """Median absolute deviation from the median, unscaled."""
    centre = median(values)
    return median(abs(value - centre) for value in values)
