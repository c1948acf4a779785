"""The tidy table from journals alone, without a store: what committed results are read through."""

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from analysis.store.frame import to_frame
from experiments import names
from experiments.journal.events import Event
from experiments.tracking.translation import Translation, milliseconds

if TYPE_CHECKING:
    import pandas as pd


def frame_of(journals: Iterable[Sequence[Event]]) -> "pd.DataFrame":
    """One row per journal, with the columns that `analysis.load` gives, oldest first.

    journals: the events of each run. One without a `job` event holds no run and is left out.
    """
    runs = [run for events in journals if (run := _run(events)) is not None]
    frame = to_frame(runs)
    return frame.sort_values(["start_time", "run_id"], ignore_index=True)


def _run(events: Sequence[Event]) -> Any:
    """A run as MLflow's client would give it, from its journal."""
    job = next((event for event in events if event["event"] == "job"), None)
    if job is None:
        return None
    translation = Translation(job)
    for event in events:
        translation.apply(event)
    closed = next((event for event in events if event["event"] == "closed"), None)
    state = closed["state"] if closed else names.KILLED
    # A metric of a run is its last value, as in MLflow.
    metrics = {name: value for name, value, _, _ in translation.metrics}
    info = SimpleNamespace(
        run_id=str(job["id"]),
        run_name=job["name"],
        experiment_id="",
        status=names.MLFLOW_STATUS.get(state, "FAILED"),
        start_time=milliseconds(job),
        end_time=milliseconds(closed) if closed else None,
    )
    data = SimpleNamespace(tags=translation.tags, params=translation.params, metrics=metrics)
    return SimpleNamespace(info=info, data=data)
