"""The results block of the README, from committed results: a sentence, table, plot, caption.

The block stands between two markers; everything outside of them is left as it is.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.compare.layout import board
from analysis.report import overview, plots, svg
from analysis.report.palette import styles
from analysis.store.journals import frame_of
from analysis.store.select import Choice
from analysis.tables.answer import MEAN, Answer, answers_of
from analysis.tables.model import Cell
from analysis.titles import listed
from experiments.errors import ConfigError, DataError, FailedRun
from experiments.sharing.pack import MACHINE, read
from experiments.system.paths import project_root, write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
PLOT = "answer-{theme}.svg"


def write_block(readme: Path, results: Path) -> list[Path]:
    """Write the block and its plots; returns the files that changed.

    results: a folder of packed journals. Raises ConfigError if the README lacks the markers, or the
    results have several machines; DataError if they cannot be read.
    """
    wanted = contents(readme, results)
    changed = [path for path, text in wanted.items() if not _same(path, text)]
    for path in changed:
        write_whole(path, wanted[path])
    return changed


def check_block(readme: Path, results: Path) -> None:
    """Raise FailedRun if the README or the plots are not what the results give."""
    stale = [path for path, text in contents(readme, results).items() if not _same(path, text)]
    if stale:
        names = ", ".join(path.name for path in stale)
        raise FailedRun(f"{names}: not up to date; run `python -m analysis readme`")


def contents(readme: Path, results: Path) -> dict[Path, str]:
    """What the README and the plots should contain, by path."""
    answer = _answer(results)
    found = {readme: _replaced(readme, _block(answer, results, readme.parent))}
    with plots.drawing():
        look = styles(column.key for column in answer.speed.columns)
        title = "Seconds per training epoch of each backend on each network"
        drawn = overview.figure(answer, look)
        element = svg.element(drawn, "answer", title, overview.words(answer))
    for theme in overview.THEMES:
        path = results / PLOT.format(theme=theme)
        found[path] = overview.standalone(element, theme)
    return found


def newest_results() -> Path:
    """The newest folder under results/ that has packed journals. ConfigError if there is none."""
    folders = sorted(path.parent for path in (project_root() / "results").glob(f"*/{MACHINE}"))
    if not folders:
        raise ConfigError("results/ contains no packed journals; see `python -m experiments share`")
    return folders[-1]


def _answer(results: Path) -> Answer:
    frame = frame_of(read(results).values())
    found = answers_of(board(frame, Choice(), by_work=True))
    if len(found) != 1:
        raise ConfigError(f"{results} has {len(found)} places; the README shows the results of one")
    return found[0]


def _replaced(readme: Path, block: str) -> str:
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise ConfigError(f"{readme}: needs one {BEGIN} and, after it, one {END}")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def _block(answer: Answer, results: Path, root: Path) -> str:
    columns = answer.speed.columns
    heads = [column.label.replace(" (", "<br>(") for column in columns]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(columns)]
    for row, cells in zip(answer.speed.rows, answer.speed.cells, strict=True):
        label = f"*{row.label}*" if row.key == MEAN else row.label
        lines.append(f"| {label} | " + " | ".join(map(_cell, cells)) + " |")
    where = results.resolve().relative_to(root.resolve()).as_posix()
    dark, light = (f"{where}/{PLOT.format(theme=theme)}" for theme in ("dark", "light"))
    picture = (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="A dot for every run: seconds per training epoch, by network and '
        f'backend" width="760"></picture>'
    )
    caption = _caption(answer, results, where)
    return "\n".join(["", fastest(answer), "", *lines, "", picture, "", *caption, ""])


def fastest(answer: Answer) -> str:
    """The answer in a sentence: which backend is fastest on which networks, ties together."""
    networks: dict[str, list[str]] = {}
    for row, cells in zip(answer.speed.rows, answer.speed.cells, strict=True):
        columns = zip(answer.speed.columns, cells, strict=True)
        best = [column.label.partition(" (")[0] for column, cell in columns if cell.bold]
        if best and row.key != MEAN:
            networks.setdefault(listed(best), []).append(row.label)
    groups = [
        f"{'no difference shown between ' if ' and ' in best else ''}**{best}** ({', '.join(rows)})"
        for best, rows in sorted(networks.items(), key=lambda group: " and " in group[0])
    ]
    return f"Fastest here: {'; '.join(groups)}." if groups else "No run counts yet."


def _cell(cell: Cell) -> str:
    if cell.absent:
        return cell.absent
    text = f"**{cell.text}**" if cell.bold else cell.text
    return f"{text} ({cell.ratio_text})" if cell.ratio_text else text


def _caption(answer: Answer, results: Path, where: str) -> "Sequence[str]":
    machine = _machine(results)
    runs = max(cell.runs for line in answer.speed.cells for cell in line)
    commit = ", ".join(str(one)[:7] for one in machine["git_commit"])
    data = "; ".join(
        f"{about['what'] or name} ({', '.join(about['digest'])})"
        for name, about in machine["data"].items()
    )
    return [
        f"Seconds per training epoch (median of {runs} runs, epochs 2 to the last), and how many "
        "times the row's fastest; bold is the fastest and all that are tied with it. "
        f"{answer.place}; measured {machine['first_event'][:10]} at commit {commit} "
        f"({machine['cpu_physical']} cores, {machine['system'].split('-')[0]}). "
        "Two cores and a share of the data: speeds count, qualities do not yet.",
        "",
        f"Data, by digest: {data}. Journals, machine and note: [{where}]({where}/NOTE.md); "
        "made by `python -m analysis readme`.",
    ]


def _machine(results: Path) -> dict[str, Any]:
    path = results / MACHINE
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    return found


def _same(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except OSError:
        return False
