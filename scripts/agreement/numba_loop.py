"""A loop that numba compiles: what is timed bare, and the variant made of it. Its backend is ``numpy``."""

from typing import Any

from numba import njit

from bench import Descent, Problem
from gd_impls.as_published.shapes import only_a_line_through_the_origin


def started(problem: Problem) -> tuple[Any, ...]:
    """What the loop takes, before its first iteration."""
    only_a_line_through_the_origin(problem)
    return problem.x, problem.y, problem.w0.copy(), problem.lr


@njit  # type: ignore[untyped-decorator]
def iterate(n_iters: int, x: Any, y: Any, w: Any, lr: float) -> None:
    """Gradient descent in place: a line through the origin, sample by sample."""
    for _ in range(n_iters):
        total = 0.0
        for i in range(x.shape[0]):
            total += x[i, 0] * (x[i, 0] * w[0, 0] - y[i, 0])
        w[0, 0] -= lr * 2.0 * total / x.shape[0]


def descend(problem: Problem, n_iters: int) -> Descent:
    """The same as a variant."""
    arguments = started(problem)
    iterate(n_iters, *arguments)
    return Descent(arguments[2], None, None)
