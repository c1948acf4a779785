"""Lines above a table: what must be read with it."""

from collections.abc import Sequence

from analysis import titles
from analysis.compare import statistics
from analysis.compare.conditions import Condition
from analysis.tables.model import Cell, Column


def head_lines(
    places: Sequence[Condition],
    columns: Sequence[Column],
    cells: Sequence[Sequence[Cell]],
    is_quality: bool = False,
) -> list[str]:
    """What must be read with the table: synthetic data, how many runs, what the brackets cover."""
    lines = []
    synthetic = [
        column.label
        for place, column in zip(places, columns, strict=True)
        if place.data == "synthetic"
    ]
    if synthetic:
        where = (
            "all columns" if len(synthetic) == len(columns) else "; ".join(dict.fromkeys(synthetic))
        )
        lines.append(
            f"SYNTHETIC data ({where}): timings are valid for these shapes; "
            "accuracies and losses are meaningless."
        )
    measured = {place.key for place in places if not place.published}
    counts = [
        one.runs
        for line in cells
        for one, column in zip(line, columns, strict=True)
        if one.runs and column.key in measured
    ]
    if counts:
        lines.append(_runs_line(min(counts), max(counts), is_quality))
        intervals = {(one.runs, one.coverage) for line in cells for one in line if one.coverage}
        if intervals:
            lines.append(_coverage_line(intervals))
    elif any(one.runs for line in cells for one in line):
        lines.append(
            "Published results: one run per cell, no spread is known; "
            "bold is the best figure as printed."
        )
    return lines


def _runs_line(fewest: int, most: int, is_quality: bool) -> str:
    count = titles.counted(fewest, "run") if fewest == most else f"{fewest} to {most} runs"
    alone = (
        "nothing is bold" if is_quality else "bold is the best figure and what is within 3 % of it"
    )
    if most < statistics.MIN_FOR_INTERVAL:
        trust = f"too few to show a difference: {alone}"
    elif fewest < statistics.MIN_FOR_INTERVAL:
        trust = (
            f"bold cannot be told from the best; one or two runs show no difference, {alone} there"
        )
    else:
        trust = "bold cannot be told from the best" + (
            "; provisional below five runs" if fewest < 5 else ""
        )
    return f"Median of {count} per cell ({trust})."


def _coverage_line(intervals: set[tuple[int, float]]) -> str:
    ranges = sorted(
        (runs, coverage) for runs, coverage in intervals if runs < statistics.MIN_FOR_BOOTSTRAP
    )
    parts = [
        f"the range, which covers the median with {100 * coverage:.4g} % (n = {runs})"
        for runs, coverage in ranges
    ]
    if any(runs >= statistics.MIN_FOR_BOOTSTRAP for runs, _ in intervals):
        parts.append("the 95 % percentile bootstrap interval of the median (n ≥ 6)")
    return f"In brackets: {'; '.join(parts)}."
