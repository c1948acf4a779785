"""What must be read with an answer: at most six lines, grouped and counted."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis import titles
from analysis.compare import statistics
from analysis.compare.conditions import PLACE, Condition
from analysis.compare.marks import DIVERGED, DOUBTFUL, LEGEND, UNSOUND
from analysis.compare.measures import Measure
from analysis.compare.samples import Sample
from experiments import names

if TYPE_CHECKING:
    import pandas as pd

Samples = Sequence[Sequence[Sample | None]]
_ENOUGH_RUNS = 5  # for a table that is published (PROTOCOL, "A sweep")
_SHARES = ("quick", "smoke")  # profiles that train on a share of the data
_REASON_LENGTH = 90


def caveats(
    frame: "pd.DataFrame",
    places: Sequence[Condition],
    backends: Sequence[str],
    samples: Samples,
    measure: Measure,
) -> list[str]:
    """Lines for the grid whose rows are `places` and whose columns are `backends`."""
    own = frame[frame[PLACE].isin([place.key for place in places])]
    if places[0].published:
        return [
            "Published results: one run per cell, no spread is known. Times are the mean over all "
            "epochs, validation and the first epoch included."
        ]
    lines = [
        _runs(places, samples, measure),
        _synthetic(places),
        _unfinished(own, backends),
        _flags(own),
        _stacks(own),
        _marks(samples),
    ]
    return [line for line in lines if line]


def _runs(places: Sequence[Condition], samples: Samples, measure: Measure) -> str:
    """How many runs are behind a figure, and what that allows to claim."""
    counts = [
        len(sample.values(measure)) for row in samples for sample in row if sample is not None
    ]
    counts = [count for count in counts if count]
    if not counts:
        return "No run has finished yet, so there is nothing to show."
    fewest, most = min(counts), max(counts)
    each = titles.counted(fewest, "run") if fewest == most else f"{fewest} to {most} runs"
    if most < statistics.MIN_FOR_INTERVAL:
        text = (
            f"First look, {each} per cell: no difference can be shown below three; "
            "add repetitions=5."
        )
    elif fewest < statistics.MIN_FOR_INTERVAL:
        text = f"{each} per cell: below three, no difference can be shown."
    elif fewest < _ENOUGH_RUNS:
        text = f"Provisional, {each} per cell (median)."
    else:
        text = f"{each} per cell (median)."
    profiles = sorted({place.profile for place in places} & set(_SHARES))
    if profiles:
        text += (
            f" Profile {profiles[0]} trains on a share of the data: speeds count, "
            "qualities do not yet."
        )
    return text


def _synthetic(places: Sequence[Condition]) -> str:
    tasks = list(dict.fromkeys(place.task for place in places if place.data == "synthetic"))
    if not tasks:
        return ""
    every = all(place.data == "synthetic" for place in places)
    where = "all tasks" if every else ", ".join(titles.task_title(task) for task in tasks)
    return (
        f"SYNTHETIC data ({where}): timings are valid for these shapes; "
        "accuracies and losses are meaningless."
    )


def _unfinished(frame: "pd.DataFrame", backends: Sequence[str]) -> str:
    """How runs that did not finish ended, by backend, with the most frequent reason."""
    ended = frame[frame["state"].notna() & ~frame["state"].isin(names.COMPLETE_STATES)]
    parts = []
    for backend in backends:
        some = ended[ended["backend"] == backend]
        if some.empty:
            continue
        states = Counter(str(state).replace("_", " ") for state in some["state"])
        reasons = Counter(str(reason) for reason in some["reason"].dropna() if reason)
        counts = ", ".join(f"{count} {state}" for state, count in states.most_common())
        reason = f" ({_short(reasons.most_common(1)[0][0])})" if reasons else ""
        parts.append(f"{titles.backend_title(backend)} {counts}{reason}")
    going = int(frame["state"].isna().sum())
    if going:
        parts.append(f"{titles.counted(going, 'run')} still running or lost")
    return f"Not finished: {'; '.join(parts)}." if parts else ""


def _short(reason: str) -> str:
    text = " ".join(reason.split())
    return text if len(text) <= _REASON_LENGTH else text[: _REASON_LENGTH - 1] + "…"


def _flags(frame: "pd.DataFrame") -> str:
    done = frame[frame["state"].isin(names.COMPLETE_STATES)]
    flags = [set((text or "").split(",")) - {""} for text in done["flags"].fillna("")]
    flagged = sum(bool(one) for one in flags)
    if not flagged:
        return ""
    counts = Counter(flag.replace("_", " ") for one in flags for flag in one)
    kinds = ", ".join(f"{count} {flag}" for flag, count in counts.most_common())
    return f"{flagged} of {titles.counted(len(flags), 'run')} flagged: {kinds}."


def _stacks(frame: "pd.DataFrame") -> str:
    """Which Keras versions are compared, and what is therefore not divided."""
    found: dict[str, list[str]] = {}
    for backend, versions in zip(frame["backend"], frame["versions"], strict=True):
        if isinstance(versions, str):
            keras = str(json.loads(versions).get("keras", "?"))
            title = titles.backend_title(str(backend))
            if title not in found.setdefault(keras, []):
                found[keras].append(title)
    if len(found) < 2:
        return ""
    stacks = " and ".join(f"Keras {keras} ({', '.join(who)})" for keras, who in found.items())
    return f"{stacks} validate differently: only training time is divided across them."


def _marks(samples: Samples) -> str:
    used = "".join(sample.marks(True) for row in samples for sample in row if sample is not None)
    shown = [mark for mark in (DIVERGED, DOUBTFUL, UNSOUND) if mark in used]
    return "; ".join(f"{mark} {LEGEND[mark]}" for mark in shown) + ("." if shown else "")
