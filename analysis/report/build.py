"""The report: everything the store says on one HTML page that needs nothing else.

`build` puts the page together from the parts' modules; `write` is what the command line calls.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.published.errata import errata
from analysis.report import links
from analysis.report.page import FigureBlock, Loud, Page, Sentence, Step, render
from analysis.store.read import Reading
from experiments.errors import UserError
from experiments.tracking.store import redacted, sqlite_path

if TYPE_CHECKING:
    import pandas as pd

    from analysis.compare.scenarios import Setting

_TABLES_NOTE = (
    "Rows are backends, columns are devices. A figure is divided only by the best of its own column: what was measured "
    "with other work, other data or on another device stands in a column of its own."
)
_PUBLISHED_NOTE = (
    "Recomputed from the published numbers (from {}); one run per cell, no spread is known, and the figures are the "
    "mean over all epochs, validation and first epoch included."
)


def write(reading: Reading, output: Path, ui_url: str | None = None) -> int:
    """Write the report to `output` and return its size in bytes.

    ui_url: where MLflow's UI is, for links to runs; the tracking server's own address where that is http(s).
    Raises UserError, in one line, where the file cannot be written; nothing half-written is left.
    """
    text = build(reading, ui_url).encode()
    fresh = output.with_name(f".{output.name}.new")
    try:
        fresh.write_bytes(text)
        fresh.replace(output)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise UserError(
            f"{output} cannot be written ({error.strerror or error}); -o names another file"
        ) from error
    return len(text)


def build(reading: Reading, ui_url: str | None = None) -> str:
    """The page as HTML. Raises ConfigError for a ui_url that is no http(s) address."""
    from analysis.compare.scenarios import measured, settings
    from analysis.report import grids, headline, history, runs

    ui = links.ui_address(ui_url, reading.uri)
    own = measured(reading.frame)
    found = settings(own)
    lists = runs.build(own, ui, "`python -m analysis export` writes all of them")
    then, stored = history.published(reading.frame)
    return render(
        Page(
            scope=_scope(own),
            loud=_loud(own),
            overall=headline.overall(found),
            answers=headline.answers(found, ui),
            remarks=reading.remarks(),
            findings=headline.found_in(own) if len(own) else [],
            tables_note=_TABLES_NOTE,
            tables=grids.standard(own) if len(own) else [],
            wide=grids.wide(own) if len(own) else [],
            marks=grids.marks(),
            figures=_figures(reading, found, then),
            published_note=_PUBLISHED_NOTE.format(
                "the store" if stored else "this program, since the store does not hold them"
            ),
            published=grids.page_of_2017(then),
            errata=[Sentence(one.sentence, one.arithmetic) for one in errata()],
            runs=lists.runs,
            flags=lists.flags,
            environments=lists.environments,
            protocols=lists.protocols,
            environments_note="Each environment is a machine, an interpreter and the engine's settings together.",
            chart_url=links.chart_page(ui, str(own["experiment_id"].iloc[0])) if len(own) else None,
            reproduce=_steps(reading, ui),
            footer=_footer(reading),
        )
    )


def _figures(
    reading: Reading, settings: "Sequence[Setting]", then: "pd.DataFrame"
) -> list[FigureBlock]:
    from analysis.report import curves, history, plots, speed
    from analysis.report.palette import styles
    from analysis.store.epochs import read as read_epochs

    look = styles(
        {
            *(member.backend for setting in settings for member in setting.members),
            *then["backend"].dropna(),
        }
    )
    with plots.drawing():
        chosen = reading.frame[reading.frame["run_id"].isin(curves.chosen(settings))]
        epochs = read_epochs(chosen, reading.uri, reading.experiment)
        return [
            speed.epoch_times(settings, look),
            speed.ratio_maps(settings),
            *curves.blocks(settings, epochs, look),
            history.then_and_now(then, settings, look),
        ]


def _scope(own: "pd.DataFrame") -> str:
    if own.empty:
        return "This store holds published results only; nothing was measured here yet."
    counts = [
        (len(own), "run"),
        (own["task"].nunique(), "task"),
        (own["backend"].nunique(), "backend"),
        (own["device_name"].nunique(), "device"),
    ]
    words = ", ".join(f"{count:,} {noun}{'s' if count != 1 else ''}" for count, noun in counts)
    first, last = own["start_time"].min(), own["start_time"].max()
    when = (
        f", measured from {first:%Y-%m-%d} to {last:%Y-%m-%d}"
        if own["start_time"].notna().any()
        else ""
    )
    return f"{words}{when}."


def _loud(own: "pd.DataFrame") -> list[Loud]:
    synthetic = own[own["data_source"] == "synthetic"]
    found = []
    if len(synthetic):
        tasks = ", ".join(sorted(synthetic["task"].dropna().unique()))
        found.append(
            Loud(
                "Synthetic data.",
                (
                    f"{len(synthetic)} of {len(own)} runs trained on made-up data ({tasks}). Their speed can be read; their "
                    "accuracies and losses say nothing about the networks. They are marked wherever they appear."
                ),
            )
        )
    return found


def _steps(reading: Reading, ui: str | None) -> list[Step]:
    file = sqlite_path(reading.uri)
    store = f"sqlite:///{file.name}" if file else redacted(reading.uri)
    steps = [
        Step(
            "Measure the same again; a cell that finished under the same protocol is not measured twice.",
            "python experiments/sweep.py -m 'task=glob(*)' backend=theano,tensorflow,cntk profile=published",
        ),
        Step(
            "Make these tables and this page from the store.",
            f"export MLFLOW_TRACKING_URI={store}\npython -m analysis tables\n"
            "python -m analysis report -o report.html",
        ),
    ]
    if ui is None:
        steps.append(
            Step(
                "Look at single runs in MLflow's UI; with --ui-url the report links to it.",
                f"mlflow ui --backend-store-uri {store}\n"
                "python -m analysis report -o report.html --ui-url http://127.0.0.1:5000",
            )
        )
    return steps


def _footer(reading: Reading) -> str:
    now = datetime.now(UTC)
    return f"Made {now:%Y-%m-%d %H:%M} UTC from experiment “{reading.experiment}” in {redacted(reading.uri)}."
