"""Seeded families of Gaussian problems, addressed by spec strings like ``gaussian:n=1000,d=20``.

x has the asked condition number, y = x w^T + b + noise for a planted (w, b), and the start is random and not zero.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from bench.dtypes import FloatArray
from bench.errors import UsageError
from bench.problems import learning_rate
from bench.problems.learning_rate import LearningRate
from bench.problems.named import Answer, Loaded
from bench.problems.problem import Problem

LARGEST_ARRAY = 50_000_000
"""Numbers that one array of a generated problem may hold: 400 MB of float64."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that determines a generated problem; the fields are the keys of a spec, in canonical order.

    Attributes:
        family: ``gaussian`` or ``batch``.
        b: independent regressions; 0 for a problem that is no batch.
        n: samples.
        d: features.
        m: outputs.
        condition: the ratio of x's largest singular value to its smallest; one feature has only one.
        noise: the standard deviation of what is added to y.
        bias: whether the model has one.
        lr: the learning rate, or ``auto``.
        seed: of the random numbers.
    """

    family: str
    b: int
    n: int
    d: int
    m: int
    condition: float = 10.0
    noise: float = 0.1
    bias: bool = True
    lr: LearningRate = "auto"
    seed: int = 0

    @property
    def name(self) -> str:
        """The canonical spec: keys in the order of the fields, and only those that are not the family's default."""
        default = FAMILIES[self.family]
        given = {key: getattr(self, key) for key in _keys(self.family) if getattr(self, key) != getattr(default, key)}
        return ":".join([self.family, *([_written(given)] if given else [])])


FAMILIES: Mapping[str, Recipe] = MappingProxyType(
    {
        "gaussian": Recipe("gaussian", b=0, n=100, d=5, m=3),
        "batch": Recipe("batch", b=16, n=32, d=3, m=2),
    }
)

_RANGES = {
    "b": (1, 1_000_000),
    "n": (2, 10_000_000),
    "d": (1, 100_000),
    "m": (1, 100_000),
    "condition": (1.0, 1e12),
    "noise": (0.0, 1e6),
    "seed": (0, 2**63 - 1),
}


def parse(spec: str) -> Recipe:
    """The recipe that a spec string means.

    Args:
        spec: ``family`` or ``family:key=value,key=value``, keys in any order.

    Raises:
        UsageError: the family or a key is not known, a key comes twice, or a value is out of range.

    >>> parse("gaussian:m=1,n=1000,seed=0").name
    'gaussian:n=1000,m=1'
    """
    family, colon, text = spec.partition(":")
    if family not in FAMILIES:
        raise UsageError(f"{spec!r} names no family of generated problems. The families are {', '.join(FAMILIES)}.")
    values: dict[str, Any] = {}
    for item in text.split(",") if colon else []:
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            raise UsageError(f"{spec!r}: {item!r} is not of the form key=value. {_valid(family)}")
        if key not in _keys(family):
            raise UsageError(f"{spec!r}: there is no key {key!r}. {_valid(family)}")
        if key in values:
            raise UsageError(f"{spec!r}: the key {key!r} is given twice. Give it once.")
        try:
            values[key] = _value(key, value)
        except (ValueError, UsageError) as error:
            raise UsageError(f"{spec!r}: {key}={value} is out of range. {_valid(family)}") from error
    recipe = replace(FAMILIES[family], **values)
    _check_together(spec, recipe, given=set(values))
    return recipe


def load(name: str) -> Loaded:
    """The problem of a spec string."""
    return generate(parse(name))


