"""The report's figures over epochs: learning curves, and quality against the time it took."""

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

from analysis.compare.conditions import PLACE
from analysis.compare.scenarios import Scenario
from analysis.compare.statistics import median
from analysis.report import plots, svg
from analysis.report.lists import count, figures, listing, menu, number, text
from analysis.report.page import FigureBlock, KeyItem, Panel
from analysis.report.palette import Style
from analysis.report.speed import key_of
from analysis.tables.model import Cell
from analysis.titles import backend_title

if TYPE_CHECKING:
    import pandas as pd

MAX_RUNS = 5  # newest runs of one backend whose epochs are read
MAX_TOTAL = 400  # runs of the whole page whose epochs are read
MAX_PANELS = 48
_LABELS = {
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss",
    "loss": "training loss",
    "accuracy": "training accuracy",
}


def chosen(all_scenarios: Sequence[Scenario]) -> list[str]:
    """Ids of the runs whose curves are drawn: the newest that count of every backend in every
    place.
    """
    members = [member for scenario in all_scenarios for member in scenario.members if member.times]
    return [run_id for member in members for run_id in member.sample.ids()[-MAX_RUNS:]][:MAX_TOTAL]


def blocks(
    all_scenarios: Sequence[Scenario], epochs: "pd.DataFrame", styles: Mapping[str, Style]
) -> tuple[FigureBlock, FigureBlock]:
    """Learning curves, and quality against wall time.

    epochs: rows of `analysis.store.columns.EPOCH_COLUMNS` of the chosen runs; runs without rows are
    left out.
    """
    learning: list[Panel] = []
    timing: list[Panel] = []
    rows: list[list[Cell]] = []
    backends: set[str] = set()
    shown = 0
    for i, scenario in enumerate(all_scenarios):
        known, metric = (
            _epochs_of(scenario, epochs),
            scenario.members[0].sample.text("quality_metric") or "val_accuracy",
        )
        if known.empty or len(learning) >= MAX_PANELS:
            continue
        backends |= set(known["backend"])
        for part, figure in enumerate(dict.fromkeys(("loss", metric))):
            learning += _panel(
                scenario, figure, f"learning-{i}-{part}", styles, _lines(known, "epoch", figure)
            )
        timing += _panel(
            scenario, metric, f"wall-{i}", styles, _lines(known, "seconds", metric), seconds=True
        )
        rows += _rows(scenario, known, metric)
        shown += 1
    keys = [key_of(backends, styles, figure) for figure in ("learning", "wall")]
    left_out = (
        sum(any(member.times for member in scenario.members) for scenario in all_scenarios) - shown
    )
    return _blocks(learning, timing, keys, rows, left_out)


def _panel(
    scenario: Scenario,
    figure: str,
    name: str,
    styles: Mapping[str, Style],
    lines: Sequence[plots.Line],
    *,
    seconds: bool = False,
) -> list[Panel]:
    """The panel, or none where nothing is known that could be drawn."""
    if not lines:
        return []
    label = _LABELS.get(figure, figure)
    x_label = "training and validation, s" if seconds else "epoch"
    drawing = plots.curves(lines, styles, x_label, label, whole_x=not seconds, log_x=seconds)
    picture = svg.element(
        drawing, name, f"{scenario.title}: {label}", "the figures are in the table below the plots"
    )
    return [Panel(picture, f"{scenario.title}: {label}", scenario.where)]


def _epochs_of(scenario: Scenario, epochs: "pd.DataFrame") -> "pd.DataFrame":
    """The scenario's epochs in order, with backend, place and the seconds passed at their end."""
    runs = scenario.frame[["run_id", "backend", PLACE]]
    known = epochs.merge(runs, on="run_id", how="inner").sort_values(["backend", "run_id", "epoch"])
    known["seconds"] = known.groupby("run_id")["epoch_seconds"].cumsum()
    return known


def _lines(known: "pd.DataFrame", x: str, y: str) -> list[plots.Line]:
    """Each run faintly where there are several, and each backend's medians epoch by epoch."""
    lines = []
    finite = known[known[x].map(_is_number) & known[y].map(_is_number)]
    for (backend, _), points in finite.groupby(["backend", PLACE], dropna=False, sort=True):
        runs = [run for _, run in points.groupby("run_id", sort=False)]
        if len(runs) > 1:
            lines += [
                plots.Line(str(backend), _floats(run[x]), _floats(run[y]), faint=True)
                for run in runs
            ]
        by_epoch = points.groupby("epoch", sort=True)
        lines.append(
            plots.Line(
                str(backend), _floats(by_epoch[x].agg(median)), _floats(by_epoch[y].agg(median))
            )
        )
    return lines


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _floats(values: "pd.Series[Any]") -> list[float]:
    return [float(value) for value in values]


def _rows(scenario: Scenario, known: "pd.DataFrame", metric: str) -> list[list[Cell]]:
    """Task, where, backend, epoch, runs, seconds, training loss, quality."""
    return [
        [
            text(scenario.title),
            text(scenario.where, classes="where"),
            text(backend_title(str(backend))),
            count(float(str(epoch))),
            count(len(runs)),
            number(median(_floats(runs["seconds"]))),
            number(median(_floats(runs["loss"])), 4),
            number(median(_floats(runs[metric])), 4, hint=metric),
        ]
        for (backend, _, epoch), runs in known.groupby(
            ["backend", PLACE, "epoch"], dropna=False, sort=True
        )
    ]


def _blocks(
    learning: list[Panel],
    timing: list[Panel],
    keys: Sequence[list[KeyItem]],
    rows: list[list[Cell]],
    left_out: int,
) -> tuple[FigureBlock, FigureBlock]:
    shared = (menu("Task"), menu("Where"), menu("Backend"), figures("Epoch"), figures("Runs"))
    seconds = figures("Seconds", "since training began")
    loss, quality = figures("Training loss"), figures("Quality", "the task's metric")
    few = (
        f"The newest {MAX_RUNS} runs of each backend that count: thin lines are single runs, "
        "marked ones their medians."
    )
    if left_out > 0:
        few += f" The epochs of {left_out} more are not read for this page, or not in the store."
    empty = "The epochs of these runs are not in the store."
    return (
        FigureBlock(
            "plot-learning",
            "Learning curves",
            few,
            learning,
            keys[0],
            listing(
                "learning",
                "Loss and quality, epoch by epoch: medians over runs",
                (*shared, loss, quality),
                [[*row[:5], row[6], row[7]] for row in rows],
            ),
            empty,
        ),
        FigureBlock(
            "plot-wall",
            "Quality against wall time",
            f"{few} Time is training and validation, without import and data loading.",
            timing,
            keys[1],
            listing(
                "wall",
                "Quality and the time until it: medians over runs",
                (*shared, seconds, quality),
                [[*row[:6], row[7]] for row in rows],
            ),
            empty,
        ),
    )
