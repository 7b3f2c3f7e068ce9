"""The notebooks' loop in NumPy, with the right gradient: what is timed bare, and the variant made of it."""

from typing import Any

import numpy as np

from bench import Descent, Problem
from gd_impls.as_published.shapes import only_a_line_through_the_origin


def started(problem: Problem) -> tuple[Any, ...]:
    """What the loop takes, before its first iteration."""
    only_a_line_through_the_origin(problem)
    return problem.x, problem.y, problem.w0.copy(), problem.lr


def iterate(n_iters: int, x: Any, y: Any, w: Any, lr: float) -> None:
    """Gradient descent in place, as published: a line through the origin, the gradient written out."""
    for _ in range(n_iters):
        prediction = x * w
        gradient = np.mean(2 * x * (prediction - y))
        w -= lr * gradient


def descend(problem: Problem, n_iters: int) -> Descent:
    """The same as a variant."""
    arguments = started(problem)
    iterate(n_iters, *arguments)
    return Descent(arguments[2], None, None)
