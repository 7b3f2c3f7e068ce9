"""Variants that do next to nothing: one operation on a single number an iteration. Only workers import this module."""

from bench.problems.problem import Array, Problem
from bench.variants.contract import Descent


def one_operation(problem: Problem, n_iters: int) -> Descent:
    """As many additions of two arrays of one number; the arrays are of whatever backend the worker has."""
    number: Array = problem.w0
    for _ in range(n_iters):
        number + number
    return Descent(problem.w0)
