"""Two selections of runs side by side: `compare backend=jax backend=torch`, or two commits.

Cells are paired by everything that the selections do not differ in, and only if both did the same
work in an equal place. The second selection is judged against the first.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.compare import conditions, statistics
from analysis.compare.finite import Floats, finite
from analysis.compare.measures import HIGHER, MEAN_EPOCH, STEADY, WIDE, Measure, quality
from analysis.compare.samples import Runs, Sample, compared_to
from analysis.numbers import significant
from analysis.store.select import Selection, choose
from analysis.tables.grid import grid_markdown
from analysis.titles import short_device
from experiments import names
from experiments.errors import ConfigError, Regression, UserError

if TYPE_CHECKING:
    import pandas as pd

MEASURES = {measure.key: measure for measure in (*WIDE, MEAN_EPOCH) if measure.key != "gemm_share"}
FASTER, SLOWER, TIE, FEW, BROKEN, OTHER_WORK = (
    "faster",
    "slower",
    "tie",
    "too few runs",
    "no figure",
    "other work",
)
# What a key of a selection stands for among the columns that cells are paired by.
_PARTED_BY = {
    "backend": ("backend",),
    "device_name": ("device_name", "place_host"),
    "device_kind": ("device_name", "place_host"),
    "gpu": ("device_name", "place_host"),
    "host": ("place_host",),
    "task": ("task",),
}
# These include validation, which Keras' generations do differently.
_WITHIN_GENERATION = ("validation", "epoch", "first", "target")
_PAIRED = ("task", "backend", "device_name", "place_host", "work_key")


@dataclass(frozen=True)
class Pair:
    """One cell in both selections.

    a, b: medians in the measure's unit. ratio: b / a, low..high its interval. runs_a, runs_b:
    finished ones.
    """

    cell: str
    verdict: str
    a: float | None
    b: float | None
    ratio: float | None
    low: float | None
    high: float | None
    runs_a: int
    runs_b: int
    quality: str
    note: str

    def slower_by(self, share: float) -> bool:
        """Whether b is shown to be worse by at least `share`, or has no figure where a has one."""
        if self.verdict == BROKEN:
            return self.a is not None
        return (
            self.verdict == SLOWER
            and self.ratio is not None
            and max(self.ratio, 1 / self.ratio) >= 1 + share
        )


@dataclass(frozen=True)
class Result:
    """All pairs of a comparison, and what it was of."""

    first: str
    second: str
    measure: Measure
    pairs: Sequence[Pair]

    @property
    def judged(self) -> int:
        """Pairs with a verdict: enough runs on both sides, or none that finished on the second."""
        return sum(pair.verdict in (FASTER, SLOWER, TIE, BROKEN) for pair in self.pairs)

    def as_json(self) -> dict[str, Any]:
        """Plain data at full precision."""
        return {
            "first": self.first,
            "second": self.second,
            "measure": self.measure.column,
            "unit": self.measure.unit,
            "pairs": [asdict(pair) for pair in self.pairs],
        }


def compare(
    frame: "pd.DataFrame",
    first: Selection,
    second: Selection,
    *,
    measure: Measure = STEADY,
    names_: tuple[str, str] = ("A", "B"),
    pool_hosts: bool = False,
) -> Result:
    """Compare two selections.

    Raises ConfigError if they overlap, are ambiguous, or have nothing in common.
    """
    sides = []
    for selection in (first, second):
        known = (
            frame
            if "source" in selection or "published_source" in selection
            else frame[frame["source"] != "published"]
        )
        sides.append(choose(known, selection))
    shared = set(sides[0]["run_id"]) & set(sides[1]["run_id"])
    if shared:
        raise ConfigError(f"the two selections share {len(shared)} runs: name runs that differ")
    keys = _keys(first, second)
    by_work = measure.key not in _WITHIN_GENERATION
    groups = [
        _groups(conditions.placed(side, pool_hosts=pool_hosts, by_work=by_work), keys, name)
        for side, name in zip(sides, names_, strict=True)
    ]
    pairs = list(_pairs(groups[0], groups[1], keys, measure))
    if not pairs:
        raise ConfigError(_nothing_in_common(groups, keys, names_))
    return Result(*names_, measure, pairs)


def _keys(first: Selection, second: Selection) -> list[str]:
    parted: set[str] = set()
    for key, columns in _PARTED_BY.items():
        if first.get(key) != second.get(key):
            parted.update(columns)
    return [column for column in _PAIRED if column not in parted]


def _groups(side: "pd.DataFrame", keys: list[str], name: str) -> dict[tuple[str, ...], Sample]:
    """Samples by their pairing key; a key with several backends or devices is ambiguous."""
    runs = Runs(side)
    found = {}
    text = runs.frame[keys].astype("object").where(runs.frame[keys].notna(), "").astype("str")
    for key, index in text.groupby(keys, sort=True).indices.items():
        sample = Sample(runs, np.asarray(index, dtype=np.int64))
        for column in ("task", "backend", "device_name", "place_host"):
            values = sorted(
                {str(value) for value in runs.array(column)[sample.index] if value is not None}
            )
            if len(values) > 1:
                shown = column.replace("place_host", "host")
                raise ConfigError(
                    f"{name} has several values of {shown} ({', '.join(values)}); add {shown}=VALUE"
                )
        found[key if isinstance(key, tuple) else (str(key),)] = sample
    return found


def _pairs(
    first: dict[tuple[str, ...], Sample],
    second: dict[tuple[str, ...], Sample],
    keys: list[str],
    measure: Measure,
) -> Iterator[Pair]:
    for key, sample in first.items():
        if key in second:
            yield _pair(_name(key, keys), sample, second[key], measure)
    if "work_key" not in keys:
        return
    work = keys.index("work_key")
    done = {key[:work] + key[work + 1 :] for key in first if key in second}
    others = {key[:work] + key[work + 1 :] for key in second} - done
    for rest in dict.fromkeys(key[:work] + key[work + 1 :] for key in first):
        if rest in others:
            cell = _name(rest, keys[:work] + keys[work + 1 :])
            yield Pair(
                cell,
                OTHER_WORK,
                None,
                None,
                None,
                None,
                None,
                0,
                0,
                "",
                "different work: not divided",
            )


def _name(key: tuple[str, ...], keys: list[str]) -> str:
    shown = [
        short_device(value)
        for value, column in zip(key, keys, strict=True)
        if column != "work_key" and value
    ]
    return " · ".join(shown) or "all"


def _pair(cell: str, a: Sample, b: Sample, measure: Measure) -> Pair:
    values = [sample.values(measure) if sample.valid else finite([]) for sample in (a, b)]
    compared = (
        compared_to(b, a, measure)
        if a.valid and b.valid
        else statistics.compare(values[1], values[0])
    )
    interval = compared.interval
    return Pair(
        cell=cell,
        verdict=_verdict(values, compared.verdict, measure),
        a=_known(statistics.median(values[0])),
        b=_known(statistics.median(values[1])),
        ratio=_known(compared.ratio),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        runs_a=len(values[0]),
        runs_b=len(values[1]),
        quality=_quality(a, b),
        note=_note(a, b),
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _verdict(values: list[Floats], verdict: str, measure: Measure) -> str:
    if not len(values[0]) or not len(values[1]):
        return BROKEN
    better = statistics.HIGHER if measure.better == HIGHER else statistics.LOWER
    return {statistics.UNKNOWN: FEW, statistics.TIE: TIE, better: FASTER}.get(verdict, SLOWER)


def _quality(a: Sample, b: Sample) -> str:
    """The second's quality against the first's, in a phrase."""
    metric = b.text("quality_metric")
    if not metric or metric != a.text("quality_metric"):
        return ""
    measure = quality(metric)
    figures = [sample.values(measure) for sample in (a, b)]
    if not len(figures[0]) or not len(figures[1]):
        return ""
    verdict = statistics.compare_quality(figures[1], figures[0])
    shown = " → ".join(measure.text(statistics.median(values)) for values in figures)
    if verdict in (statistics.TIE, statistics.UNKNOWN):
        return f"{metric} {shown} ({'tie' if verdict == statistics.TIE else 'too few runs'})"
    return f"{metric} {shown} ({'better' if verdict == measure.better else 'worse'})"


def _note(a: Sample, b: Sample) -> str:
    parts = []
    for name, sample in (("A", a), ("B", b)):
        if not sample.valid:
            state = sample.absent(STEADY) if not len(sample.counted) else names.DIVERGED
            parts.append(f"{name}: {state if state != '–' else 'no finished run'}")
        parts += [f"{name}: {note}" for note in sample.notes(True)]
    return "; ".join(parts)


def _nothing_in_common(
    groups: list[dict[tuple[str, ...], Sample]], keys: list[str], names_: tuple[str, str]
) -> str:
    told = []
    for name, group in zip(names_, groups, strict=True):
        cells = list(dict.fromkeys(_name(key, keys) for key in group))
        told.append(f"{name} has {', '.join(cells[:4])}{', …' if len(cells) > 4 else ''}")
    return f"nothing to compare: no cell is in both selections ({'; '.join(told)})"


def lines(result: Result) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the comparison for reading."""
    unit = f" ({result.measure.unit})" if result.measure.unit else ""
    head = ["Cell", f"A{unit}", f"B{unit}", "B / A", "Verdict on B", "Runs", "Quality", "Remarks"]
    rows = []
    for pair in result.pairs:
        bounds = (
            f" [{significant(pair.low)}, {significant(pair.high)}]"
            if pair.low and pair.high
            else ""
        )
        rows.append(
            [
                pair.cell,
                "–" if pair.a is None else result.measure.text(pair.a),
                "–" if pair.b is None else result.measure.text(pair.b),
                "–" if pair.ratio is None else f"{significant(pair.ratio)}{bounds}",
                pair.verdict,
                f"{pair.runs_a} / {pair.runs_b}",
                pair.quality,
                pair.note,
            ]
        )
    return head, rows


