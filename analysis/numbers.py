"""Numbers as a reader sees them."""

import math
from decimal import ROUND_HALF_EVEN, Decimal

UNKNOWN = "–"


def decimals(value: float, places: int) -> str:
    """A number with fixed decimals; a half goes to the even digit, as a person would write it.

    Rounds the decimal number that is stored (1.40605 becomes 1.4060), not its nearest binary
    fraction.
    """
    if not math.isfinite(value):
        return str(value)
    return str(Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN))


def significant(value: float | None, digits: int = 3, *, thousands: bool = False) -> str:
    """A number with `digits` significant digits and no exponent: 0.0531, 5.31, 531, 5310.

    thousands: keep every digit before the decimal point, in groups: 5,314. A missing number (None,
    NaN) is an en dash.
    """
    if value is None or math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    # The exponent of the rounded value: 99.96 becomes 100, not 100.0.
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    places = digits - 1 - exponent
    if thousands and places <= 0:
        return f"{round(value):,}"
    return f"{round(value, places):.{max(0, places)}f}"


def ratio_text(ratio: float, digits: int) -> str:
    """A ratio with two significant digits, fewer if its inputs have fewer: 1.2x, 14x, 120x."""
    return significant(ratio, max(1, min(2, digits))) + "x"
