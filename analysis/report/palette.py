"""Which colour, marker and dash each backend is drawn with: told apart without seeing colours.

Standard library only. Colours are those of Okabe and Ito, "Color Universal Design" (2008), which
people with every common kind of colour blindness tell apart; yellow and black are left out, since
one vanishes on white and the other on black.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from experiments.system.paths import project_root

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[tuple[float, ...], ...] = (
    (),
    (5, 2),
    (1.5, 1.5),
    (7, 2, 1.5, 2),
    (3, 1),
    (9, 3),
    (5, 1, 1, 1, 1, 1),
)


@dataclass(frozen=True)
class Style:
    """How one backend looks in every plot of a report."""

    colour: str
    marker: str
    dash: tuple[float, ...]

    @property
    def linestyle(self) -> "str | tuple[int, tuple[float, ...]]":
        """As matplotlib writes a dash pattern."""
        return (0, self.dash) if self.dash else "solid"


def known_backends() -> list[str]:
    """The backends that have a configuration, by name."""
    return sorted(path.stem for path in (project_root() / "conf" / "backend").glob("*.yaml"))


def styles(backends: Iterable[str]) -> dict[str, Style]:
    """One style for each backend, no two alike for up to 42.

    Backends of the configuration come first and by name, so that reports of one checkout agree on
    colours, whichever backends each holds.
    """
    known = known_backends()
    extra = sorted(set(backends) - set(known))
    return {name: _style(number) for number, name in enumerate([*known, *extra])}


def _style(number: int) -> Style:
    # The counts of colours and markers have no common divisor: 42 pairs before one returns.
    return Style(
        COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)], DASHES[number % len(DASHES)]
    )
