"""Which column of a table a run stands in, and how that column is called.

A column is one device (and host, for processors), one protocol id and one source: figures are
divided inside a column, never across. Its label names the device, and of the rest only what tells
it from its neighbours.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

PLACE = "place"  # the column that `placed` adds: a key of `places`
_KEYS = ("source_name", "device_name", "place_host", "work_key")
_TOLD = (
    "task",
    "work_key",
    "source_name",
    "device_name",
    "device_kind",
    "place_host",
    "protocol_id",
    "place_generation",
    "profile",
    "threads",
    "data_source",
    "hyper",
    "epochs",
)
_PROFILES = {"smoke": 0, "quick": 1, "published": 2, "tuned": 3}


@dataclass(frozen=True)
class Condition:
    """What a column stands for; `work` is the note that tells published figures' work apart."""

    key: str
    task: str
    identity: str  # hash of the work, or the protocol id
    source: str
    device: str
    kind: str
    host: str
    protocol: str
    generation: str
    profile: str
    threads: str
    data: str
    work: str
    epochs: str

    @property
    def published(self) -> bool:
        """Whether its figures are others'."""
        return self.source != "measured"

    @property
    def group(self) -> tuple[str, ...]:
        """What columns of different tasks must share to be in one wide table or summary."""
        return (
            self.source,
            self.device,
            self.host,
            self.generation,
            self.profile,
            self.threads,
            self.data,
        )


def placed(
    frame: "pd.DataFrame", *, pool_hosts: bool = False, by_work: bool = False
) -> "pd.DataFrame":
    """The runs with the key of their condition in a column `place`.

    by_work: equal work in an equal place is one condition, whatever the stack: training times of
    Keras 2 and 3 may be divided. Otherwise the protocol id decides, which separates the
    generations: validation is done differently by them. Two machines may have the same processor's
    name and another number of cores or memory, so CPU columns are split by host, unless
    `pool_hosts`; a GPU is known by its name.
    """
    frame = _with_lost_places(frame, by_work)
    published = frame["source"] == "published"
    work = frame["protocol_id"]
    if by_work:
        pinned = frame["affinity"].where(frame["affinity"] != "null")
        threads = frame["threads"].astype("str") + pinned.fillna("")
        work = (frame["work_id"] + "/" + threads).fillna(frame["protocol_id"])
    frame = frame.assign(
        source_name=frame["published_source"].where(published, "measured").fillna("measured"),
        place_host=frame["host"].where((frame["device_kind"] != "gpu") & (not pool_hosts)),
        work_key=work,
        # By work, a condition has stacks of several generations.
        place_generation=None if by_work else frame["keras_generation"],
    )
    key = frame["task"].fillna("")
    for column in _KEYS:
        key = key + "|" + frame[column].fillna("").astype("str")
    return frame.assign(**{PLACE: key})


# Filled in for a run that ended before its work was settled, from runs that were to do the same.
_SETTLED = ("device_name", "device_kind", "protocol_id")
_SETTLED_BY_WORK = (*_SETTLED[:2], "work_id", "threads", "affinity", "data_source", "epochs")


def _with_lost_places(frame: "pd.DataFrame", by_work: bool) -> "pd.DataFrame":
    """Runs that ended before their work was settled go where runs like them are.

    If there is exactly one such condition; otherwise into one of their own, with the device that
    was asked for as its name.
    """
    identity = "work_id" if by_work else "protocol_id"
    lost = frame[identity].isna() | frame["device_name"].isna()
    if by_work:
        lost &= frame["source"] != "published"
    if not lost.any():
        return frame
    frame = frame.copy()
    generation = [] if by_work else ["keras_generation"]
    alike = ["task", *generation, "profile", "gpu", "host"]
    settled = list(_SETTLED_BY_WORK if by_work else _SETTLED)
    groups = frame[~lost].groupby(alike, dropna=False)[settled]
    only = {key: group.iloc[0] for key, group in groups if len(group.drop_duplicates()) == 1}
    for i in frame.index[lost]:
        found = only.get(tuple(frame.loc[i, alike]))
        if found is not None:
            frame.loc[i, settled] = list(found)
        elif frame["device_name"].isna()[i]:
            frame.loc[i, "device_name"] = frame.loc[i, "gpu"]
    return frame


def places(frame: "pd.DataFrame") -> dict[str, Condition]:
    """Every place of `placed` runs, by key, in the order of columns.

    A run that ended early knows neither its data nor its threads: each fact is the first that any
    run tells.
    """
    first = frame[[PLACE, *_TOLD]].groupby(PLACE, sort=False, as_index=False).first()
    found = [_place(row) for row in first.to_dict("records")]
    found.sort(
        key=lambda place: (
            place.published,
            place.kind,
            place.device,
            place.host,
            place.generation,
            _PROFILES.get(place.profile, 9),
            place.data,
            place.threads,
            place.work,
            place.key,
        )
    )
    return {place.key: place for place in found}


def _place(row: dict[Any, Any]) -> Condition:
    from analysis.store.frame import work_of

    return Condition(
        key=row[PLACE],
        task=_text(row["task"]),
        identity=_text(row["work_key"]),
        source=_text(row["source_name"]),
        device=_text(row["device_name"]) or "unknown device",
        kind=_text(row["device_kind"]),
        host=_text(row["place_host"]),
        protocol=_text(row["protocol_id"]),
        generation=_text(row["place_generation"]),
        profile=_text(row["profile"]),
        threads=_text(row["threads"]),
        data=_text(row["data_source"]),
        work=work_of(row["hyper"]),
        epochs=_text(row["epochs"]),
    )


def _text(value: Any) -> str:
    import pandas as pd

    return "" if pd.isna(value) else str(value)
