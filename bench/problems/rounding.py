"""A problem as a dtype can hold it."""

from bench.dtypes import Dtype, rounded
from bench.problems.problem import Problem


def in_dtype(problem: Problem, dtype: Dtype) -> Problem:
    """The problem with every array rounded to ``dtype``, in float64; the learning rate is left as it is."""
    return Problem(
        x=rounded(problem.x, dtype),
        y=rounded(problem.y, dtype),
        w0=rounded(problem.w0, dtype),
        b0=None if problem.b0 is None else rounded(problem.b0, dtype),
        lr=problem.lr,
    )
