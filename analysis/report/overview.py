"""The one plot of the answer: tasks down, a dot a run, backends by colour and marker."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from analysis.compare import statistics
from analysis.compare.measures import MEAN_EPOCH, STEADY
from analysis.compare.samples import Sample
from analysis.report import svg
from analysis.report.palette import Style
from analysis.tables.answer import Answer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 760 / 72  # inches at 72 dots an inch
_LANE = 0.115  # of a row, between two backends
# What the variables of the report's style sheet are in a file that stands alone.
THEMES = {
    "light": {"var(--ink)": "#1f2328", "var(--grid)": "#d0d7de", "var(--paper)": "#ffffff"},
    "dark": {"var(--ink)": "#e6edf3", "var(--grid)": "#3d444d", "var(--paper)": "#0d1117"},
}


def figure(answer: Answer, styles: Mapping[str, Style]) -> "Figure":
    """Seconds per training epoch on a logarithmic axis; the bar is the median, the line its
    interval.
    """
    from matplotlib.figure import Figure

    count = len(answer.samples)
    drawn = Figure(figsize=(_WIDTH, 1.1 + 0.62 * count), layout="constrained")
    axes = drawn.add_subplot()
    backends = [column.key for column in answer.speed.columns]
    measure = MEAN_EPOCH if answer.speed.measure == MEAN_EPOCH.key else STEADY
    for row, line in enumerate(answer.samples):
        axes.axhline(row + 0.5, color=svg.GRID, linewidth=0.6, zorder=1)
        for lane, (backend, sample) in enumerate(zip(backends, line, strict=True)):
            if sample is not None and len(sample.values(measure)):
                offset = (lane - (len(backends) - 1) / 2) * _LANE
                _backend(axes, row + offset, sample, styles[backend], measure is STEADY)
    _axes(axes, [row.label for row in answer.speed.rows][:count], measure.unit)
    _legend(axes, answer, styles)
    return drawn


def _backend(axes: "Axes", y: float, sample: Sample, style: Style, interval: bool) -> None:
    values = sample.values(STEADY if interval else MEAN_EPOCH)
    bounds = statistics.median_interval(values, epochs=sample.epochs(STEADY)) if interval else None
    if bounds is not None:
        axes.plot([bounds.low, bounds.high], [y, y], color=style.colour, linewidth=1.4, zorder=2)
    centre = statistics.median(values)
    axes.plot([centre], [y], "|", color=svg.INK, markersize=9, markeredgewidth=1.8, zorder=4)
    for value in values:
        axes.plot(
            [float(value)],
            [y],
            style.marker,
            markersize=4.6,
            markeredgewidth=0.7,
            markeredgecolor=svg.INK,
            markerfacecolor=style.colour if sample.valid else "none",
            zorder=3,
        )


def _axes(axes: "Axes", labels: Sequence[str], unit: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(LogLocator(base=10, subs=()))
    axes.grid(axis="x")
    axes.set_xlabel(f"{unit} per training epoch, logarithmic: further left is faster")


def _legend(axes: "Axes", answer: Answer, styles: Mapping[str, Style]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            marker=styles[column.key].marker,
            linestyle="none",
            markersize=6,
            markerfacecolor=styles[column.key].colour,
            markeredgecolor=svg.INK,
            markeredgewidth=0.7,
            label=column.label,
        )
        for column in answer.speed.columns
    ]
    columns = math.ceil(len(handles) / 2) if len(handles) > 4 else len(handles)
    axes.figure.legend(handles=handles, loc="outside upper center", ncols=columns, fontsize=10)


def words(answer: Answer) -> str:
    """The plot for a screen reader."""
    lines = []
    for row, cells in zip(answer.speed.rows, answer.speed.cells, strict=True):
        figures = ", ".join(
            f"{column.label} {cell.plain}"
            for column, cell in zip(answer.speed.columns, cells, strict=True)
        )
        lines.append(f"{row.label}: {figures}")
    return "; ".join(lines)


def standalone(element: str, theme: str) -> str:
    """The SVG element as a file of its own, in the colours of a theme ("light" or "dark")."""
    for variable, colour in THEMES[theme].items():
        element = element.replace(variable, colour)
    head = '<svg xmlns="http://www.w3.org/2000/svg" font-family="Helvetica,Arial,sans-serif"'
    return element.replace("<svg", head, 1) + "\n"
