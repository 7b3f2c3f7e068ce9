"""How the start of notebook 001's last cell is recovered from the table that the cell printed.

The cell ran ``nn.Linear(1, 1)`` on x = 1..4, y = 2 x with lr 0.001, and printed the loss at iterates 0, 100, ... 900
and w one update later. Only those ten rows are known of it.
"""

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from bench.dtypes import FloatArray
from bench.problems.catalogue import find
from bench.problems.notebooks import LINEAR_START

TABLE = (
    ("-0.378", "39.10869217"),
    ("1.270", "1.52484441"),
    ("1.584", "0.21986008"),
    ("1.651", "0.16517991"),
    ("1.671", "0.15413493"),
    ("1.683", "0.14512549"),
    ("1.692", "0.13668759"),
    ("1.701", "0.12874195"),
    ("1.710", "0.12125830"),
    ("1.719", "0.11420970"),
)
WEIGHTS, LOSSES = (list(column) for column in zip(*TABLE, strict=True))
LATTICE = 2.0**-23
"""The step between the numbers that torch draws uniformly from (-1, 1) in float32."""


def exact_rows(w: Fraction, b: Fraction) -> list[tuple[Fraction, Fraction]]:
    """(w after update k + 1, loss at iterate k) for k = 0, 100, ... 900, without any rounding."""
    # With u = w - 2 an update is 1000 u' = 985 u - 5 b, 1000 b' = 998 b - 5 u, in integers over a common denominator.
    denominator = w.denominator * b.denominator
    u, bias = int((w - 2) * denominator), int(b * denominator)
    rows = []
    for k in range(901):
        loss = Fraction(15 * u * u + 10 * u * bias + 2 * bias * bias, 2 * denominator**2) if k % 100 == 0 else None
        u, bias, denominator = 985 * u - 5 * bias, 998 * bias - 5 * u, 1000 * denominator
        if loss is not None:
            rows.append((2 + Fraction(u, denominator), loss))
    return rows


def modes() -> FloatArray:
    """Row k: the factors of (u*u, u*b, b*b), u = w0 - 2, in the loss at iterate 100 k; it is a quadratic form."""
    hessian = np.array([[15.0, 5.0], [5.0, 2.0]])
    rows = []
    for k in range(0, 901, 100):
        step = np.linalg.matrix_power(np.eye(2) - 0.001 * hessian, k)
        form = step.T @ (hessian / 2) @ step
        rows.append([form[0, 0], 2 * form[0, 1], form[1, 1]])
    return np.array(rows)


def candidates() -> list[tuple[float, float]]:
    """The two starts (w, b) that the first row alone allows: w1 = w - lr (15 (w - 2) + 5 b), and the loss."""
    # u = (w1 - 2 + 0.005 b) / 0.985, put into 7.5 u^2 + 5 u b + b^2 = loss.
    constant, slope = (float(WEIGHTS[0]) - 2) / 0.985, 0.005 / 0.985
    quadratic = [
        7.5 * slope**2 + 5 * slope + 1,
        15 * constant * slope + 5 * constant,
        7.5 * constant**2 - float(LOSSES[0]),
    ]
    return [(2 + constant + slope * b, b) for b in np.roots(quadratic).real]


def refined(w: float, b: float) -> tuple[float, float]:
    """The start nearest in relative error to all ten losses, by Gauss-Newton from (w, b)."""
    losses = np.array([float(loss) for loss in LOSSES])
    u = w - 2
    for _ in range(20):
        predicted = modes() @ [u * u, u * b, b * b]
        jacobian = modes() @ [[2 * u, 0], [b, u], [0, 2 * b]]
        change = np.linalg.lstsq(jacobian / losses[:, np.newaxis], (losses - predicted) / losses, rcond=None)[0]
        u, b = u + change[0], b + change[1]
    return u + 2, b


