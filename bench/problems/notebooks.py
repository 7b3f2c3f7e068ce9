"""The problems of five published gradient-descent notebooks: their data, starts and learning rates."""

from collections.abc import Callable
from functools import partial

import numpy as np

from bench.problems.named import Answer, Loaded
from bench.problems.problem import Problem

LINEAR_START = (-0.41199517, 0.38760006)
"""Where ``nn.Linear`` stood (w, b) before the run that notebook 001 printed.

The start itself was not printed. The first row of the table leaves two candidates and the second row one. Of the
numbers that ``nn.Linear`` draws, multiples of 2**-23, only this one near the least-squares fit gives all ten rows to
every digit in float32: w0 = -3456066 * 2**-23, b0 = 3251425 * 2**-23. ``tests/problems/test_recovered_start.py``
recovers it again.
"""

_BY_CONSTRUCTION = "by construction: y = 2 x"


def load(name: str) -> Loaded:
    """The problem of that name.

    Args:
        name: one of ``line-4``, ``line-6``, ``linear-4-lr0.01``, ``linear-4-lr0.001`` and ``crop-yield``.
    """
    return _BUILDERS[name]()


def _crop_yield() -> Loaded:
    x = np.array([[73.0, 67.0, 43.0], [91.0, 88.0, 64.0], [87.0, 134.0, 58.0], [102.0, 43.0, 37.0], [69.0, 96.0, 70.0]])
    y = np.array([[56.0, 70.0], [81.0, 101.0], [119.0, 133.0], [22.0, 37.0], [103.0, 119.0]])
    w0 = np.array([[0.7042, -1.5674, -0.3579], [1.7298, -1.3018, 1.2664]])
    b0 = np.array([-0.9878, 0.1373])
    return Problem(x, y, w0, b0, lr=1e-5), None


def _line(first: int, last: int) -> Loaded:
    x = np.arange(first, last + 1, dtype=np.float64)[:, np.newaxis]
    problem = Problem(x, 2.0 * x, np.zeros((1, 1)), None, lr=0.01)
    return problem, Answer(np.array([[2.0]]), None, _BY_CONSTRUCTION)


def _linear(lr: float) -> Loaded:
    x = np.arange(1, 5, dtype=np.float64)[:, np.newaxis]
    w0, b0 = LINEAR_START
    problem = Problem(x, 2.0 * x, np.array([[w0]]), np.array([b0]), lr)
    return problem, Answer(np.array([[2.0]]), np.array([0.0]), _BY_CONSTRUCTION)


_BUILDERS: dict[str, Callable[[], Loaded]] = {
    "line-4": partial(_line, first=1, last=4),
    "line-6": partial(_line, first=0, last=5),
    "linear-4-lr0.01": partial(_linear, lr=0.01),
    "linear-4-lr0.001": partial(_linear, lr=0.001),
    "crop-yield": _crop_yield,
}
