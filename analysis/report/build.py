"""The report: everything the store says on one HTML page that needs nothing else.

`build` puts the page together from the parts' modules; `write` is what the command line calls.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.compare import scenarios
from analysis.compare.layout import board
from analysis.compare.marks import LEGEND
from analysis.output import write as write_file
from analysis.published import page_2017
from analysis.published.errata import errata
from analysis.report import curves, headline, history, links, plots, runs, speed, top
from analysis.report.findings import measured_findings
from analysis.report.page import FigureBlock, Notice, Page, Sentence, Step, render
from analysis.report.palette import styles
from analysis.store.epochs import read as read_epochs
from analysis.store.read import Reading
from analysis.store.select import Choice
from analysis.tables.answer import answers_of
from analysis.tables.build import by_task, wide
from analysis.tables.model import Document, Section
from experiments.tracking.store import redacted, sqlite_path

if TYPE_CHECKING:
    import pandas as pd

    from analysis.compare.scenarios import Scenario

_TABLES_NOTE = (
    "Rows are backends, columns are devices. A figure is divided only by the best of its column: "
    "what was measured with other work, other data or on another device is in another column."
)
_PUBLISHED_NOTE = (
    "Recomputed from the published numbers (from {}); one run per cell, no spread is known, and "
    "the figures are the mean over all epochs, validation and first epoch included."
)
_ENVIRONMENTS_NOTE = (
    "Each environment is a machine, an interpreter and the engine's settings together."
)
_MARKS = (
    ("bold", "the best of the column, and all that cannot be told from it"),
    ("(2.1x)", "times the best of the same column"),
    ("[a, b]", "interval of the median; its coverage stands with the table"),
    (
        "failed, >60 s, n/a (…)",
        "no figure: the run failed, ran into its time limit, or could not be",
    ),
)


def write(reading: Reading, output: Path, ui_url: str | None = None) -> int:
    """Write the report to `output`, whole or not at all; returns its size in bytes.

    ui_url: the address of MLflow's UI, for links to runs; default: the tracking server's, if it is
    http(s). Raises UserError in one line if the file cannot be written.
    """
    text = build(reading, ui_url).encode()
    write_file(output, text)
    return len(text)


def build(reading: Reading, ui_url: str | None = None) -> str:
    """The page as HTML. Raises ConfigError for a ui_url that is not an http(s) address."""
    ui = links.ui_address(ui_url, reading.uri)
    own = reading.frame[reading.frame["source"].fillna("measured") != "published"]
    then, stored = history.published(reading.frame)
    page = _with_lists(_page(reading, own, then, stored, ui), own, ui)
    known = own["task"].notna() & own["backend"].notna()
    return render(_with_measured(page, reading, own[known], then, ui))


def _page(
    reading: Reading, own: "pd.DataFrame", then: "pd.DataFrame", stored: bool, ui: str | None
) -> Page:
    """What needs no measured run."""
    source = "the store" if stored else "this program, since the store does not hold them"
    return Page(
        scope=_scope(own),
        warnings=_warnings(own),
        remarks=reading.remarks(),
        tables_note=_TABLES_NOTE,
        marks=[*_MARKS, *LEGEND.items()],
        published_note=_PUBLISHED_NOTE.format(source),
        published=_tables_of_2017(then),
        errata=[Sentence(one.sentence, one.arithmetic) for one in errata()],
        reproduce=_steps(reading, ui),
        footer=_footer(reading),
    )


def _with_lists(page: Page, own: "pd.DataFrame", ui: str | None) -> Page:
    """The page with every measured run, its environment and its flags."""
    lists = runs.build(own, ui, "`python -m analysis export` writes all of them")
    chart = links.chart_page(ui, str(own["experiment_id"].iloc[0])) if len(own) else None
    return replace(
        page,
        runs=lists.runs,
        flags=lists.flags,
        environments=lists.environments,
        protocols=lists.protocols,
        environments_note=_ENVIRONMENTS_NOTE,
        chart_url=chart,
    )


def _with_measured(
    page: Page, reading: Reading, own: "pd.DataFrame", then: "pd.DataFrame", ui: str | None
) -> Page:
    """The page with what measured runs say.

    They are laid out twice: by work for the answer and what is said of it, by protocol for tables.
    """
    if own.empty:
        return replace(page, figures=_figures(reading, [], then))
    by_protocol, by_work = board(own, Choice()), board(own, Choice(), by_work=True)
    all_scenarios = scenarios.scenarios(by_work)
    found = measured_findings(by_work)
    experiment = str(own["experiment_id"].iloc[0])
    with plots.drawing():
        look = styles(set(own["backend"]))
        overviews = top.overviews(answers_of(by_work), look, ui, experiment)
    return replace(
        page,
        overviews=overviews,
        overall=headline.overall(found),
        answers=headline.answers(all_scenarios, ui),
        findings=headline.by_task(found),
        tables=by_task(by_protocol).sections(),
        wide=wide(by_protocol).sections(),
        figures=_figures(reading, all_scenarios, then),
    )


def _tables_of_2017(then: "pd.DataFrame") -> list[Section]:
    """The twelve tables, under keys that no measured table has."""
    tables = page_2017.document(then).tables
    return Document("", [replace(table, key=f"2017.{table.key}") for table in tables]).sections()


def _figures(
    reading: Reading, all_scenarios: "Sequence[Scenario]", then: "pd.DataFrame"
) -> list[FigureBlock]:
    measured = {member.backend for scenario in all_scenarios for member in scenario.members}
    look = styles(measured | set(then["backend"].dropna()))
    with plots.drawing():
        chosen = reading.frame[reading.frame["run_id"].isin(curves.chosen(all_scenarios))]
        epochs = read_epochs(chosen, reading.uri, reading.experiment)
        return [
            speed.epoch_times(all_scenarios, look),
            speed.ratio_maps(all_scenarios),
            *curves.blocks(all_scenarios, epochs, look),
            history.then_and_now(then, all_scenarios, look),
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


def _warnings(own: "pd.DataFrame") -> list[Notice]:
    synthetic = own[own["data_source"] == "synthetic"]
    found = []
    if len(synthetic):
        tasks = ", ".join(sorted(synthetic["task"].dropna().unique()))
        found.append(
            Notice(
                "Synthetic data.",
                f"{len(synthetic)} of {len(own)} runs trained on made-up data ({tasks}). Their "
                "timings are valid; their accuracies and losses are meaningless. They are marked "
                "wherever they appear.",
            )
        )
    return found


def _steps(reading: Reading, ui: str | None) -> list[Step]:
    file = sqlite_path(reading.uri)
    store = f"sqlite:///{file.name}" if file else redacted(reading.uri)
    steps = [
        Step(
            "Measure the same again; a cell that finished under the same protocol is skipped.",
            "python experiments/sweep.py -m 'task=glob(*)' backend=theano,tensorflow,cntk "
            "profile=published",
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
    source = f"experiment “{reading.experiment}” in {redacted(reading.uri)}"
    return f"Made {now:%Y-%m-%d %H:%M} UTC from {source}."
