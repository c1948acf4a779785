"""Drawings of the report, one panel each: from plain numbers to matplotlib figures.

A panel is narrow enough for a phone; a figure of the report is several of them. What is drawn was
computed elsewhere. Backends differ in colour, marker and dash at once (`analysis.report.palette`).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.report import svg
from analysis.report.palette import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 350 / 72  # inches at 72 dots: a panel is 350 px wide
LOG_FROM = 6.0  # largest / smallest value from which an axis is logarithmic


@dataclass(frozen=True)
class Sample:
    """The runs of one backend in a panel.

    values: one figure per run, in seconds. open_: whether a run's dot is drawn open (flagged or
    diverged). centre, low, high: median and interval where enough runs stand behind one.
    """

    label: str
    backend: str
    values: Sequence[float]
    open_: Sequence[bool]
    centre: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Point:
    """One backend's figure at a place; `open_` where it is doubtful."""

    backend: str
    value: float
    open_: bool = False


@dataclass(frozen=True)
class Line:
    """One run's, or one backend's, curve; a faint one is drawn thin and without markers."""

    backend: str
    x: Sequence[float]
    y: Sequence[float]
    faint: bool = False


@contextmanager
def drawing() -> Iterator[None]:
    """matplotlib's settings while panels are drawn and converted; nothing of them stays behind."""
    import logging

    import matplotlib as mpl

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with mpl.rc_context(svg.settings()):
        yield


def _panel(height: float) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def dots(samples: Sequence[Sample], styles: Mapping[str, Style], label: str) -> "Figure":
    """Every run's dot, and the median with its interval, one row per sample, fastest on top."""
    figure, axes = _panel(0.75 + 0.36 * len(samples))
    for row, sample in enumerate(samples):
        style = styles[sample.backend]
        if sample.low is not None and sample.high is not None:
            axes.plot([sample.low, sample.high], [row, row], color=svg.INK, linewidth=1.2, zorder=2)
            axes.plot(
                [sample.low, sample.high], [row, row], "|", color=svg.INK, markersize=9, zorder=2
            )
        if sample.centre is not None:
            axes.plot(
                [sample.centre],
                [row],
                "|",
                color=svg.INK,
                markersize=17,
                markeredgewidth=2.2,
                zorder=4,
            )
        for value, open_, offset in zip(
            sample.values, sample.open_, _spread(len(sample.values)), strict=True
        ):
            axes.plot(
                [value],
                [row + offset],
                style.marker,
                markersize=6,
                markeredgewidth=1.1,
                zorder=3,
                markeredgecolor=style.colour if open_ else svg.INK,
                markerfacecolor="none" if open_ else style.colour,
            )
    axes.set_yticks(range(len(samples)), [clipped(sample.label) for sample in samples])
    axes.set_ylim(len(samples) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    _scale(axes, "x", [value for sample in samples for value in sample.values], label)
    return figure


def places(
    rows: Sequence[tuple[str, Sequence[Point]]], styles: Mapping[str, Style], label: str
) -> "Figure":
    """One row per place, in it a mark for each backend: open where it is doubtful. An empty row
    parts two groups.

    Places have long names: they stand above their marks, so that a narrow panel keeps its width for
    the axis.
    """
    figure, axes = _panel(0.75 + 0.42 * len(rows))
    for row, (name, points) in enumerate(rows):
        axes.axhline(row, color=svg.GRID, linewidth=0.6 if points else 0.0, zorder=1)
        axes.text(
            0.0,
            row - 0.24,
            clipped(name, 56),
            transform=axes.get_yaxis_transform(),
            va="bottom",
            fontsize=svg.FONT_SIZE - 1,
        )
        for point in points:
            style = styles[point.backend]
            axes.plot(
                [point.value],
                [row],
                style.marker,
                markersize=7,
                markeredgewidth=1.1,
                zorder=3,
                markeredgecolor=style.colour if point.open_ else svg.INK,
                markerfacecolor="none" if point.open_ else style.colour,
            )
    axes.set_yticks([])
    axes.set_ylim(len(rows) - 0.45, -0.8)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    _scale(axes, "x", [point.value for _, points in rows for point in points], label)
    return figure


def clipped(text: str, length: int = 30) -> str:
    """A label that leaves room for the drawing."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _spread(count: int) -> list[float]:
    """Small vertical offsets that part dots of nearly the same value."""
    return [0.0] if count == 1 else [0.3 * ((index * 0.618) % 1.0 - 0.5) for index in range(count)]


def _scale(axes: "Axes", axis: str, values: Sequence[float], label: str) -> None:
    """A linear axis from zero, or a logarithmic one where the values differ by much; its label says
    which.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

    known = [value for value in values if math.isfinite(value) and value > 0]
    logarithmic = bool(known) and max(known) / min(known) > LOG_FROM
    set_scale, set_limits, set_label = (
        (axes.set_xscale, axes.set_xlim, axes.set_xlabel)
        if axis == "x"
        else (axes.set_yscale, axes.set_ylim, axes.set_ylabel)
    )
    ticks = axes.xaxis if axis == "x" else axes.yaxis
    if logarithmic:
        set_scale("log")
        set_limits(min(known) / 1.35, max(known) * 1.35)
        ticks.set_major_locator(_log_locator(max(known) / min(known)))
        ticks.set_minor_formatter(NullFormatter())
        ticks.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:,g}" if value < 1e6 else f"{value:.0e}")
        )
    elif known:
        set_limits(0, max(known) * 1.12)
        ticks.set_major_locator(MaxNLocator(5))
    set_label(f"{label}, log scale" if logarithmic else label)


