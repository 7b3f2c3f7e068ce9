"""Strict JSON, both ways: what is written any parser can read, and what is read means one thing only."""

import json
import math
import numbers
from collections.abc import Mapping
from typing import Any

from bench.errors import UsageError


def plain(value: Any) -> Any:
    """The value in terms of JSON's own types: numbers that are not finite become ``None``.

    NumPy scalars become Python's, and half a surrogate pair, which no UTF-8 file can hold, becomes U+FFFD.

    Raises:
        TypeError: the value, or something inside it, has no JSON form.

    >>> plain({"error": float("inf"), "alternatives": ("scale.sum",)})
    {'error': None, 'alternatives': ['scale.sum']}
    """
    # The exact types first: a journal line can hold a hundred thousand of them.
    kind = type(value)
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is int or kind is bool or value is None or (kind is str and value.isascii()):
        return value
    if isinstance(value, Mapping):
        return {_name(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return _plain_scalar(value)


def to_json(value: Any, indent: int | None = None) -> str:
    r"""The value as strict JSON in ASCII, ended by a line feed: never NaN, never Infinity.

    Args:
        value: mappings, lists, tuples, text, numbers, booleans and ``None``.
        indent: spaces a level; ``None`` puts everything on one line.

    >>> to_json({"bound": float("nan"), "n": 3})
    '{"bound": null, "n": 3}\n'
    """
    return plain_to_json(plain(value), indent)


def plain_to_json(value: Any, indent: int | None = None) -> str:
    """As `to_json`, of a value that `plain` gave."""
    return json.dumps(value, indent=indent, allow_nan=False) + "\n"


def from_json(text: str, where: str) -> Any:
    """The value that strict JSON stands for.

    Args:
        text: one JSON value.
        where: names the place in the message, a file or a line of one.

    Raises:
        UsageError: not JSON; a key given twice in one object; NaN, Infinity or a number beyond float64; half a
            surrogate pair; nested too deeply.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)
        if "\\ud" in text.lower():
            _refuse_surrogates(value)
    except RecursionError:
        raise UsageError(f"{where} is nested too deeply to be something that gdbench wrote.") from None
    except ValueError as error:
        raise UsageError(f"{where} is not strict JSON: {error}.") from None
    return value


def _plain_scalar(value: Any) -> bool | int | float | str | None:
    # numpy.bool belongs to none of the abstract number types.
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, str):
        return _well_formed(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        number = float(value)
        return number if math.isfinite(number) else None
    raise TypeError(f"{type(value).__name__} has no JSON form: {value!r}")


def _well_formed(text: str) -> str:
    return str(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _name(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a JSON object is keyed by text, not by {key!r}")
    return key if key.isascii() else _well_formed(key)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {digits[:40]} is beyond float64")
    return number


def _refuse_surrogates(value: Any) -> None:
    # A parsed value nests lists and dicts only; keys count as text.
    if isinstance(value, str):
        if _well_formed(value) != value:
            raise ValueError(f"the text {value[:40]!r} holds half a surrogate pair")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_surrogates(key)
            _refuse_surrogates(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_surrogates(item)