def as_text(result: Result, limit: float | None, form: str) -> str:
    """The comparison as Markdown or JSON; `limit` as for `regressions`."""
    if form == "json":
        worse = [pair.cell for pair in regressions(result, limit)]
        content = {**result.as_json(), "regressions": worse}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    first, second = result.first, result.second
    head = f"A: {first}\n\nB: {second}\n\n{result.measure.label}.\n\n"
    return head + grid_markdown(*lines(result))


def regressions(result: Result, limit: float | None) -> list[Pair]:
    """Cells in which B is shown to be worse by `limit` (a share) or more, or has no figure."""
    return [pair for pair in result.pairs if limit is not None and pair.slower_by(limit)]


def judge(result: Result, limit: float) -> None:
    """Raise Regression if B is worse somewhere, UserError if nothing could be judged."""
    worse = regressions(result, limit)
    if worse:
        cells = "; ".join(
            f"{pair.cell} ({pair.verdict if pair.ratio is None else f'{pair.ratio:.3g}x'})"
            for pair in worse
        )
        share = f"{100 * limit:g} %"
        raise Regression(f"regression: B is worse by {share} or more, or has no figure: {cells}")
    if not result.judged:
        few = sum(pair.verdict == FEW for pair in result.pairs)
        raise UserError(
            f"nothing could be judged: {few} of {len(result.pairs)} cells have fewer than 3 "
            "finished runs on a side, the others did other work; repeat the runs"
        )
