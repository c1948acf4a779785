"""Which column of a table a run stands in, and how that column is called.

A column is one device (and host, for processors), one protocol id and one source: figures are divided inside a
column, never across. Its label names the device, and of the rest only what tells it from its neighbours.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

PLACE = "place"  # the column that `placed` adds: a key of `places`
_KEYS = ("source_name", "device_name", "place_host", "protocol_id")
_TOLD = (
    "source_name",
    "device_name",
    "device_kind",
    "place_host",
    "protocol_id",
    "keras_generation",
    "profile",
    "threads",
    "data_source",
    "hyper",
    "epochs",
)
_PROFILES = {"smoke": 0, "quick": 1, "published": 2, "tuned": 3}


@dataclass(frozen=True)
class Place:
    """What a column stands for; `work` is the note that tells published figures' work apart."""

    key: str
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
        """What columns of different tasks must share to be put into one wide table or one summary."""
        return (
            self.source,
            self.device,
            self.host,
            self.generation,
            self.profile,
            self.threads,
            self.data,
        )


def placed(frame: "pd.DataFrame", *, pool_hosts: bool = False) -> "pd.DataFrame":
    """The runs with the key of their place in a column `place`.

    Two machines may have the same processor's name and another number of cores or memory: hosts part the columns
    of processors, unless `pool_hosts`. A GPU is told by its name.
    """
    frame = _with_lost_places(frame)
    published = frame["source"] == "published"
    frame = frame.assign(
        source_name=frame["published_source"].where(published, "measured").fillna("measured"),
        place_host=frame["host"].where((frame["device_kind"] != "gpu") & (not pool_hosts)),
    )
    key = frame["task"].fillna("")
    for column in _KEYS:
        key = key + "|" + frame[column].fillna("").astype("str")
    return frame.assign(**{PLACE: key})


def _with_lost_places(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Runs that ended before their protocol id was settled stand where their like would have stood.

    If there is one such column; else in one of its own that names the device as it was asked for.
    """
    lost = frame["protocol_id"].isna() | frame["device_name"].isna()
    if not lost.any():
        return frame
    frame = frame.copy()
    alike = ["task", "keras_generation", "profile", "gpu", "host"]
    known = frame[~lost].groupby(alike, dropna=False)[["device_name", "device_kind", "protocol_id"]]
    only = {key: group.iloc[0] for key, group in known if group.drop_duplicates().shape[0] == 1}
    for place in frame.index[lost]:
        found = only.get(tuple(frame.loc[place, alike]))
        if found is not None:
            frame.loc[place, ["device_name", "device_kind", "protocol_id"]] = list(found)
        elif frame["device_name"].isna()[place]:
            frame.loc[place, "device_name"] = frame.loc[place, "gpu"]
    return frame


def places(frame: "pd.DataFrame") -> dict[str, Place]:
    """Every place of `placed` runs, by key, in the order of columns.

    A run that ended early knows neither its data nor its threads: each fact is the first that any run tells.
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


def _place(row: dict[Any, Any]) -> Place:
    from analysis.store.frame import work_of

    return Place(
        key=row[PLACE],
        source=_text(row["source_name"]),
        device=_text(row["device_name"]) or "unknown device",
        kind=_text(row["device_kind"]),
        host=_text(row["place_host"]),
        protocol=_text(row["protocol_id"]),
        generation=_text(row["keras_generation"]),
        profile=_text(row["profile"]),
        threads=_text(row["threads"]),
        data=_text(row["data_source"]),
        work=work_of(row["hyper"]),
        epochs=_text(row["epochs"]),
    )


def _text(value: Any) -> str:
    import pandas as pd

    return "" if pd.isna(value) else str(value)