def _log_locator(ratio: float) -> Any:
    from matplotlib.ticker import LogLocator

    return LogLocator(subs=(1.0, 2.0, 5.0) if ratio < 15 else (1.0, 3.0) if ratio < 100 else (1.0,))


def curves(
    lines: Sequence[Line],
    styles: Mapping[str, Style],
    x_label: str,
    y_label: str,
    *,
    whole_x: bool = False,
    log_x: bool = False,
) -> "Figure":
    """Curves over epochs or seconds; each backend has its colour, dash and marker."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = _panel(3.0)
    for line in sorted(lines, key=lambda one: not one.faint):
        style = styles[line.backend]
        if line.faint:
            axes.plot(line.x, line.y, color=style.colour, linewidth=0.7, alpha=0.45, zorder=2)
        else:
            axes.plot(
                line.x,
                line.y,
                color=style.colour,
                linestyle=style.linestyle,
                marker=style.marker,
                markersize=5.5,
                markeredgecolor=svg.INK,
                markeredgewidth=0.8,
                zorder=3,
                markevery=max(1, len(line.x) // 8),
            )
    if log_x:
        _scale(axes, "x", [value for line in lines for value in line.x], x_label)
    else:
        axes.set_xlabel(x_label)
    if whole_x:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_ylabel(y_label)
    axes.grid()
    return figure


def heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    value: Callable[[str, str], tuple[float | None, str]],
) -> "Figure":
    """Ratios to the best of each row, written into their cells; the colour only repeats the number.

    value(row, column): the ratio (None: none can be given) and the text of the cell.
    """
    from matplotlib.patches import Rectangle

    figure, axes = _panel(0.95 + 0.42 * len(rows))
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            ratio, text = value(row, column)
            fill, ink = ("none", svg.INK) if ratio is None else _shade(ratio)
            axes.add_patch(
                Rectangle(
                    (x - 0.48, y - 0.46),
                    0.96,
                    0.92,
                    facecolor=fill,
                    edgecolor=svg.GRID,
                    linewidth=0.6,
                    linestyle=":" if ratio is None else "solid",
                )
            )
            axes.text(x, y, text, ha="center", va="center", color=ink, fontsize=svg.FONT_SIZE - 0.5)
    axes.set_xticks(
        range(len(columns)),
        [clipped(name) for name in columns],
        rotation=35,
        ha="left",
        rotation_mode="anchor",
    )
    axes.set_yticks(range(len(rows)), [clipped(name) for name in rows])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_xlim(-0.55, max(len(columns), 3) - 0.45)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.spines[:].set_visible(False)
    return figure


def _shade(ratio: float) -> tuple[str, str]:
    """Fill and ink of a ratio: cividis, lightest for 1 and darkest from 10 on, the same scale in
    every map.
    """
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    red, green, blue, _ = colormaps["cividis"](1.0 - 0.9 * min(math.log10(max(ratio, 1.0)), 1.0))
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.45
    return to_hex((red, green, blue)), "#000000" if light else "#ffffff"


def key_picture(style: Style, name: str, title: str) -> str:
    """The mark of a backend as a small SVG element for a figure's key."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(48 / 72, 16 / 72))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.plot(
        [0, 1, 2],
        [0, 0, 0],
        color=style.colour,
        linestyle=style.linestyle,
        marker=style.marker,
        markersize=6,
        markeredgecolor=svg.INK,
        markeredgewidth=0.8,
        markevery=[1],
    )
    axes.set_axis_off()
    return svg.element(figure, name, title, f"how {title} is drawn")