def generate(recipe: Recipe) -> Loaded:
    """The problem of a recipe: the same numbers for the same recipe, up to rounding.

    Returns:
        The problem; and the planted (w, b) as its answer where there is no noise and the data determine it.
    """
    random = np.random.default_rng(recipe.seed)
    lead = (recipe.b,) if recipe.b else ()
    n, d, m = recipe.n, recipe.d, recipe.m
    x = _conditioned(random.standard_normal((*lead, n, d)), recipe.condition)
    w = random.standard_normal((*lead, m, d))
    b = random.standard_normal((*lead, m)) if recipe.bias else None
    y = x @ np.swapaxes(w, -1, -2) + recipe.noise * random.standard_normal((*lead, n, m))
    if b is not None:
        y += b[..., np.newaxis, :]
    w0 = random.standard_normal((*lead, m, d))
    b0 = random.standard_normal((*lead, m)) if recipe.bias else None
    lr = learning_rate.resolved(recipe.lr, x, n_outputs=m, bias=recipe.bias)
    determined = recipe.noise == 0.0 and n >= d + recipe.bias
    return Problem(x, y, w0, b0, lr), Answer(w, b, "planted, without noise") if determined else None


def described(recipe: Recipe) -> str:
    """One line for tables.

    >>> described(FAMILIES["gaussian"])
    'Gaussian features, condition 10, planted answer, noise 0.1'
    """
    many = f"{recipe.b} independent regressions: " if recipe.b else ""
    condition = f"condition {recipe.condition:g}, " if recipe.d > 1 else ""
    return f"{many}Gaussian features, {condition}planted answer, noise {recipe.noise:g}"


def _conditioned(gaussian: FloatArray, condition: float) -> FloatArray:
    # The singular vectors stay random; the values become geometric, scaled so that the entries keep a mean square of 1.
    # The SVD, not QR: its sign ambiguities cancel in the product, so that every LAPACK gives the same x.
    left, singular, right = np.linalg.svd(gaussian, full_matrices=False)
    target = np.geomspace(condition, 1.0, num=singular.shape[-1])
    n, d = gaussian.shape[-2:]
    target *= math.sqrt(n * d) / np.linalg.norm(target)
    return np.ascontiguousarray((left * target) @ right)


def _keys(family: str) -> list[str]:
    names = [field.name for field in fields(Recipe)[1:]]
    return names if FAMILIES[family].b else [name for name in names if name != "b"]


def _value(key: str, text: str) -> object:
    if key == "bias":
        if text not in ("yes", "no"):
            raise ValueError(text)
        return text == "yes"
    if key == "lr":
        return text if text == "auto" else learning_rate.checked(float(text))
    low, high = _RANGES[key]
    number = int(text) if isinstance(low, int) else float(text)
    if not low <= number <= high:
        raise ValueError(text)
    return number


def _check_together(spec: str, recipe: Recipe, given: set[str]) -> None:
    if recipe.d == 1 and "condition" in given and recipe.condition != 1.0:
        raise UsageError(
            f"{spec!r}: one feature has one singular value, so its condition number is 1, not {recipe.condition:g}. "
            "Leave condition out, or ask for d=2 or more."
        )
    largest = max(recipe.b, 1) * max(
        recipe.n * recipe.d, recipe.n * recipe.m, recipe.m * recipe.d, min(recipe.n, recipe.d) ** 2
    )
    if largest > LARGEST_ARRAY:
        raise UsageError(
            f"{spec!r}: an array of {largest:,} numbers is more than the {LARGEST_ARRAY:,} that a generated problem "
            "may hold. Make n, d, m or b smaller."
        )


def _valid(family: str) -> str:
    default = FAMILIES[family]
    whole = {"b", "n", "d", "m", "seed"}
    described = []
    for key in _keys(family):
        if key == "bias":
            meaning = "yes or no"
        elif key == "lr":
            meaning = "auto or a positive number"
        else:
            low, high = _RANGES[key]
            meaning = f"{'a whole number' if key in whole else 'a number'} from {low:g} to {high:g}"
        described.append(f"{key} ({meaning}; {_text(getattr(default, key))})")
    return f"The keys of {family}, with their defaults: {', '.join(described)}."


def _written(values: Mapping[str, object]) -> str:
    return ",".join(f"{key}={_text(value)}" for key, value in values.items())


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