def float32_rows(w: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> tuple[list[list[str]], list[list[str]]]:
    """The printed columns for many starts at once, in float32, with the update as one fused multiply-add."""
    x = np.arange(1, 5, dtype=np.float32)
    y = 2 * x
    lr = np.float64(np.float32(0.001))

    def updated(state: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        # The product of two float32 is exact in float64, so that only the sum is rounded, as a fused operation does.
        return (state.astype(np.float64) - lr * gradient.astype(np.float64)).astype(np.float32)

    state_w, state_b = w.astype(np.float32), b.astype(np.float32)
    weights, losses = [], []
    for k in range(901):
        residuals = [state_w * x[i] + state_b - y[i] for i in range(4)]
        halves = [r * np.float32(0.5) for r in residuals]
        loss = (((residuals[0] ** 2 + residuals[1] ** 2) + residuals[2] ** 2) + residuals[3] ** 2) / np.float32(4)
        state_w = updated(state_w, ((halves[0] * x[0] + halves[1] * x[1]) + halves[2] * x[2]) + halves[3] * x[3])
        state_b = updated(state_b, ((halves[0] + halves[1]) + halves[2]) + halves[3])
        if k % 100 == 0:
            weights.append([f"{value:.3f}" for value in state_w])
            losses.append([f"{value:.8f}" for value in loss])
    return weights, losses


def test_first_row_leaves_two_starts_and_the_second_row_one() -> None:
    near, far = sorted(candidates(), key=lambda start: abs(start[1]))
    assert near == pytest.approx(LINEAR_START, abs=2e-3)
    assert abs(far[1]) > 1  # nn.Linear with one feature starts inside (-1, 1)
    predictions = [float(exact_rows(Fraction(w), Fraction(b))[1][0]) for w, b in (near, far)]
    assert predictions[0] == pytest.approx(float(WEIGHTS[1]), abs=2e-3)
    assert abs(predictions[1] - float(WEIGHTS[1])) > 0.5


def test_the_first_two_rows_predict_the_other_eight() -> None:
    # Two losses are two equations for the two numbers of the start, solved from the candidate that the rows leave.
    w, b = min(candidates(), key=lambda start: abs(start[1]))
    u, losses = w - 2, np.array([float(loss) for loss in LOSSES[:2]])
    for _ in range(20):
        jacobian = modes()[:2] @ [[2 * u, 0], [b, u], [0, 2 * b]]
        change = np.linalg.solve(jacobian, losses - modes()[:2] @ [u * u, u * b, b * b])
        u, b = u + change[0], b + change[1]
    rows = exact_rows(Fraction(u) + 2, Fraction(b))
    assert [f"{float(w):.3f}" for w, _ in rows] == WEIGHTS
    assert [float(loss) for _, loss in rows[2:]] == pytest.approx([float(loss) for loss in LOSSES[2:]], rel=1e-5)


def test_the_whole_table_pins_the_start_to_one_number_of_the_lattice() -> None:
    centre = refined(*min(candidates(), key=lambda start: abs(start[1])))
    assert centre == pytest.approx(LINEAR_START, abs=1e-6)
    steps = np.arange(-40, 41)
    w, b = (grid.ravel() * LATTICE for grid in np.meshgrid(*(steps + round(part / LATTICE) for part in centre)))
    weights, losses = float32_rows(w, b)
    fits = np.all(np.array(losses) == np.array(LOSSES)[:, np.newaxis], axis=0)
    fits &= np.all(np.array(weights) == np.array(WEIGHTS)[:, np.newaxis], axis=0)
    assert np.column_stack([w[fits], b[fits]]).tolist() == [[-3456066 * LATTICE, 3251425 * LATTICE]]
    assert [float(np.float32(part)) for part in LINEAR_START] == [-3456066 * LATTICE, 3251425 * LATTICE]


def test_exact_arithmetic_predicts_the_table_but_for_the_rounding_of_float32() -> None:
    rows = exact_rows(*(Fraction(str(part)) for part in LINEAR_START))
    assert [f"{float(w):.3f}" for w, _ in rows] == WEIGHTS
    assert [float(loss) for _, loss in rows] == pytest.approx([float(loss) for loss in LOSSES], rel=2e-6)


def test_no_start_gives_the_printed_losses_in_exact_arithmetic() -> None:
    # The losses are linear in (u*u, u*b, b*b). If some start gave them all to the printed digit, these three numbers,
    # even taken freely, would leave a residual of at most half a unit of the last digit in each of the ten rows.
    losses = np.array([float(loss) for loss in LOSSES])
    free = np.linalg.lstsq(modes(), losses, rcond=None)[0]
    assert np.linalg.norm(modes() @ free - losses) > 10 * 10**0.5 * 0.5e-8


def test_both_linear_problems_start_there() -> None:
    for name, lr in (("linear-4-lr0.01", 0.01), ("linear-4-lr0.001", 0.001)):
        problem = find(name).problem
        assert problem.b0 is not None
        assert (problem.w0.item(), problem.b0.item(), problem.lr) == (*LINEAR_START, lr)
