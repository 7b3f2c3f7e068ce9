"""Numbers carry the digits that their interval supports, no more and no fewer."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.report import figures

UNITS = {"ns": 1.0, "µs": 1e3, "ms": 1e6, "s": 1e9}
times = st.floats(min_value=0.1, max_value=1e12)
widths = st.floats(min_value=0.0, max_value=0.9)


def in_ns(words: str) -> float:
    number, unit = words.split(" ")
    return float(number) * UNITS[unit]


@pytest.mark.parametrize(
    ("ns", "low", "high", "words"),
    [
        (5713.0, 5500.0, 5900.0, "5.7 µs"),
        (5713.0, 5600.0, 5800.0, "5.71 µs"),
        (47_310.0, 45_000.0, 49_000.0, "47 µs"),
        (473_000.0, 400_000.0, 550_000.0, "470 µs"),
        (473_000.0, 300_000.0, 600_000.0, "470 µs"),
        (473_000.0, 200_000.0, 600_000.0, "500 µs"),
        (1_238_000.0, 1_210_000.0, 1_250_000.0, "1.24 ms"),
        (999_960.0, 999_000.0, 1_001_000.0, "1.000 ms"),
        (12.3, 10.0, 14.0, "12 ns"),
        (0.4, 0.2, 0.5, "0.4 ns"),
        (6.1e10, 6.0e10, 6.3e10, "61 s"),
        (5700.0, 1000.0, 40_000.0, "6 µs"),
        (5700.0, math.nan, 5800.0, "5.70 µs"),
        (0.0, None, None, "0.00 ns"),
        (math.inf, None, None, "∞"),
        (math.nan, 1.0, 2.0, "–"),
    ],
)
def test_duration(ns: float, low: float | None, high: float | None, words: str) -> None:
    assert figures.duration(ns, low, high) == words


@given(times, widths)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_duration_is_within_half_its_last_digit_of_the_truth(ns: float, width: float) -> None:
    words = figures.duration(ns, ns * (1 - width), ns * (1 + width))
    number, unit = words.split(" ")
    last = 10.0 ** -len(number.partition(".")[2]) if "." in number else 10.0 ** (len(number) - len(number.rstrip("0")))
    assert abs(in_ns(words) - ns) <= 0.5001 * last * UNITS[unit]
    assert len(number.replace(".", "").lstrip("0")) <= 4 or unit == "s"


@given(times, widths, widths)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_margin_is_never_understated(ns: float, below: float, above: float) -> None:
    low, high = ns * (1 - below), ns * (1 + above)
    words = figures.duration_with_margin(ns, low, high)
    found = re.fullmatch(r"(\S+) ±(\S+) (\S+)", words)
    assert found is not None
    assert float(found[2]) * UNITS[found[3]] >= max(high - ns, ns - low) * (1 - 1e-5)


def test_without_an_interval_no_margin_is_claimed() -> None:
    assert figures.duration_with_margin(5713.0, None, None) == "5.71 µs"


@pytest.mark.parametrize(
    ("value", "words"),
    [(8.21, "8.2x"), (9.99, "10x"), (0.104, "0.10x"), (123.4, "120x"), (1.0, "1.0x"), (2.5e7, "2.5e+07x"), (None, "–")],
)
def test_ratio(value: float | None, words: str) -> None:
    assert figures.ratio(value) == words


@pytest.mark.parametrize(
    ("value", "cause", "words"),
    [
        (4.0, "scale.sum", "4.00x"),
        (0.5, "scale.half", "0.500x"),
        (-1.0, "scale.constant", "-1.00x"),
        (0.9, "state.momentum", "0.900"),
        (math.nan, "scale.sum", ""),
        (math.inf, "scale.constant", "∞"),
        (None, "", ""),
    ],
)
def test_a_factor_is_a_multiple_only_where_the_cause_is_a_gain(value: float | None, cause: str, words: str) -> None:
    assert figures.factor(value, cause) == words
