"""How every run of a sweep ended, and the table that says so at the end."""

from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from experiments import names
from experiments.sweeps.grid import Cell

COLUMNS = ("cell", "finished", "failed", "left", "steady s/epoch", "validation", "ended badly")


@dataclass(frozen=True)
class Result:
    """One run's end; `earlier` where it was measured before this sweep was started."""

    state: str
    reason: str | None = None
    figures: dict[str, float] = field(default_factory=dict)
    earlier: bool = False
    folder: str = ""

    @property
    def complete(self) -> bool:
        """Whether it trained to its planned end."""
        return self.state in names.COMPLETE_STATES


Results = dict[tuple[str, int], Result]


def counts(cells: list[Cell], results: Results) -> tuple[int, int, int]:
    """(finished, failed, left) over all runs of the sweep."""
    planned = sum(cell.repetitions for cell in cells)
    finished = sum(result.complete for result in results.values())
    return finished, len(results) - finished, planned - len(results)


def rows(cells: list[Cell], results: Results) -> list[tuple[str, ...]]:
    """One row of text per cell, under COLUMNS; medians over its finished repetitions."""
    return [_row(cell, [results.get((cell.key, n)) for n in range(1, cell.repetitions + 1)]) for cell in cells]


def _row(cell: Cell, ended: list[Result | None]) -> tuple[str, ...]:
    done = [result for result in ended if result is not None]
    good = [result for result in done if result.complete]
    bad = Counter(result.state for result in done if not result.complete or result.state == names.DIVERGED)
    earlier = sum(result.earlier for result in good)
    finished = f"{len(good)} ({earlier} before)" if earlier else str(len(good))
    return (
        cell.title, finished, str(len(done) - len(good)), str(len(ended) - len(done)),
        _median(good, ("steady_train_seconds",), "{:.3g}"),
        _median(good, ("last_val_accuracy", "last_val_loss"), "{:.4f}"),
        ", ".join(state if n == 1 else f"{n} {state}" for state, n in sorted(bad.items())),
    )


def _median(results: list[Result], keys: tuple[str, ...], layout: str) -> str:
    for key in keys:
        values = [result.figures[key] for result in results if key in result.figures]
        if values:
            return layout.format(median(values))
    return "–"


def markdown(cells: list[Cell], results: Results) -> str:
    """The table for MLflow's artifact view."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    lines += ["| " + " | ".join(row) + " |" for row in rows(cells, results)]
    return "\n".join(lines) + "\n"


def show(cells: list[Cell], results: Results, headline: str) -> None:
    """Print the table at the end of a sweep."""
    import shutil

    from rich.console import Console
    from rich.table import Table

    table = Table(title=headline, title_justify="left", title_style="bold")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("cell", "ended badly") else "right",
                         overflow="fold", no_wrap=column == "cell")
    for row in rows(cells, results):
        table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(120, shutil.get_terminal_size().columns))
    console.print(table)
