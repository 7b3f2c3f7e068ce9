"""The core variants against the numbers that published notebooks printed, where those had the right gradient."""

import numpy as np
import pytest

from bench.dtypes import DTYPES
from bench.oracle.truth import truth
from bench.problems.notebooks import LINEAR_START
from tests.gd_impls.published import (
    AWAY,
    B0,
    HALF_DIGIT,
    HESSIAN,
    NOTEBOOK_001_LINEAR,
    NOTEBOOK_001_OPTIM,
    NOTEBOOK_003_AUTOGRAD,
    NOTEBOOK_003_DOT_MEAN,
    W0,
    Descend,
    Table,
    check,
    crop,
    line,
    loss_spread,
    rounding_of_loss,
)

RIGHT = (
    "numpy-analytic",
    "numpy-matmul",
    "numpy-batched",
    "torch-manual",
    "torch-optim",
    "torch-optim-tensor",
    "torch-matmul",
)


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("table", [NOTEBOOK_001_OPTIM, NOTEBOOK_003_AUTOGRAD], ids=["001", "003"])
def test_the_right_gradient_gives_the_tables_that_autograd_printed(descend: Descend, name: str, table: Table) -> None:
    check(descend, name, line(1, 4), table)


@pytest.mark.parametrize("table", [NOTEBOOK_001_OPTIM, NOTEBOOK_003_AUTOGRAD], ids=["001", "003"])
def test_every_digit_that_autograd_printed_is_the_right_gradient_in_float32(table: Table) -> None:
    # Here the order of summation is fixed. Other orders, as another machine's library may choose, move a loss of these
    # tables by a few units of its last digit: the variants above are therefore held to the rounding bound instead.
    x = np.array([1, 2, 3, 4], np.float32)
    w, rows = np.float32(0), []
    for _ in range(max(table) + 1):
        residual = w * x - 2 * x
        squares, products = residual**2, np.float32(0.5) * residual * x
        loss = (squares[0] + squares[1] + squares[2] + squares[3]) / np.float32(4)
        w -= np.float32(0.01) * (products[0] + products[1] + products[2] + products[3])
        rows.append((f"{w:.3f}", f"{loss:.8f}"))
    assert {k: rows[k] for k in table} == table


def test_the_check_tells_the_two_gradients_apart_and_one_update_from_two(descend: Descend) -> None:
    with pytest.raises(AssertionError):
        check(descend, "numpy-dot-mean", line(1, 4), NOTEBOOK_001_OPTIM)
    with pytest.raises(AssertionError):
        check(descend, "numpy-analytic", line(1, 4), NOTEBOOK_003_DOT_MEAN, gain=4)
    late = {k + 1: row for k, row in NOTEBOOK_001_OPTIM.items()}
    with pytest.raises(AssertionError):
        check(descend, "numpy-analytic", line(1, 4), late)


def test_after_twenty_iterations_the_right_gradient_is_where_notebook_003_blamed_autograd(descend: Descend) -> None:
    # Its author put the loss of 0.086 down to a lack of exactness; exact arithmetic gives the same.
    assert f"{descend('numpy-analytic', line(1, 4), 20).losses[18]:.3f}" == "0.086"
    assert f"{30 * 0.85**36:.3f}" == "0.086"


@pytest.mark.parametrize("name", ["numpy-analytic", "torch-optim"])
def test_the_linear_table_of_notebook_001_from_its_recovered_start(descend: Descend, name: str) -> None:
    w0, b0 = (float(np.float32(part)) for part in LINEAR_START)
    check(descend, name, line(1, 4, w0=w0, b0=b0, lr=0.001), NOTEBOOK_001_LINEAR)


@pytest.mark.parametrize("name", RIGHT)
def test_the_first_loss_and_gradient_of_notebook_004(descend: Descend, name: str) -> None:
    problem = crop(2.0**-17)
    one = descend(name, problem, 1)
    allowed = loss_spread(W0, B0, AWAY) + rounding_of_loss(problem, 0) + HALF_DIGIT
    assert 2 < allowed < 3
    assert abs(one.losses[0] - 21231.4629) <= allowed
    # The gradient moves by |H| times the start's half digit; what it was printed with is added to it.
    observed = np.vstack([(W0 - one.w).T, B0 - one.b]) / problem.lr
    printed = np.array([[-13965.0, 1481.0], [-17300.0, -1077.7], [-10198.0, -4.9734], [-171.3918, 11.5904]])
    digits = np.array([[0.5, 0.05], [0.5, 0.05], [0.5, 0.5e-4], [0.5e-4, 0.5e-4]])
    rounding = truth(problem, [1], DTYPES["float32"]).bound[1] + np.finfo(np.float32).eps * np.abs(
        np.vstack([W0.T, B0])
    )
    assert np.all(np.abs(observed - printed) <= np.abs(HESSIAN) @ AWAY + digits + rounding / problem.lr)
