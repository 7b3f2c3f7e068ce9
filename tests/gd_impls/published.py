"""The numbers that five published notebooks printed (000 to 004; facts and figures only), and how they are met.

A printed loss and a variant's loss may differ in the last digit where the machines summed in another order. So both
must lie within the oracle's float32 rounding bound of the exact descent (the printed one also within its last digit);
printed weights, with three decimals, must be met as they stand.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.dtypes import DTYPES
from bench.oracle.truth import truth
from bench.problems.problem import Problem

Descend = Callable[..., Any]
Table = Mapping[int, tuple[str | None, str]]
"""By iterate k: w after update k as printed, and the loss at iterate k as printed."""

ZERO = "0.00000000"
NOTEBOOK_001_OPTIM: Table = dict(
    enumerate(
        [
            ("0.300", "30.00000000"),
            ("0.555", "21.67499924"),
            ("0.772", "15.66018772"),
            ("0.956", "11.31448650"),
            ("1.113", "8.17471695"),
            ("1.246", "5.90623236"),
            ("1.359", "4.26725292"),
            ("1.455", "3.08308983"),
            ("1.537", "2.22753215"),
            ("1.606", "1.60939169"),
        ]
    )
)
NOTEBOOK_003_AUTOGRAD: Table = {
    0: ("0.300", "30.00000000"),
    10: ("1.665", "1.16278565"),
    20: ("1.934", "0.04506890"),
    30: ("1.987", "0.00174685"),
    40: ("1.997", "0.00006770"),
    50: ("1.999", "0.00000262"),
    60: ("2.000", "0.00000010"),
    70: ("2.000", ZERO),
    80: ("2.000", ZERO),
    90: ("2.000", ZERO),
}
NOTEBOOK_003_DOT_MEAN: Table = {
    0: ("1.200", "30.00000000"),
    2: ("1.872", "0.76800019"),
    4: ("1.980", "0.01966083"),
    6: ("1.997", "0.00050331"),
    8: ("1.999", "0.00001288"),
    10: ("2.000", "0.00000033"),
    12: ("2.000", "0.00000001"),
    14: ("2.000", ZERO),
    16: ("2.000", ZERO),
    18: ("2.000", ZERO),
}
# Its w column is 1.500 throughout: the cell updated W and printed the w of another cell.
NOTEBOOK_001_DOT_MEAN: Table = {
    0: (None, "30.00000000"),
    1: (None, "4.79999924"),
    2: (None, "0.76800019"),
    3: (None, "0.12288000"),
    4: (None, "0.01966083"),
    5: (None, "0.00314570"),
    6: (None, "0.00050332"),
    7: (None, "0.00008053"),
    8: (None, "0.00001288"),
    9: (None, "0.00000206"),
}
NOTEBOOK_002_DOT_MEAN: Table = {
    0: ("2.200", "36.667"),
    1: ("1.980", "0.367"),
    2: ("2.002", "0.004"),
    **dict.fromkeys(range(3, 20), ("2.000", "0.000")),
}
# The loss that was printed in epoch 1 (0.00000000) is that of the model before this one.
NOTEBOOK_000_LINEAR: Table = {
    9: ("1.660", "1.20158744"),
    19: ("1.933", "0.04657289"),
    29: ("1.987", "0.00180514"),
    39: ("1.997", "0.00006997"),
    49: ("1.999", "0.00000271"),
    59: ("2.000", "0.00000011"),
    69: ("2.000", ZERO),
    79: ("2.000", ZERO),
    89: ("2.000", ZERO),
}
NOTEBOOK_001_LINEAR: Table = {
    0: ("-0.378", "39.10869217"),
    100: ("1.270", "1.52484441"),
    200: ("1.584", "0.21986008"),
    300: ("1.651", "0.16517991"),
    400: ("1.671", "0.15413493"),
    500: ("1.683", "0.14512549"),
    600: ("1.692", "0.13668759"),
    700: ("1.701", "0.12874195"),
    800: ("1.710", "0.12125830"),
    900: ("1.719", "0.11420970"),
}


def line(first: int, last: int, *, w0: float = 0.0, b0: float | None = None, lr: float = 0.01) -> Problem:
    """Samples ``first..last`` of y = 2 x."""
    x = np.arange(first, last + 1, dtype=np.float64)[:, np.newaxis]
    return Problem(x, 2 * x, np.array([[w0]]), None if b0 is None else np.array([b0]), lr)


def check(
    descend: Descend, name: str, problem: Problem, table: Table, *, gain: int = 1, start_spread: float = 0.0
) -> None:
    """The variant's descent meets the table; ``gain`` is how many times too large its gradient is."""
    n_iters = max(table) + 1
    exactly = Problem(problem.x, problem.y, problem.w0, problem.b0, gain * problem.lr)
    known = truth(exactly, range(n_iters), DTYPES["float32"], start_spread=start_spread)
    losses = descend(name, problem, n_iters).losses
    for k, (w_printed, loss_printed) in table.items():
        exact, bound = float(known.objective[k]), float(known.objective_bound[k])
        last_digit = 10.0 ** -len(loss_printed.partition(".")[2])
        assert abs(losses[k] - exact) <= bound, (k, losses[k], exact, bound)
        assert abs(float(loss_printed) - exact) <= bound + 0.5 * last_digit, (k, loss_printed, exact, bound)
        if w_printed is not None:
            assert f"{descend(name, problem, k + 1).w.item():.3f}" == w_printed, k


# Notebook 004: three features, two outputs, a bias; its start was printed with four decimals.
X = np.array([[73.0, 67, 43], [91, 88, 64], [87, 134, 58], [102, 43, 37], [69, 96, 70]])
Y = np.array([[56.0, 70], [81, 101], [119, 133], [22, 37], [103, 119]])
W0 = np.array([[0.7042, -1.5674, -0.3579], [1.7298, -1.3018, 1.2664]])
B0 = np.array([-0.9878, 0.1373])
HALF_DIGIT = 0.5e-4
DESIGN = np.column_stack([X, np.ones(5)])
HESSIAN = 2 / Y.size * DESIGN.T @ DESIGN
AWAY = np.full((4, 2), HALF_DIGIT)
"""How far the start may be from its printed digits, with w.T above b."""


def crop(lr: float, w0: Any = W0, b0: Any = B0) -> Problem:
    return Problem(X, Y, w0, b0, lr)


def gradient(w: Any, b: Any) -> npt.NDArray[np.float64]:
    return np.asarray(2 / Y.size * DESIGN.T @ (X @ w.T + b - Y))


def loss_at(w: Any, b: Any) -> float:
    return float(np.mean((X @ w.T + b - Y) ** 2))


def loss_spread(w: Any, b: Any, away: npt.NDArray[np.float64]) -> float:
    """How far the loss may be from that at (w, b), for a state componentwise within ``away``: Taylor, exact."""
    first = np.abs(gradient(w, b)) * away
    second = away * (np.abs(HESSIAN) @ away) * (DESIGN.shape[0] / Y.size)
    return float(first.sum() + second.sum())


def rounding_of_loss(problem: Problem, k: int) -> float:
    return float(truth(problem, [k], DTYPES["float32"]).objective_bound[k])
