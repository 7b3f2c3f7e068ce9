"""The four floating-point formats: their rounding unit, range, and bytes, as the judge sees them.

The judge computes in float64 and longer; these functions carry values to and from a variant's dtype without any
array library but NumPy. bfloat16, which NumPy lacks, travels as the upper half of a float32.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.errors import UsageError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dtype:
    """One floating-point format.

    Attributes:
        name: the name used in tables and on the command line.
        itemsize: bytes of one number.
        unit_roundoff: u, half the distance from 1 to the next number (2**-53 for float64).
        eta: half the least subnormal, the largest absolute error of an underflow.
        largest: the largest finite number.
    """

    name: str
    itemsize: int
    unit_roundoff: float
    eta: float
    largest: float


DTYPES = {
    "float64": Dtype("float64", 8, 2.0**-53, 2.0**-1074, float(np.finfo(np.float64).max)),
    "float32": Dtype("float32", 4, 2.0**-24, 2.0**-150, float(np.finfo(np.float32).max)),
    "float16": Dtype("float16", 2, 2.0**-11, 2.0**-25, 65504.0),
    "bfloat16": Dtype("bfloat16", 2, 2.0**-8, 2.0**-134, 3.3895313892515355e38),
}


def dtype_named(name: str) -> Dtype:
    """The format of that name.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    if name not in DTYPES:
        raise UsageError(f"dtype {name!r} is not known. gdbench knows {', '.join(DTYPES)}.")
    return DTYPES[name]


def encode(values: npt.ArrayLike, dtype: Dtype) -> bytes:
    """Values rounded to nearest-even in ``dtype``, as little-endian bytes in C order."""
    array = np.ascontiguousarray(values, dtype=np.float64)
    if dtype.name == "float64":
        return array.astype("<f8").tobytes()
    with np.errstate(over="ignore"):
        if dtype.name == "bfloat16":
            return _bfloat16_words(array).tobytes()
        return array.astype(np.dtype(dtype.name).newbyteorder("<")).tobytes()


def decode(data: bytes, shape: tuple[int, ...], dtype: Dtype) -> FloatArray:
    """The float64 array whose ``dtype`` representation is ``data``; the inverse of `encode`, exactly."""
    if dtype.name == "bfloat16":
        words = np.frombuffer(data, dtype="<u2").astype(np.uint32) << np.uint32(16)
        return words.view(np.float32).astype(np.float64).reshape(shape)
    return np.frombuffer(data, dtype=np.dtype(dtype.name).newbyteorder("<")).astype(np.float64).reshape(shape)


def rounded(values: npt.ArrayLike, dtype: Dtype) -> FloatArray:
    """Values after rounding to ``dtype``, as float64.

    >>> rounded([1.0, 0.1], DTYPES["bfloat16"]).tolist()
    [1.0, 0.10009765625]
    """
    array = np.asarray(values, dtype=np.float64)
    return decode(encode(array, dtype), array.shape, dtype)


def _bfloat16_words(array: FloatArray) -> npt.NDArray[np.uint16]:
    # Two roundings in a row (to float32, then to bfloat16) can differ from one; the first is made odd-rounding,
    # which keeps the sticky bit and makes the second exact.
    single = array.astype(np.float32)
    bits = single.view(np.uint32).copy()
    back = single.astype(np.float64)
    inexact = (back != array) & np.isfinite(back)
    away = np.abs(back) > np.abs(array)
    bits = np.where(inexact & away, bits - np.uint32(1), bits)
    bits = np.where(inexact, bits | np.uint32(1), bits)
    with np.errstate(over="ignore"):
        rounded_up = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (np.where(np.isnan(array), np.uint32(0x7FC00000), rounded_up) >> np.uint32(16)).astype(np.uint16)
