"""What a sweep prints when it has ended: the answer, and links to MLflow's pages that show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis import titles
from analysis.report.links import compare_page, ui_address
from analysis.store.journals import frame_of
from analysis.store.read import read
from analysis.store.select import Choice
from analysis.tables.answer import answers
from analysis.tables.views import answer_text
from experiments.journal import journal
from experiments.system.paths import runs_root
from experiments.tracking.store import redacted, sqlite_path

if TYPE_CHECKING:
    import pandas as pd

_LOCAL_UI = "http://127.0.0.1:5000"  # where `mlflow ui` serves unless told otherwise


@dataclass(frozen=True)
class Grid:
    """What a sweep was over; the answer shows all finished runs of it, earlier ones included."""

    tasks: Sequence[str]
    backends: Sequence[str]
    profiles: Sequence[str]


def text(uri: str | None, experiment: str, grid: Grid) -> str:
    """The answer and the links. uri: the store, None if the runs are in journals only.

    Raises UserError if there is no run to show.
    """
    frame = _frame(uri, experiment)
    chosen = frame[
        frame["task"].isin(grid.tasks)
        & frame["backend"].isin(grid.backends)
        & frame["profile"].isin(grid.profiles)
    ]
    shown = answer_text(answers(chosen, Choice()), [])
    return shown + "".join(f"{line}\n" for line in _links(uri, chosen))


def _frame(uri: str | None, experiment: str) -> "pd.DataFrame":
    if uri is not None:
        return read(uri, experiment).frame
    paths = sorted(runs_root().glob(f"*/{journal.FILE_NAME}"))
    return frame_of(journal.read(path).events for path in paths)


def _links(uri: str | None, frame: "pd.DataFrame") -> list[str]:
    """A compare page for each task with several backends: the newest finished run of each."""
    if uri is None:
        return []
    server = ui_address(None, uri)
    links = []
    for task in titles.ordered(set(frame["task"]), titles.TASKS):
        done = frame[(frame["task"] == task) & (frame["mlflow_status"] == "FINISHED")]
        newest = done.groupby("backend")["run_id"].last()
        page = compare_page(server or _LOCAL_UI, str(frame["experiment_id"].iloc[0]), list(newest))
        if page is not None:
            links.append(f"  {titles.task_title(task)}: {page}")
    if not links:
        return []
    start = "" if server else f" (start it: {_start(uri)})"
    return ["", f"Backends side by side in MLflow's UI{start}", *links]


def _start(uri: str) -> str:
    path = sqlite_path(uri)
    return f"mlflow ui --backend-store-uri {redacted(uri) if path is None else uri}"
