"""Rounding to each format, against NumPy's and torch's own, and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.dtypes import DTYPES, decode, dtype_named, encode, rounded
from bench.errors import UsageError

ANY = st.lists(st.floats(width=64), min_size=1, max_size=20)


@pytest.mark.parametrize("name", ["float64", "float32", "float16"])
@given(values=ANY)
def test_rounding_is_numpys(name: str, values: list[float]) -> None:
    with np.errstate(over="ignore"):
        due = np.asarray(values).astype(name).astype(np.float64)
    np.testing.assert_array_equal(rounded(values, DTYPES[name]), due)


@settings(deadline=None)  # the first example imports torch
@given(values=ANY)
def test_rounding_to_bfloat16_is_torchs(values: list[float]) -> None:
    torch = pytest.importorskip("torch")
    # torch goes through float32 and rounds twice; where float32 is exact the two must agree.
    with np.errstate(over="ignore"):
        single = np.asarray(values).astype(np.float32).astype(np.float64)
    due = torch.from_numpy(single).to(torch.bfloat16).double().numpy()
    np.testing.assert_array_equal(rounded(single, DTYPES["bfloat16"]), due)


@given(values=st.lists(st.floats(min_value=-1e30, max_value=1e30), min_size=1, max_size=20))
def test_rounding_to_bfloat16_is_to_the_nearest(values: list[float]) -> None:
    array = np.asarray(values)
    found = rounded(array, DTYPES["bfloat16"])
    assert np.all(np.abs(found - array) <= 2.0**-8 * np.abs(array) + 2.0**-134)


def test_two_roundings_in_a_row_are_one() -> None:
    # Just above the middle between two bfloat16 numbers, by less than float32 can hold: float32 first would lose it.
    middle = 1 + 2.0**-8
    assert rounded([middle + 2.0**-40], DTYPES["bfloat16"]).tolist() == [1 + 2.0**-7]
    assert rounded([middle - 2.0**-40], DTYPES["bfloat16"]).tolist() == [1.0]
    assert rounded([middle], DTYPES["bfloat16"]).tolist() == [1.0]


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@given(values=st.lists(st.floats(allow_nan=False, width=16), min_size=6, max_size=6))
def test_bytes_come_back_as_they_were(dtype: object, values: list[float]) -> None:
    named = DTYPES[dtype.name]  # type: ignore[attr-defined]
    array = rounded(np.asarray(values).reshape(2, 3), named)
    data = encode(array, named)
    assert len(data) == 6 * named.itemsize
    np.testing.assert_array_equal(decode(data, (2, 3), named), array)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_the_formats_constants_are_true(dtype: object) -> None:
    named = DTYPES[dtype.name]  # type: ignore[attr-defined]
    above_one = 1 + 2 * named.unit_roundoff
    assert rounded([above_one], named).tolist() == [above_one]
    assert rounded([1 + named.unit_roundoff], named).tolist() == [1.0]
    assert rounded([named.largest], named).tolist() == [named.largest]
    if named.name != "float64":
        assert rounded([2 * named.eta], named).tolist() == [2 * named.eta]
        assert rounded([named.eta], named).tolist() == [0.0]


def test_an_unknown_dtype_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="float64, float32, float16, bfloat16"):
        dtype_named("float8")
