"""The NumPy cells of four notebooks: the mean of a number that np.dot has already summed."""

import numpy as np

from bench import Descent, Problem, variant
from gd_impls.as_published.shapes import only_a_line_through_the_origin


def descend(problem: Problem, n_iters: int) -> Descent:
    """What the four cells compute alike; w is a Python float, and the data have the problem's dtype.

    The gradient of N points is N times too large, so that each update leaves 1 - lr 2 sum(x^2) of the distance from
    the optimum where 1 - lr 2 sum(x^2)/N was meant.
    """
    only_a_line_through_the_origin(problem)
    x, y = problem.x[:, 0], problem.y[:, 0]
    w = float(problem.w0[0, 0])
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        predicted = x.dtype.type(w) * x
        losses[k] = ((predicted - y) ** 2).mean()
        w -= problem.lr * float(np.dot(2 * x, predicted - y).mean())
    return Descent(np.array([[w]], x.dtype), None, losses)


@variant("notebook-000-numpy", backend="numpy", family="as-published", expect="scale.sum")
def notebook_000_numpy(problem: Problem, n_iters: int) -> Descent:
    """Notebook 000, NumPy cell, on four points: the gradient is the sum, not the mean.

    It prints w = 2.000 and a loss of 0.00000000 on every line, from the first: it is a second execution, which began
    where the first had ended. That fault has a variant of its own, ``notebook-000-rerun``.
    """
    return descend(problem, n_iters)


@variant("notebook-001-numpy", backend="numpy", family="as-published", expect="scale.sum")
def notebook_001_numpy(problem: Problem, n_iters: int) -> Descent:
    """Notebook 001, NumPy cell, on four points: the gradient is the sum, not the mean.

    Its ten losses, 30, 4.8, 0.768 and so on, fall to 0.16 of the one before; the right gradient leaves 0.7225. Its w is
    1.500 on every line, because it prints the w of another cell and updates W: a fault of the printout alone.
    """
    return descend(problem, n_iters)


@variant("notebook-002-numpy", backend="numpy", family="as-published", expect="scale.sum")
def notebook_002_numpy(problem: Problem, n_iters: int) -> Descent:
    """Notebook 002, NumPy cell, on six points: the gradient is the sum, not the mean, and overshoots.

    It prints w = 2.200, 1.980, 2.002, 2.000: at lr 0.01 each update crosses the optimum and leaves -0.1 of the
    distance. It would diverge from a learning rate of 2/110 on, the right gradient from 6/55.
    """
    return descend(problem, n_iters)


@variant("notebook-003-numpy", backend="numpy", family="as-published", expect="scale.sum")
def notebook_003_numpy(problem: Problem, n_iters: int) -> Descent:
    """Notebook 003, NumPy cell, on four points: the gradient is the sum, not the mean.

    It prints w = 2.000 after 11 of its 20 epochs. The PyTorch cell beside it, which has the right gradient, is given
    100 and is said to be less exact: docs/tutorial-why-100-iterations.md.
    """
    return descend(problem, n_iters)
