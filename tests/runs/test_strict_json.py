import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.runs.strict_json import from_json, plain, to_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} was written")


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(VALUES)
def test_whatever_is_written_is_strict_and_reads_back(value: object) -> None:
    text = to_json(value)
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert text.isascii()
    assert json.loads(text, parse_constant=refuse) == plain(value)
    assert from_json(text, "here") == plain(value)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, np.float32("nan"), np.float64("inf")])
def test_numbers_that_are_not_finite_become_null_at_any_depth(number: float) -> None:
    assert to_json({"a": [{"b": number}, (number,)]}) == '{"a": [{"b": null}, [null]]}\n'


def test_numpy_scalars_become_plain_numbers() -> None:
    values = [np.float32(0.5), np.int64(3), np.bool_(True), np.array(2.0)]
    assert to_json(values) == "[0.5, 3, true, 2.0]\n"


@pytest.mark.parametrize("value", [{1: "a"}, {1, 2}, b"bytes", np.zeros(2), object(), 1j])
def test_what_has_no_json_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"JSON"):
        to_json([value])


def test_half_a_surrogate_pair_is_replaced() -> None:
    assert plain({"\udc80": "a\ud800b"}) == {"\ufffd": "a\ufffdb"}


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ('{"a": {"b": 1, "b": 1}}', "'b' is given twice"),
        ("[NaN]", "NaN"),
        ("[Infinity]", "Infinity"),
        ("[-Infinity]", "-Infinity"),
        ("[1e999]", "beyond float64"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"\\uDFFF": 1}', "surrogate"),
        ('[["\\ud800"]]', "surrogate"),
        ("{", "strict JSON"),
        ("", "strict JSON"),
        ("1 2", "strict JSON"),
        ("9" * 5000, "strict JSON"),
        ("[" * 200_000, "nested too deeply"),
    ],
)
def test_anything_ambiguous_is_refused_with_its_place(text: str, fact: str) -> None:
    with pytest.raises(UsageError, match=f"^file line 3 .*{fact}"):
        from_json(text, "file line 3")


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert from_json('"\\ud83d\\ude00"', "here") == "\U0001f600"
