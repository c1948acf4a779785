"""Checks the sentences of the page of 2017: a claim is data, a verdict arithmetic on numbers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.numbers import significant
from analysis.published import results
from analysis.store import frame
from analysis.titles import backend_title, task_title

if TYPE_CHECKING:
    from tests.golden.numbers_of_2017 import Numbers


@dataclass(frozen=True)
class Contradiction:
    """A claim that the page's own numbers do not bear out."""

    claim: str
    quote: str
    correct: str
    arithmetic: str


@dataclass(frozen=True)
class _Quotient:
    """slower / faster, with how it is told."""

    value: float
    text: str


def contradicted(known: "Numbers") -> Iterator[Contradiction]:
    """The claims of the page that fail, in the page's order."""
    for claim in results.page()["claims"]:
        failed = _CHECKS[claim["kind"]](claim, known)
        if failed is not None:
            yield Contradiction(claim["id"], claim["quote"], *failed)


_Verdict = tuple[str, str] | None


def _quotient(
    known: "Numbers", task: str, slower: tuple[str, str], faster: tuple[str, str], name: str
) -> _Quotient | None:
    """Seconds of (backend, column) `slower` over `faster`, None if the page lacks one of them."""
    above, below = known.seconds(task, *slower), known.seconds(task, *faster)
    if above is None or below is None:
        return None
    ratio = above / below
    quotient = f"{known.printed(task, *slower)} / {known.printed(task, *faster)}"
    figures = f"{quotient} = {significant(ratio, 3)}x"
    return _Quotient(ratio, f"{task_title(task)}, {name}: {figures}")


def _between_backends(
    known: "Numbers", tasks: list[str], faster: str, slower: str
) -> list[_Quotient]:
    found = [
        _quotient(known, task, (slower, column), (faster, column), column)
        for task in tasks
        for column in known.columns
    ]
    return [one for one in found if one is not None]


def _between_devices(known: "Numbers", backend: str, faster: str, slower: str) -> list[_Quotient]:
    found = [
        _quotient(known, task, (backend, slower), (backend, faster), backend_title(backend))
        for task in known.tasks()
        if _same_work(known, task, faster, slower)
    ]
    return [one for one in found if one is not None]


def _same_work(known: "Numbers", task: str, *columns: str) -> bool:
    """False if the columns are known to have trained on other inputs (words, with bi-grams)."""
    table = known.tables[f"{task}.speed"]
    works = set()
    for head in table.columns:
        if head.label in columns:
            rows = known.frame[known.frame["protocol_id"] == head.protocol_id]
            works |= {frame.work_of(text).split(" (")[0] for text in rows["hyper"].dropna()} - {""}
    return len(works) < 2


def _order_of_backends(claim: dict[str, Any], known: "Numbers") -> _Verdict:
    """ "A is faster than B": cells where B is."""
    against, total = [], 0
    for faster, slower in claim["faster_slower"]:
        pairs = _between_backends(known, claim["tasks"], faster, slower)
        total += len(pairs)
        against += [
            (f"{backend_title(slower)} against {backend_title(faster)}", one)
            for one in pairs
            if one.value < 1
        ]
    if not against:
        return None
    names = ", ".join(dict.fromkeys(name for name, _ in against))
    return (
        f"it is the other way round in {len(against)} of {total} comparisons ({names})",
        "; ".join(one.text for _, one in against),
    )


def _largest_ratio_of_backends(claim: dict[str, Any], known: "Numbers") -> _Verdict:
    pairs = [
        one
        for faster in claim["faster"]
        for one in _between_backends(known, known.tasks(), faster, claim["slower"])
    ]
    return _largest(pairs, claim["claimed"])


def _largest_ratio_of_devices(claim: dict[str, Any], known: "Numbers") -> _Verdict:
    return _largest(
        _between_devices(known, claim["backend"], claim["faster"], claim["slower"]),
        claim["claimed"],
    )


def _largest(pairs: list[_Quotient], claimed: float) -> _Verdict:
    largest = max(pairs, key=lambda one: one.value)
    if round(largest.value) == claimed:
        return None
    return f"the largest is {significant(largest.value, 3)} times", largest.text


def _range_of_ratios(claim: dict[str, Any], known: "Numbers") -> _Verdict:
    """ "2 to 4 times": the smallest and the largest."""
    pairs = sorted(
        _between_backends(known, claim["tasks"], claim["faster"], claim["slower"]),
        key=lambda one: one.value,
    )
    low, high = claim["claimed"]
    if low <= pairs[0].value and pairs[-1].value <= high:
        return None
    return (
        f"it is {significant(pairs[0].value, 2)} to {significant(pairs[-1].value, 2)} times",
        f"{pairs[0].text}; {pairs[-1].text}",
    )


def _order_of_devices(claim: dict[str, Any], known: "Numbers") -> _Verdict:
    """ "X is the fastest, Y the slowest": cells where a slower device is faster."""
    order, against, total = claim["fastest_first"], [], 0
    for place, faster in enumerate(order):
        for slower in order[place + 1 :]:
            for backend in results.page()["backends"]:
                pairs = _between_devices(known, backend, faster, slower)
                total += len(pairs)
                against += [
                    (backend, f"{slower} before {faster}, {one.text}")
                    for one in pairs
                    if one.value < 1
                ]
    if not against:
        return None
    names = ", ".join(dict.fromkeys(backend_title(backend) for backend, _ in against))
    return f"not in {len(against)} of {total} comparisons ({names})", "; ".join(
        text for _, text in against
    )


_CHECKS: dict[str, Callable[[dict[str, Any], "Numbers"], _Verdict]] = {
    "order_of_backends": _order_of_backends,
    "largest_ratio_of_backends": _largest_ratio_of_backends,
    "largest_ratio_of_devices": _largest_ratio_of_devices,
    "range_of_ratios": _range_of_ratios,
    "order_of_devices": _order_of_devices,
}
