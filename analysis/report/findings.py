"""Sentences that the numbers support, each with its arithmetic, its count of runs and its caveats.

What is wrong on the page of 2017 comes from `analysis.published.errata`.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from analysis import titles
from analysis.compare.layout import Board, board
from analysis.published.errata import errata
from analysis.report import comparisons
from analysis.report.finding import CAVEAT, ERRATUM, OVERALL, TROUBLE, Finding, times
from analysis.store.select import Choice, require_published
from analysis.tables import heads
from analysis.tables.wide import summary_tables
from analysis.titles import backend_title, counted, task_title
from experiments import names
from experiments.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.store.read import Reading

_NOISE = {
    names.FLAG_NOISY,
    names.FLAG_OUTLIER,
    names.FLAG_LOADED,
    names.FLAG_THROTTLED,
    names.FLAG_SHARED,
}


def findings(frame: "pd.DataFrame", choice: Choice | None = None) -> list[Finding]:
    """Everything worth saying about the chosen runs, most general first; UserError where there are
    none.

    choice: as for the tables; source "all" also brings the errata of 2017 where published results
    are there.
    """
    choice = choice or Choice(source="all")
    found: list[Finding] = []
    try:
        measured = Choice("tasks", "measured", choice.profile, choice.sweep, choice.pool_hosts)
        laid_out = board(frame, measured, by_work=True)
    except UserError:
        if choice.source == "measured" or choice.profile or choice.sweep:
            raise
        laid_out = None
    if laid_out is not None and choice.source != "published":
        found = measured_findings(laid_out)
    if choice.source != "measured":
        found += _errata(frame, required=choice.source == "published")
    return found


def measured_findings(laid_out: Board) -> list[Finding]:
    """Everything worth saying about measured runs, most general first."""
    return [
        *_overall(laid_out),
        *comparisons.by_task(laid_out),
        *comparisons.between_devices(laid_out),
        *_troubles(laid_out),
        *_data_and_flags(laid_out),
    ]


def _errata(frame: "pd.DataFrame", required: bool) -> list[Finding]:
    count = int((frame["source"] == "published").sum())
    if not count:
        if required:
            require_published(0, "the store")
        return []
    return [
        Finding(
            ERRATUM,
            f"2017, {one.sentence}",
            one.arithmetic,
            count,
            where=one.where,
        )
        for one in errata()
    ]


def _overall(laid_out: Board) -> Iterator[Finding]:
    for table in summary_tables(laid_out):
        means = [
            (row.label, line[0].value or 1.0)
            for row, line in zip(table.rows, table.cells, strict=True)
        ]
        count = table.cells[0][0].runs
        parts = ", ".join(f"{name} {times(mean)}" for name, mean in means)
        yield Finding(
            OVERALL,
            f"On {table.heading}, over {counted(count, 'task')} that all {len(means)} backends "
            "finished, the epochs take in the geometric mean of the ratio to each task's fastest: "
            f"{parts}.",
            table.label,
            count,
            tuple(table.head),
            where=table.heading,
        )


def _troubles(laid_out: Board) -> Iterator[Finding]:
    """Runs that did not finish, and engines that computed the wrong thing."""
    for task in laid_out.tasks():
        places = laid_out.of_task(task)
        for place, column in zip(places, heads.labelled(places), strict=True):
            for backend in laid_out.backends([place]):
                sample = laid_out.samples[place.key, backend]
                for state, (count, reason) in sample.ends().items():
                    yield Finding(
                        TROUBLE,
                        f"On {column.label}, {count} of {counted(len(sample.index), 'run')} of "
                        f"{backend_title(backend)} on {task_title(task)} ended as "
                        f"{state.replace('_', ' ')}.",
                        reason,
                        count,
                        (),
                        task,
                        column.label,
                    )
                if len(sample.doubts):
                    yield Finding(
                        TROUBLE,
                        f"On {column.label}, {counted(len(sample.doubts), 'run')} of "
                        f"{backend_title(backend)} on {task_title(task)} in doubt: engine unsound "
                        "or device doubtful.",
                        "",
                        len(sample.doubts),
                        (),
                        task,
                        column.label,
                    )


def _data_and_flags(laid_out: Board) -> Iterator[Finding]:
    frame = laid_out.runs.frame
    synthetic = frame[frame["data_source"] == "synthetic"]
    if len(synthetic):
        tasks = ", ".join(titles.ordered(set(synthetic["task"]), titles.TASKS))
        yield Finding(
            CAVEAT,
            f"{len(synthetic)} of {counted(len(frame), 'run')} trained on synthetic data: their "
            "accuracies and losses mean nothing.",
            tasks,
            len(synthetic),
        )
    flags = Counter(
        flag for text in frame["flags"].dropna() for flag in text.split(",") if flag in _NOISE
    )
    if flags:
        yield Finding(
            CAVEAT,
            "Some runs carry a warning about how they were measured; none was left out for it.",
            ", ".join(f"{counted(count, 'run')} {flag}" for flag, count in sorted(flags.items())),
            sum(flags.values()),
        )
    dirty = frame[frame["git_dirty"].astype("str").str.lower() == "true"]
    if len(dirty):
        yield Finding(
            CAVEAT,
            f"{len(dirty)} of {counted(len(frame), 'run')} were measured with uncommitted changes.",
            "",
            len(dirty),
        )


def as_text(reading: "Reading", choice: Choice, form: str) -> str:
    """The findings as a Markdown list or JSON ("md", "json")."""
    found = findings(reading.frame, choice)
    if form == "json":
        content = {"remarks": reading.remarks(), "findings": [asdict(one) for one in found]}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    lines = [*reading.remarks(), *(finding.line for finding in found)]
    return "".join(f"- {line}\n" for line in lines) or "Nothing can be said from these runs.\n"
