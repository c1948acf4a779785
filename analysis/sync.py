"""Bring a cached table up to date with its store, by asking only what a change could have moved.

A finished run's figures never change, but it may be deleted, restored, resumed or re-tagged, and MLflow keeps
no time of that. Whether n known runs are still there, with the tags they had, is one question with one run as
its answer: *the n-th of those that match*. Where the answer is empty, halves of the n are asked. New runs are
found by comparing the order of ids, which MLflow sorts by start time and id. Anything unexpected, and every
small store, is simply read again.
"""

import base64
import json
from typing import TYPE_CHECKING, Any

from analysis import store
from experiments import collector, names

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

SMALL = 5000        # up to so many runs, reading all is as fast as asking (1.6 ms a run against 5 s and more)
CHUNK = 500         # ids per question; longer lists are slow to parse
_FEW = 8            # so many suspects are read, not halved again
_GIVE_UP = 0.2      # more changed than this share of the store: read all
_MAX_ROUNDS = 50

# Tags that decide where a run stands in a table, or whether it does: column of the tidy table -> tag.
VERIFIED = {
    "schema": names.TAG_SCHEMA, "kind": names.TAG_KIND, "state": names.TAG_STATE, "flags": names.TAG_FLAGS,
    "source": names.TAG_SOURCE, "published_source": names.TAG_PUBLISHED_SOURCE,
    "protocol_id": names.TAG_PROTOCOL, "data_source": names.TAG_DATA_SOURCE,
    "data_digest": names.TAG_DATA_DIGEST, "device_kind": names.TAG_DEVICE_KIND,
    "device_name": names.TAG_DEVICE_NAME, "keras_generation": names.TAG_GENERATION,
    "quality_metric": names.TAG_QUALITY_METRIC, "host": names.TAG_HOST, "sweep_id": names.TAG_SWEEP,
    "git_commit": names.TAG_COMMIT, "repetition": names.TAG_REPETITION, "block": names.TAG_BLOCK,
    "notes": names.TAG_NOTES, "reason": names.TAG_REASON,
}
_STATUS = "mlflow_status"


class Surprise(Exception):
    """The store does not behave as this module expects; everything is read again."""


def update(client: "MlflowClient", experiment: str, known: "pd.DataFrame") -> tuple["pd.DataFrame", str]:
    """The table as it is now, and how it was got ("updated", or "read" where all was read again)."""
    from mlflow.exceptions import MlflowException

    if len(known) >= SMALL:
        try:
            with collector.paused():
                return _Sync(client, experiment).update(known), "updated"
        except (Surprise, MlflowException):
            pass
    return store.read_all(client, experiment), "read"


def count_others(client: "MlflowClient", experiment: str, ours: int) -> int:
    """How many active runs of the experiment are not ours; counted by position, without fetching them."""
    if not client.search_runs([experiment], max_results=1):
        return 0
    probe = _Sync(client, experiment)
    if not probe.tokens_work() or probe.at(ours, "") is None:
        return 0 if probe.works else _counted(client, experiment) - ours
    low, high = ours, 2 * ours + 64
    while probe.at(high, "") is not None:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if probe.at(middle, "") is not None else (low, middle)
    return high - ours


def _counted(client: "MlflowClient", experiment: str) -> int:
    return sum(len(page) for page in store.pages(client, experiment, ""))


