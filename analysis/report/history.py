"""The report's figure of 2017 against today: training throughput as 2017 measured it, place by
place.

Devices, engines and Keras all changed in between, so nothing is divided here: the marks stand
beside each other.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.compare.measures import MEAN_EPOCH
from analysis.compare.scenarios import Member, Scenario
from analysis.compare.statistics import median
from analysis.published.results import results, sources
from analysis.report import plots, svg
from analysis.report.lists import figures, listing, menu, number, text, words
from analysis.report.page import FigureBlock, Panel
from analysis.report.palette import Style
from analysis.report.speed import key_of
from analysis.store.columns import COLUMNS
from analysis.store.frame import typed, work_of
from analysis.titles import TASKS, backend_title, ordered, task_title

if TYPE_CHECKING:
    import pandas as pd

# Training samples per epoch in 2017, when all were used: the data sets' sizes, and for text
# generation the windows of 40 characters with step 3 that Keras' example makes of nietzsche.txt (it
# held nothing out).
SAMPLES_2017 = {
    "mnist_mlp": 60_000,
    "mnist_cnn": 60_000,
    "cifar10_cnn": 50_000,
    "imdb_bilstm": 25_000,
    "imdb_fasttext": 25_000,
    "text_gen": 200_285,
}


def published(frame: "pd.DataFrame") -> tuple["pd.DataFrame", bool]:
    """The published results as rows of the tidy table, and whether the store has them; else those
    of this package.
    """
    import pandas as pd

    stored = frame[frame["source"] == "published"]
    if len(stored):
        return stored, True
    cells: dict[str, list[Any]] = {column.name: [] for column in COLUMNS}
    for result in results():
        known: dict[str, dict[str, Any]] = {
            "tag": result.tags,
            "param": result.params,
            "metric": result.metrics,
            "attribute": {
                "run_id": result.journal_id,
                "run_name": result.name,
                "status": "FINISHED",
                "start_time": result.milliseconds,
                "end_time": result.milliseconds,
            },
        }
        for column in COLUMNS:
            cells[column.name].append(
                _under(result.params, column.key)
                if column.kind == "prefix"
                else known[column.kind].get(column.key)
            )
    return pd.DataFrame(
        {column.name: typed(cells[column.name], column.dtype) for column in COLUMNS}
    ), False


def _under(params: Mapping[str, str], prefix: str) -> str | None:
    found = {
        key.removeprefix(prefix): value for key, value in params.items() if key.startswith(prefix)
    }
    return json.dumps(found) if found else None


def then_and_now(
    then: "pd.DataFrame", all_scenarios: Sequence[Scenario], styles: Mapping[str, Style]
) -> FigureBlock:
    """One panel per task that was measured: 2017's places above, today's below."""
    panels, rows = [], []
    backends: set[str] = set()
    tasks = ordered({scenario.task for scenario in all_scenarios} & set(SAMPLES_2017), TASKS)
    for i, task in enumerate(tasks):
        old = _published_places(then[then["task"] == task], SAMPLES_2017[task])
        new = _measured_places([scenario for scenario in all_scenarios if scenario.task == task])
        for era, known in (("2017", old), ("measured", new)):
            rows += [
                [
                    text(task_title(task)),
                    text(era),
                    text(where, classes="where"),
                    text(backend_title(point.backend)),
                    number(point.value),
                    text("doubtful" if point.open_ else ""),
                ]
                for where, points in known
                for point in points
            ]
        if old and new:
            backends |= {point.backend for _, points in [*old, *new] for point in points}
            drawing = plots.places([*old, ("", []), *new], styles, "training samples per second")
            description = "; ".join(
                f"{where}: {', '.join(p.backend for p in points)}" for where, points in [*old, *new]
            )
            panels.append(
                Panel(
                    svg.element(drawing, f"history-{i}", task_title(task), description),
                    task_title(task),
                )
            )
    note = (
        "Training samples divided by the mean time of an epoch, first epoch and validation "
        "included, since that is what was published in 2017. Published results are above the gap, "
        "this store's below. Devices, engines and Keras differ, and with a share of the data "
        "(quick, smoke) the start-up weighs more: only orders of magnitude can be compared. Open "
        "marks are doubtful."
    )
    heads = [menu(label) for label in ("Task", "When", "Where", "Backend")]
    heads += [figures("Throughput", "samples/s"), words("Remark")]
    table = listing("history", "Throughput in the view of 2017", heads, rows)
    return FigureBlock(
        "plot-history",
        "2017 against today",
        note,
        panels,
        key_of(backends, styles, "history"),
        table,
        "No task of the published results was measured yet.",
    )


def _published_places(runs: "pd.DataFrame", samples: int) -> list[tuple[str, list[plots.Point]]]:
    found: dict[str, list[plots.Point]] = {}
    for row in runs[runs["mean_epoch_seconds"] > 0].to_dict("records"):
        source, work, flags = str(row["published_source"]), work_of(row["hyper"]), row["flags"]
        date = sources().get(source, {}).get("date", source)
        name = ", ".join(filter(None, (str(row["device_name"]), date, work)))
        doubtful = isinstance(flags, str) and bool(flags)
        found.setdefault(name, []).append(
            plots.Point(str(row["backend"]), samples / float(row["mean_epoch_seconds"]), doubtful)
        )
    return sorted(found.items())


def _measured_places(some: Sequence[Scenario]) -> list[tuple[str, list[plots.Point]]]:
    found = []
    for scenario in some:
        points = [
            plots.Point(member.backend, rate)
            for member in scenario.members
            if (rate := _rate(member)) > 0
        ]
        if points:
            found.append((scenario.where, points))
    return found


def _rate(member: Member) -> float:
    """Training samples per second of a whole mean epoch, the median over runs; 0 where it is not
    known.
    """
    seconds = median(member.sample.values(MEAN_EPOCH)) if member.sample.valid else 0.0
    samples = member.sample.text("train_samples")
    return float(samples) / seconds if samples.isdigit() and seconds > 0 else 0.0
