"""The top of the report: the answer's grids, coloured by ratio, and the one plot."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from analysis.report import links, overview, svg
from analysis.report.page import Overview
from analysis.report.palette import Style
from analysis.tables.answer import MEAN, Answer
from analysis.tables.model import Cell, Table

# Upper bounds of a cell's colour class: the ratio to the row's fastest.
_HEAT = (1.0, 1.25, 1.6, 2.5, 5.0)
MAX_OVERVIEWS = 12


def overviews(
    answers: Sequence[Answer], styles: Mapping[str, Style], ui: str | None, experiment_id: str
) -> list[Overview]:
    """One for each place, with drawings; a figure opens its runs, in MLflow if `ui` is known."""
    found = []
    for number, answer in enumerate(answers[:MAX_OVERVIEWS]):
        drawn = overview.figure(answer, styles)
        title = f"Seconds per training epoch: {answer.place}"
        picture = svg.element(drawn, f"overview-{number}", title, overview.words(answer))
        found.append(
            Overview(
                answer.place,
                _linked(_coloured(answer.speed), ui, experiment_id),
                picture,
                _linked(answer.quality, ui, experiment_id),
                answer.caveats,
            )
        )
    return found


def _coloured(table: Table) -> Table:
    """Every cell with its heat class: 0 the fastest, darker is slower."""
    cells = [
        # The interval is in the plot below; without it the grid fits the page.
        [replace(cell, classes=_heat(cell, row.key == MEAN), interval_text="") for cell in line]
        for row, line in zip(table.rows, table.cells, strict=True)
    ]
    return replace(table, cells=cells)


def _heat(cell: Cell, mean: bool) -> str:
    if cell.value is None:
        return ""
    ratio = cell.value if mean else cell.ratio
    if ratio is None:
        return "heat-0" if cell.bold else ""
    return f"heat-{sum(ratio > bound for bound in _HEAT)}"


def _linked(table: Table, ui: str | None, experiment_id: str) -> Table:
    """Every figure with a link to its runs: MLflow's pages, else the report's list of runs."""
    cells = [[_with_link(cell, ui, experiment_id) for cell in line] for line in table.cells]
    return replace(table, cells=cells)


def _with_link(cell: Cell, ui: str | None, experiment_id: str) -> Cell:
    if not cell.run_ids:
        return cell
    if ui is None:
        return replace(cell, href="#runs")
    if len(cell.run_ids) == 1:
        return replace(cell, href=links.run_page(ui, experiment_id, cell.run_ids[0]))
    return replace(cell, href=links.compare_page(ui, experiment_id, cell.run_ids))
