"""A finding, and the phrases that findings share."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.compare import statistics
from analysis.compare.conditions import Condition
from analysis.compare.samples import Sample
from analysis.numbers import significant
from analysis.titles import counted

OVERALL, SPEED, QUALITY, DEVICE, COMPILE, TROUBLE, CAVEAT, ERRATUM = (
    "overall",
    "speed",
    "quality",
    "device",
    "compile",
    "trouble",
    "caveat",
    "erratum",
)


@dataclass(frozen=True)
class Finding:
    """A sentence that the numbers support.

    kind: one of the words above. runs: how many are behind it. shown: whether it is a difference
    that could be shown.
    """

    kind: str
    text: str
    arithmetic: str
    runs: int
    caveats: tuple[str, ...] = ()
    task: str = ""
    where: str = ""
    shown: bool = False

    @property
    def line(self) -> str:
        """The finding in one line, arithmetic and caveats behind it."""
        details = "; ".join(part for part in (self.arithmetic, *self.caveats) if part)
        return f"{self.text}" + (f" ({details})" if details else "")


def few(runs: Sequence[int]) -> str:
    if set(runs) == {1}:
        return "one run each"
    return f"{counted(runs[0], 'run')} against {counted(runs[1], 'run')}"


def count(runs: Sequence[int]) -> str:
    return f"n = {runs[0]} each" if len(set(runs)) == 1 else f"n = {' and '.join(map(str, runs))}"


def times(ratio: float, digits: int | None = None) -> str:
    return f"{significant(ratio, digits or (3 if ratio < 1.5 else 2))}×"


def with_bounds(ratio: float, interval: statistics.Interval) -> str:
    """ "2.1× [1.9, 2.3]": two significant digits, three where two would hide the interval or what
    is claimed.
    """
    hidden = significant(interval.low, 2) == significant(interval.high, 2)
    digits = 3 if ratio < 1.5 or hidden else 2
    bounds = f"[{significant(interval.low, digits)}, {significant(interval.high, digits)}]"
    return f"{times(ratio, digits)} {bounds}"


def caveats_of(place: Condition, samples: Sequence[Sample], runs: Sequence[int]) -> tuple[str, ...]:
    found = []
    if statistics.MIN_FOR_INTERVAL <= min(runs) < 5:
        found.append("provisional: fewer than five runs")
    if place.data == "synthetic":
        found.append("synthetic data")
    if place.profile in ("smoke", "quick"):
        found.append(f"profile {place.profile}: a share of the data")
    warned: Counter[str] = Counter()
    for sample in samples:
        warned += sample.warnings()
    if warned:
        found.append(
            ", ".join(f"{counted(count, 'run')} {flag}" for flag, count in sorted(warned.items()))
        )
    hosts = {host for sample in samples for host in sample.all_of("host")}
    if len(hosts) > 1:
        found.append(f"from {len(hosts)} hosts")
    return tuple(found)
