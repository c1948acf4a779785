"""What stands side by side in a plot: one task on one machine with one amount of work.

A scenario may hold several places (`analysis.compare.conditions`), since Keras 2 and 3 compute the
same network differently: their runs are shown beside each other, and divided only within a place.
Which runs count is `analysis.compare.samples`' word.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from analysis.compare.conditions import PLACE, Condition
from analysis.compare.measures import STEADY
from analysis.compare.samples import Sample, compared_to
from analysis.compare.statistics import Comparison, Interval, median_interval
from analysis.titles import BACKENDS, TASKS, backend_title, short_device, task_title
from analysis.titles import ordered as in_order
from experiments import names

if TYPE_CHECKING:
    import pandas as pd

    from analysis.compare.layout import Board

_SIZES = {
    "published": 0,
    "tuned": 1,
    "quick": 2,
    "smoke": 3,
}  # the largest work is the best evidence


@dataclass(frozen=True)
class Member:
    """The runs of one backend in one place."""

    backend: str
    label: str
    place: Condition
    sample: Sample

    @cached_property
    def times(self) -> list[float]:
        """Steady training seconds per epoch of the runs that count and may win."""
        return [float(value) for value in self.sample.values(STEADY)] if self.sample.valid else []

    @cached_property
    def interval(self) -> Interval | None:
        """The interval of the median of `times`."""
        return median_interval(self.times, epochs=self.sample.epochs(STEADY))

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """All its runs as rows of the tidy table, however they ended."""
        return self.sample.runs.frame.iloc[self.sample.index]

    @cached_property
    def dots(self) -> list[tuple[float, bool]]:
        """Every run with a steady time, and whether it is drawn open because it does not count."""
        counted = set(self.sample.ids()) if self.sample.valid else set()
        columns = zip(self.frame["run_id"], self.frame["steady_train_seconds"], strict=True)
        return [
            (float(seconds), run_id not in counted)
            for run_id, seconds in columns
            if 0 < seconds < math.inf
        ]


def against(member: Member, base: Member) -> Comparison:
    """The times of one backend compared with another's in its place."""
    return compared_to(member.sample, base.sample, STEADY)


@dataclass(frozen=True)
class Scenario:
    """Members of one task on one machine; `where` tells device, profile, data and `amount` of work
    in a line.
    """

    task: str
    where: str
    amount: str
    synthetic: bool
    members: Sequence[Member]

    @property
    def title(self) -> str:
        """The task's name for people."""
        return task_title(self.task)

    @cached_property
    def frame(self) -> "pd.DataFrame":
        """All its runs."""
        import pandas as pd

        return pd.concat([member.frame for member in self.members], ignore_index=True)

    @cached_property
    def by_place(self) -> dict[str, list[Member]]:
        """Members that may be compared with each other, by their place, fastest first."""
        from analysis.compare.statistics import median

        found: dict[str, list[Member]] = {}
        for member in sorted(
            self.members, key=lambda one: (not one.times, median(one.times) if one.times else 0.0)
        ):
            found.setdefault(member.place.key, []).append(member)
        return dict(sorted(found.items(), key=lambda item: (item[1][0].place.generation, item[0])))


def scenarios(laid_out: "Board") -> list[Scenario]:
    """The scenarios of runs that are laid out, by task, the largest work first."""
    known = laid_out.places
    amounts = {str(key): _amount(some) for key, some in laid_out.runs.frame.groupby(PLACE)}
    groups: dict[tuple[str, ...], list[tuple[Condition, str, Sample]]] = {}
    for (key, backend), sample in laid_out.samples.items():
        place = known[key]
        alike = (
            sample.text("task"),
            place.device,
            place.host,
            place.profile,
            place.threads,
            place.data,
            amounts[key],
        )
        groups.setdefault(alike, []).append((place, backend, sample))
    hosts = {
        device: len({place.host for place in known.values() if place.device == device})
        for device in {place.device for place in known.values()}
    }
    found = [_scenario(key[0], key[-1], some, hosts[key[1]] > 1) for key, some in groups.items()]
    tasks = in_order({scenario.task for scenario in found}, TASKS)
    return sorted(
        found,
        key=lambda one: (
            tasks.index(one.task),
            _SIZES.get(one.members[0].place.profile, 9),
            one.where,
        ),
    )


def _amount(some: "pd.DataFrame") -> str:
    """How much is trained in a place; runs that ended before it was settled do not change it."""
    samples, epochs = some["train_samples"].max(), some["epochs"].max()
    return ", ".join(
        text
        for value, text in ((samples, f"{samples:,} samples"), (epochs, f"{epochs} epochs"))
        if str(value) not in ("<NA>", "nan")
    )


def _scenario(
    task: str, amount: str, some: Sequence[tuple[Condition, str, Sample]], tell_host: bool
) -> Scenario:
    place = some[0][0]
    generations = {one.generation for one, _, _ in some}
    alike = [(one.generation, backend) for one, backend, _ in some]
    members = []
    for one, backend, sample in some:
        more = [
            f"Keras {one.generation}" if len(generations) > 1 and one.generation else "",
            f"protocol {one.protocol[:6]}" if alike.count((one.generation, backend)) > 1 else "",
        ]
        extra = ", ".join(filter(None, more))
        members.append(
            Member(backend, backend_title(backend) + (f" ({extra})" if extra else ""), one, sample)
        )
    order = in_order({backend for _, backend, _ in some}, BACKENDS)
    members.sort(key=lambda member: (order.index(member.backend), member.place.key))
    parts = [
        short_device(place.device),
        place.host if tell_host else "",
        place.profile,
        "SYNTHETIC data"
        if place.data == "synthetic"
        else f"{place.data} data"
        if place.data
        else "",
        amount,
    ]
    return Scenario(
        task, ", ".join(filter(None, parts)), amount, place.data == "synthetic", members
    )


def unfinished(frame: "pd.DataFrame") -> str:
    """Backends with runs that did not finish, and how these ended: "CNTK: 1 failed, 1 timeout"."""
    parts = []
    for backend, some in frame[frame["state"] != names.FINISHED].groupby("backend", sort=True):
        counts = some["state"].fillna("still going").value_counts()
        ends = ", ".join(
            f"{count} {str(state).replace('_', ' ')}" for state, count in counts.items()
        )
        parts.append(f"{backend_title(str(backend))}: {ends}")
    return "; ".join(parts)
