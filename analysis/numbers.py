"""Numbers as a reader sees them."""

import math
from decimal import ROUND_HALF_EVEN, Decimal


def decimals(value: float, places: int) -> str:
    """A number with fixed decimals; what lies half-way goes to the even digit, as a person would write it down.

    Rounds the decimal number that is stored (1.40605 becomes 1.4060), not its nearest binary fraction.
    """
    if not math.isfinite(value):
        return str(value)
    return str(Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN))


def significant(value: float, digits: int = 3) -> str:
    """A number with `digits` significant digits and no exponent: 0.0531, 5.31, 531, 5310."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    exponent = int(
        f"{value:.{digits - 1}e}".partition("e")[2]
    )  # of the rounded value: 99.96 is 100
    places = max(0, digits - 1 - exponent)
    return f"{round(value, digits - 1 - exponent):.{places}f}"


def ratio_text(ratio: float, digits: int) -> str:
    """A ratio with two significant digits, fewer where its inputs carry fewer: 1.2x, 14x, 120x."""
    return significant(ratio, max(1, min(2, digits))) + "x"


def short(value: float | None, digits: int = 3) -> str:
    """A number for reading: `digits` significant digits, no exponent, an en dash where it is missing."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    exponent = int(
        f"{value:.{digits - 1}e}".partition("e")[2]
    )  # of the rounded value: 99.96 is read as 100
    places = max(0, digits - 1 - exponent)
    return f"{value:,.{places}f}" if places else f"{round(value):,}"