class _Sync:
    """Questions to one experiment of one store."""

    def __init__(self, client: "MlflowClient", experiment: str) -> None:
        self.client, self.experiment = client, experiment
        self.works = True

    def tokens_work(self) -> bool:
        """Whether the store's page tokens are offsets, as those of MLflow's SQL stores and servers are."""
        token = self.client.search_runs([self.experiment], max_results=1).token
        self.works = token is None or _decoded(token) == {"offset": 1}
        return self.works

    def at(self, offset: int, filter_string: str) -> Any:
        """The run at a position (newest first), None behind the last one."""
        page = self._page(offset, filter_string, 1)
        return page[0] if page else None

    def _page(self, offset: int, filter_string: str, size: int) -> list[Any]:
        token = base64.b64encode(json.dumps({"offset": offset}).encode()).decode() if offset else None
        return list(self.client.search_runs([self.experiment], filter_string, max_results=size, page_token=token))

    def update(self, known: "pd.DataFrame") -> "pd.DataFrame":
        """Known runs verified, changed ones read again, gone ones dropped, new ones added."""
        import pandas as pd

        if not self.tokens_work():
            raise Surprise
        # Runs with a reason are few, and their reasons too many and too long to ask about: they are read again.
        moving = ~known[_STATUS].isin(store.TERMINAL) | known["reason"].fillna("").ne("")
        suspects = self.changed(known[~moving])
        if len(suspects) > _GIVE_UP * len(known):
            raise Surprise
        again = [*known.loc[moving, "run_id"], *suspects]
        fresh = self.by_ids(again)
        kept = known[~known["run_id"].isin(again)]
        merged = pd.concat([kept, fresh], ignore_index=True) if len(fresh) else kept
        return self.with_new(merged)

    def changed(self, settled: "pd.DataFrame") -> list[str]:
        """Ids of settled runs that are deleted, resumed, or tagged otherwise than they were."""
        suspects: set[str] = set()
        for columns in partitions(settled):
            asked = settled[~settled["run_id"].isin(suspects)]
            for values, group in asked.groupby(columns, dropna=False, sort=False):
                condition = matching(dict(zip(columns, values, strict=True)))
                for start in range(0, len(group), CHUNK):
                    suspects.update(self._suspects(group.iloc[start:start + CHUNK], condition))
        return sorted(suspects)

    def _suspects(self, group: "pd.DataFrame", condition: str) -> list[str]:
        ids = list(group["run_id"])
        latest = int(group["end_time"].max().timestamp() * 1000)  # a resumed run ends later
        question = f"{id_list(ids)} AND attributes.end_time <= {latest} AND {condition}"
        if self.at(len(ids) - 1, question) is not None:
            return []
        if len(ids) <= _FEW:
            return ids
        half = len(ids) // 2
        return self._suspects(group.iloc[:half], condition) + self._suspects(group.iloc[half:], condition)

    def by_ids(self, ids: list[str]) -> "pd.DataFrame":
        """Runs by their ids, as far as they are still there and ours."""
        runs: list[Any] = []
        for start in range(0, len(ids), CHUNK):
            condition = f"{id_list(ids[start:start + CHUNK])} AND {store.OURS}"
            runs.extend(self.client.search_runs([self.experiment], condition, max_results=CHUNK))
        return store.to_frame(runs)

    def with_new(self, known: "pd.DataFrame") -> "pd.DataFrame":
        """`known` and every run that the store has beside it."""
        import pandas as pd

        found: list[Any] = []
        starts = known["start_time"].astype("int64")  # milliseconds, as MLflow has them
        order = [(-start, run_id) for run_id, start in zip(known["run_id"], starts, strict=True)]
        order.sort()
        ids = {run_id for _, run_id in order}
        for _ in range(_MAX_ROUNDS):
            if self.at(len(order), store.OURS) is None:
                return pd.concat([known, store.to_frame(found)], ignore_index=True) if found else known
            page = self._page(self._first_difference(order), store.OURS, CHUNK)
            fresh = [run for run in page if run.info.run_id not in ids]
            if not fresh:
                raise Surprise
            found.extend(fresh)
            ids.update(run.info.run_id for run in fresh)
            order.extend((-run.info.start_time, run.info.run_id) for run in fresh)
            order.sort()
        raise Surprise

    def _first_difference(self, order: list[tuple[int, str]]) -> int:
        """The first position where the store has another run than `order`; binary search."""
        low, high = 0, len(order)
        while low < high:
            middle = (low + high) // 2
            run = self.at(middle, store.OURS)
            same = run is not None and run.info.run_id == order[middle][1]
            low, high = (middle + 1, high) if same else (low, middle)
        return low


def partitions(settled: "pd.DataFrame") -> list[list[str]]:
    """Groups of columns to ask about together, so that few questions cover all (greedy)."""
    parts = [[column] for column in (_STATUS, *VERIFIED)]

    def cost(columns: list[str]) -> int:
        sizes = settled.groupby(columns, dropna=False, sort=False).size()
        return int((-(-sizes // CHUNK)).sum())

    costs = {tuple(part): cost(part) for part in parts}
    merged = parts[:1]
    for part in sorted(parts[1:], key=lambda p: costs[tuple(p)]):
        options = [(cost([*other, *part]) - costs[tuple(other)], other) for other in merged]
        extra, best = min(options, key=lambda option: option[0])
        if extra > costs[tuple(part)]:
            merged.append(part)
            continue
        merged.remove(best)
        merged.append([*best, *part])
        costs[(*best, *part)] = costs[tuple(best)] + extra
    return merged


def matching(values: dict[str, Any]) -> str:
    """A condition of MLflow's search language that holds for runs with these values."""
    import pandas as pd

    parts = []
    for column, value in values.items():
        if column == _STATUS:
            parts.append(f"attributes.status = '{value}'")
        elif pd.isna(value):
            parts.append(f"tags.`{VERIFIED[column]}` IS NULL")
        else:
            parts.append(f"tags.`{VERIFIED[column]}` = {quoted(str(value))}")
    return " AND ".join(parts)


def quoted(text: str) -> str:
    """Text as the search language writes it; what it cannot write is a Surprise."""
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    raise Surprise


def id_list(ids: list[str]) -> str:
    """The condition that a run is one of these."""
    return "attributes.run_id IN (" + ",".join(f"'{run_id}'" for run_id in ids) + ")"


def _decoded(token: str) -> Any:
    try:
        return json.loads(base64.b64decode(token))
    except ValueError:
        return None
