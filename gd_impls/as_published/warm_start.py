"""A NumPy cell that was executed a second time, and went on from where the first had ended."""

import numpy as np

from bench import Descent, Problem, variant
from gd_impls.as_published.shapes import only_a_line_through_the_origin

_kernel: dict[str, float] = {}
"""The variables that a notebook's kernel keeps from one execution to the next."""


@variant("notebook-000-rerun", backend="numpy", family="as-published", expect="leak.warm-start")
def notebook_000_rerun(problem: Problem, n_iters: int) -> Descent:
    """Notebook 000, NumPy cell, executed again: it starts where the last execution ended.

    Its table begins with w = 2.000 and a loss of 0.00000000, the end of the execution before; the cell that sets
    w = 0 was not executed again. Only this fault of the cell is here, with the gradient as it was meant, so that it can
    be named: two at once have no name. The other is ``notebook-000-numpy``, and the tests print the table with both.
    """
    only_a_line_through_the_origin(problem)
    x, y = problem.x[:, 0], problem.y[:, 0]
    w = _kernel.setdefault("w", float(problem.w0[0, 0]))
    losses = np.empty(n_iters, x.dtype)
    for k in range(n_iters):
        predicted = x.dtype.type(w) * x
        losses[k] = ((predicted - y) ** 2).mean()
        w -= problem.lr * float((2 * x * (predicted - y)).mean())
    _kernel["w"] = w
    return Descent(np.array([[w]], x.dtype), None, losses)
