"""How numbers are written, the same on every face: only as many digits as the interval supports."""

import math
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal

ABSENT = "–"
"""What stands where there is no number."""

_UNITS = ("ns", "µs", "ms", "s")
_MOST_DIGITS = 4
_DIGITS_WITHOUT_INTERVAL = 3


def is_absent(value: object) -> bool:
    """Whether a field of a record is empty: ``None``, or the NaN that a frame makes of it."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def duration(ns: float | None, ci_low: float | None = None, ci_high: float | None = None) -> str:
    """A time, to the digit that its interval leaves standing: the first of the margin, the second after a 1.

    Args:
        ns: the time, ns.
        ci_low: lower end of its interval, ns; without an interval three digits are written.
        ci_high: upper end of its interval, ns.

    >>> duration(5713.0, 5500.0, 5900.0)
    '5.7 µs'
    >>> duration(5713.0, 5708.0, 5718.0)
    '5.713 µs'
    >>> duration(47_310.0, 45_000.0, 50_000.0)
    '47 µs'
    >>> duration(1_238_000.0)
    '1.24 ms'
    >>> duration(999.7)
    '1.00 µs'
    >>> duration(None)
    '–'
    """
    if ns is None or not math.isfinite(ns):
        return _not_finite(ns)
    number, unit = _in_unit(ns, _last_place(ns, margin(ns, ci_low, ci_high)))
    return f"{number} {unit}"


def duration_with_margin(ns: float | None, ci_low: float | None, ci_high: float | None) -> str:
    """A time and how far away the farther end of its interval is, rounded up: no uncertainty is ever understated.

    >>> duration_with_margin(5713.0, 5500.0, 5900.0)
    '5.7 ±0.3 µs'
    >>> duration_with_margin(24_120.0, 13_200.0, 30_000.0)
    '24 ±11 µs'
    >>> duration_with_margin(47_310.0, 25_000.0, 50_000.0)
    '50 ±30 µs'
    >>> duration_with_margin(5713.0, 5712.9, 5713.1)
    '5.713 ±0.001 µs'
    """
    farther = margin(ns, ci_low, ci_high)
    if ns is None or not math.isfinite(ns) or farther is None:
        return duration(ns)
    place = _last_place(ns, farther)
    number, unit = _in_unit(ns, place)
    written = farther.quantize(_power_of_ten(place), ROUND_CEILING).scaleb(-3 * _UNITS.index(unit))
    return f"{number} ±{written:f} {unit}"


def margin(ns: float | None, ci_low: float | None, ci_high: float | None) -> Decimal | None:
    """The distance from a time to the farther end of its interval; ``None`` without either."""
    if ns is None or ci_low is None or ci_high is None or not math.isfinite(ci_low) or not math.isfinite(ci_high):
        return None
    # Six digits drop the noise of the binary subtraction, which rounding up would otherwise turn into a whole step.
    return Context(prec=6).create_decimal(max(abs(ci_high - ns), abs(ns - ci_low)))


def interval(ci_low: float | None, ci_high: float | None) -> str:
    """The two ends of an interval of times, in the unit of the upper one.

    >>> interval(5500.0, 5900.0)
    '5.5–5.9 µs'
    >>> interval(950.0, 1050.0)
    '0.95–1.05 µs'
    """
    if ci_low is None or ci_high is None:
        return ABSENT
    farther = margin((ci_low + ci_high) / 2, ci_low, ci_high)
    if farther is None:
        return ABSENT
    place = _last_place(ci_high, farther)
    upper, unit = _in_unit(ci_high, place)
    lower = _rounded(ci_low, place).scaleb(-3 * _UNITS.index(unit))
    return f"{lower:f}–{upper} {unit}"


def ratio(value: float | None) -> str:
    """How many times one time goes into another, to two digits.

    >>> ratio(8.21), ratio(0.104), ratio(123.0), ratio(None)
    ('8.2x', '0.10x', '120x', '–')
    """
    if value is None or not math.isfinite(value):
        return _not_finite(value)
    return f"{_significant(value, 2)}x"


def percent(share: float | None) -> str:
    """A share as a percentage, to two digits.

    >>> percent(0.814), percent(0.0321), percent(0.0000412), percent(1.0), percent(None)
    ('81 %', '3.2 %', '<0.01 %', '100 %', '–')
    """
    if share is None or not math.isfinite(share):
        return _not_finite(share)
    if 0 < share < 1e-4:
        return "<0.01 %"
    return f"{_significant(100 * share, 3 if share >= 0.995 else 2)} %"


def factor(value: float | None, cause: str = "") -> str:
    """The number that goes with a cause: a gain is written as a multiple, any other as it is.

    >>> factor(4.0, "scale.sum"), factor(0.9, "state.momentum"), factor(1936.0, "scale.sum"), factor(None)
    ('4.00x', '0.900', '1936x', '')
    """
    if value is None or math.isnan(value):
        return ""
    if math.isinf(value):
        return _not_finite(value)
    digits = _significant(value, 3 if abs(value) < 1000 else 4)
    return f"{digits}x" if cause.startswith("scale.") else digits


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "cell"), count(3, "cell")
    ('1 cell', '3 cells')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _not_finite(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ABSENT
    return "∞" if value > 0 else "-∞"


def _last_place(value: float, farther: Decimal | None) -> int:
    """The power of ten of the last digit worth writing."""
    if farther is None:
        return _place_of_digit(value, _DIGITS_WITHOUT_INTERVAL)
    finest = _place_of_digit(value, _MOST_DIGITS)
    if not farther:
        return finest
    # Rounding to one digit would make 11 twice as much, and 24 ±11 would be written 20 ±20.
    last = farther.adjusted() - 1 if farther.as_tuple().digits[0] == 1 else farther.adjusted()
    return min(_place_of_digit(value, 1), max(finest, last))


def _place_of_digit(value: float, digits: int) -> int:
    """The power of ten of the last of so many digits."""
    # Twice, because rounding up may add a digit: 9.99 to two digits is 10, not 10.0.
    place = Decimal(value).adjusted() - digits + 1
    return _rounded(value, place).adjusted() - digits + 1 if value else place


def _in_unit(ns: float, place: int) -> tuple[str, str]:
    rounded = _rounded(ns, place)
    unit = min(max(rounded.adjusted() // 3, 0), len(_UNITS) - 1) if rounded else 0
    return f"{rounded.scaleb(-3 * unit):f}", _UNITS[unit]


def _rounded(value: float, place: int) -> Decimal:
    return Decimal(value).quantize(_power_of_ten(place), ROUND_HALF_EVEN)


def _power_of_ten(place: int) -> Decimal:
    return Decimal(1).scaleb(place)


def _significant(value: float, digits: int) -> str:
    if not 1e-4 <= abs(value) < 1e6 and value:
        return f"{value:.{digits - 1}e}"
    return f"{_rounded(value, _place_of_digit(value, digits)):f}"


def ratio_with_interval(value: float | None, low: float | None, high: float | None) -> tuple[str, str]:
    """A ratio of two times and its interval, to the digit that the interval leaves standing.

    >>> ratio_with_interval(1.05231, 1.0312, 1.0749), ratio_with_interval(0.5012, 0.5009, 0.5015)
    (('1.05x', '1.03–1.07'), ('0.5012x', '0.5009–0.5015'))
    >>> ratio_with_interval(None, None, None)
    ('–', '–')
    """
    if value is None or low is None or high is None or not all(map(math.isfinite, (value, low, high))):
        return ABSENT, ABSENT
    digits = _decimals(high - low)
    return f"{value:.{digits}f}x", f"{low:.{digits}f}–{high:.{digits}f}"


def power(value: float, low: float | None, high: float | None, within: tuple[float, float]) -> str:
    """A power and its interval, whose ends may lie beyond those that were looked at.

    >>> power(0.9812, 0.971, 0.9914, (0.1, 3.0)), power(0.42, None, 0.93, (0.1, 3.0))
    ('0.98 (0.97–0.99)', '0.4 (<0.1–0.9)')
    """
    digits = _decimals((within[1] if high is None else high) - (within[0] if low is None else low))
    ends = [f"<{within[0]:g}" if low is None else f"{low:.{digits}f}"]
    ends += [f">{within[1]:g}" if high is None else f"{high:.{digits}f}"]
    return f"{value:.{digits}f} ({'–'.join(ends)})"


def size(value: float) -> str:
    """An extent of a problem that was computed, to two digits.

    >>> size(41_234.0), size(87.6), size(1_000_000)
    ('41,000', '88', '1,000,000')
    """
    return f"{int(_rounded(value, _place_of_digit(value, 2))):,}"


def _decimals(width: float) -> int:
    """Decimals of a number whose interval is so wide."""
    digits = min(4, max(1, 1 - math.floor(math.log10(max(width, 1e-9)))))
    return digits - 1 if width * 10**digits >= 20 else digits
