"""The NIST data, checked by regenerating every certified digit in exact arithmetic."""

from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
import pytest

from bench.problems.catalogue import find
from bench.problems.nist import CERTIFIED, observations


def fit(name: str) -> tuple[Fraction, Fraction | None, Fraction]:
    """(slope, intercept, residual variance) by the normal equations, in rational arithmetic."""
    pairs = [(Fraction(y), Fraction(x)) for y, x in observations(name)]
    n = len(pairs)
    sum_x, sum_y = sum(x for _, x in pairs), sum(y for y, _ in pairs)
    sum_xx, sum_xy = sum(x * x for _, x in pairs), sum(x * y for y, x in pairs)
    if CERTIFIED[name].intercept is None:
        slope, intercept = Fraction(sum_xy, sum_xx), Fraction(0)
    else:
        slope = Fraction(n * sum_xy - sum_x * sum_y, n * sum_xx - sum_x * sum_x)
        intercept = Fraction(sum_y - slope * sum_x, n)
    squares = sum((y - slope * x - intercept) ** 2 for y, x in pairs)
    if CERTIFIED[name].intercept is None:
        return slope, None, Fraction(squares, n - 1)
    return slope, intercept, Fraction(squares, n - 2)


def printed(value: Fraction, like: str, *, root: bool = False) -> Decimal:
    """The value, or its square root, rounded to as many significant digits as ``like`` has."""
    precise = Context(prec=60)
    decimal = precise.divide(Decimal(value.numerator), Decimal(value.denominator))
    return Context(prec=len(Decimal(like).as_tuple().digits)).plus(precise.sqrt(decimal) if root else decimal)


@pytest.mark.parametrize("name", CERTIFIED)
def test_every_certified_digit_comes_out_of_the_data(name: str) -> None:
    slope, intercept, variance = fit(name)
    certified = CERTIFIED[name]
    assert len(Decimal(certified.slope).as_tuple().digits) == 15
    assert printed(slope, certified.slope) == Decimal(certified.slope)
    assert printed(variance, certified.residual_deviation, root=True) == Decimal(certified.residual_deviation)
    assert (intercept is None) == (certified.intercept is None)
    if intercept is not None and certified.intercept is not None:
        assert printed(intercept, certified.intercept) == Decimal(certified.intercept)


@pytest.mark.parametrize(("name", "n"), [("noint1", 11), ("noint2", 3), ("norris", 36)])
def test_the_problem_carries_the_data_and_the_answer(name: str, n: int) -> None:
    named = find(name)
    problem, answer = named.problem, named.answer
    assert problem.x.shape == problem.y.shape == (n, 1)
    assert list(zip(problem.y.ravel(), problem.x.ravel(), strict=True)) == [
        (float(y), float(x)) for y, x in observations(name)
    ]
    assert answer is not None
    assert answer.w.tolist() == [[float(CERTIFIED[name].slope)]]
    assert (problem.b0 is None) == (answer.b is None) == (name != "norris")
    assert not problem.w0.any()


def test_norris_has_the_certified_intercept_as_its_bias() -> None:
    answer = find("norris").answer
    assert answer is not None
    np.testing.assert_array_equal(answer.b, [-0.262323073774029])
