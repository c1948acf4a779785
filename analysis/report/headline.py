"""The report's first words: which backend, on which device, for which network, and can it be
trusted.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.compare.measures import quality
from analysis.compare.scenarios import Member, Scenario, against, unfinished
from analysis.compare.statistics import HIGHER, TIE, UNKNOWN, median
from analysis.numbers import significant
from analysis.report import links
from analysis.report.finding import OVERALL, Finding
from analysis.report.page import Answer, Sentence, SentenceGroup, Verdict
from analysis.titles import backend_title, counted, listed, task_title
from experiments import names

if TYPE_CHECKING:
    import pandas as pd

MAX_ANSWERS = 60
ENOUGH_RUNS, FEW_RUNS = 5, 3  # a table that is published, a provisional one (PROTOCOL: "A sweep")


def answers(all_scenarios: Sequence[Scenario], ui: str | None) -> list[Answer]:
    """One card per task, machine and amount of work, with a verdict per place."""
    found = []
    for scenario in all_scenarios[:MAX_ANSWERS]:
        shown = False
        verdicts = []
        for members in scenario.by_place.values():
            valid = [member for member in members if member.times]
            verdicts.append(_verdict(scenario, members, valid, ui))
            shown |= len(valid) > 1 and any(
                against(member, valid[0]).verdict == HIGHER for member in valid[1:]
            )
        found.append(Answer(scenario.title, scenario.where, verdicts, shown))
    return found


def _verdict(
    scenario: Scenario, members: Sequence[Member], valid: Sequence[Member], ui: str | None
) -> Verdict:
    import pandas as pd

    runs = pd.concat([member.frame for member in members], ignore_index=True)
    newest = [member.sample.ids()[-1] for member in members if member.sample.ids()]
    link = links.compare_page(ui, str(runs["experiment_id"].iloc[0]), newest)
    if not valid:
        return Verdict("No run that counts.", "no answer", unfinished(runs) + ".", link)
    return Verdict(
        _speed(valid), _trust(valid, runs), _reasons(scenario, members, valid, runs), link
    )


def _speed(valid: Sequence[Member]) -> str:
    best, name = valid[0], backend_title(valid[0].backend)
    interval = best.interval
    time = f"{_short(median(best.times))} s per epoch"
    if interval is not None:
        time += f" [{_short(interval.low)}, {_short(interval.high)}]"
    if len(valid) == 1:
        return f"{name} takes {time}; no other backend has a run that counts."
    following = valid[1]
    outcome = against(following, best)
    if outcome.verdict == UNKNOWN:
        return (
            f"{name} took {time}, {backend_title(following.backend)} {_times(outcome.ratio)} as "
            f"long; {_few(best, following)} support no claim."
        )
    tied = [backend_title(one.backend) for one in valid[1:] if against(one, best).verdict == TIE]
    text = f"{name} is fastest, {time}"
    if tied:
        text = f"no difference could be shown between {listed([name, *tied])}; {name} takes {time}"
    behind = next((one for one in valid[1:] if against(one, best).verdict == HIGHER), None)
    if behind is None:
        return text + "."
    outcome = against(behind, best)
    span = (
        f" [{_short(outcome.interval.low)}, {_short(outcome.interval.high)}]"
        if outcome.interval
        else ""
    )
    return f"{text}. {backend_title(behind.backend)} takes {_times(outcome.ratio)}{span} as long."


def _few(best: Member, other: Member) -> str:
    counts = len(best.times), len(other.times)
    return (
        "one run each" if set(counts) == {1} else f"{counted(counts[0], 'run')} against {counts[1]}"
    )


def _short(value: float, digits: int = 3) -> str:
    return significant(value, digits, thousands=True)


def _times(ratio: float) -> str:
    """Two significant digits, three below 1.5, where two would hide what is claimed."""
    return f"{_short(ratio, 3 if ratio < 1.5 else 2)}×"


def _trust(valid: Sequence[Member], runs: "pd.DataFrame") -> str:
    fewest = min(len(member.times) for member in valid)
    flagged = runs[runs["state"] == names.FINISHED]["flags"].fillna("").ne("")
    if len(valid) < 2:
        return "one backend"
    if fewest < FEW_RUNS:
        return "a first look"
    if flagged.mean() > 0.5:
        return "disturbed"
    return "provisional" if fewest < ENOUGH_RUNS else "well supported"


def _reasons(
    scenario: Scenario, members: Sequence[Member], valid: Sequence[Member], runs: "pd.DataFrame"
) -> str:
    counts = sorted({len(member.times) for member in valid})
    each = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    parts = [
        f"{counted(1, 'run') if each == '1' else f'{each} runs'}{' each' if len(valid) > 1 else ''}"
    ]
    if scenario.synthetic:
        parts.append("SYNTHETIC data: speed only, its quality means nothing")
    flags = Counter(flag for text in runs["flags"].dropna() for flag in text.split(",") if flag)
    if flags:
        flagged = int(runs["flags"].fillna("").ne("").sum())
        kinds = ", ".join(
            f"{count} {flag.replace('_', ' ')}" for flag, count in flags.most_common()
        )
        parts.append(f"{flagged} of {counted(len(runs), 'run')} flagged ({kinds})")
    ends = unfinished(runs)
    return "; ".join([*parts, *([ends] if ends else []), *_quality(members)]) + "."


def _quality(members: Sequence[Member]) -> list[str]:
    """The range of the task's quality over backends, in words."""
    metric = members[0].sample.text("quality_metric")
    measure = (
        quality(metric) if metric in ("val_accuracy", "accuracy", "val_loss", "loss") else None
    )
    if measure is None:
        return []
    middle = {
        backend_title(one.backend): median(one.sample.values(measure))
        for one in members
        if one.sample.valid
    }
    known = {backend: value for backend, value in middle.items() if math.isfinite(value)}
    if not known:
        return []
    low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    if known[low] == known[high]:
        return [f"{measure.label.lower()} {measure.text(known[low])}"]
    ends = [f"{measure.text(known[backend])} ({backend})" for backend in (low, high)]
    return [f"{measure.label.lower()} {' to '.join(ends)}"]


_OTHERS = {"device": "Devices", "trouble": "What went wrong", "caveat": "Caveats"}
_FIRST = 3  # findings of one kind that are not folded away


def overall(found: Sequence[Finding]) -> list[str]:
    """Geometric means over tasks, a sentence each."""
    return [finding.text for finding in found if finding.kind == OVERALL]


def by_task(found: Sequence[Finding]) -> list[SentenceGroup]:
    """Findings by task, the one that matters first: the fastest against the next best.

    Devices, troubles and caveats follow. Means over all tasks are left out: the page begins with
    them (`overall`).
    """
    groups: dict[str, list[Sentence]] = {}
    for one in found:
        if one.kind == OVERALL:
            continue
        title = _OTHERS.get(one.kind) or (task_title(one.task) if one.task else one.kind)
        detail = "; ".join(part for part in (one.arithmetic, *one.caveats) if part)
        groups.setdefault(title, []).append(Sentence(one.text, detail))
    last = [title for title in _OTHERS.values() if title in groups]
    order = [*(title for title in groups if title not in last), *last]
    return [SentenceGroup(title, *_split(title, groups[title])) for title in order]


def _split(title: str, sentences: list[Sentence]) -> tuple[list[Sentence], list[Sentence]]:
    count = _FIRST if title in _OTHERS.values() else 1
    return sentences[:count], sentences[count:]
