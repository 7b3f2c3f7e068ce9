"""Each first cause by its name, its controls proved, in every dtype that NumPy computes in."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from bench.dtypes import DTYPES
from bench.problems.catalogue import find
from bench.problems.problem import Problem
from bench.proof.causes import CAUSES
from bench.proof.prove import prove
from bench.proof.verdict import Finding, Status
from bench.variants.contract import Descent, Unsupported
from tests.proof.subjects import NUMPY_DTYPES, Direct, gradient

Step = Callable[[list[np.ndarray]], np.ndarray]


def descent(weights: Step, bias: Step | None = None, *, from_k: int = 0) -> Callable[[Problem, int], Descent]:
    """A loop whose step is made of the gradients so far; the same rule for the bias unless another is given."""

    def loop(problem: Problem, n_iters: int) -> Descent:
        if problem.x.ndim > 2:
            raise Unsupported("no batches")
        w, b = problem.w0.copy(), None if problem.b0 is None else problem.b0.copy()
        seen_w: list[np.ndarray] = []
        seen_b: list[np.ndarray] = []
        for _ in range(from_k, n_iters):
            g_w, g_b, _ = gradient(problem, w, b)
            seen_w.append(g_w)
            w = w - problem.lr * weights(seen_w)
            if b is not None and g_b is not None:
                seen_b.append(g_b)
                b = b - problem.lr * (bias or weights)(seen_b)
        return Descent(w, b)

    return loop


def summed(problem: Problem, n_iters: int) -> Descent:
    w, b = problem.w0.copy(), None if problem.b0 is None else problem.b0.copy()
    for _ in range(n_iters):
        _, _, residual = gradient(problem, w, b)
        w = w - problem.lr * (2 * residual.T @ problem.x)
        b = None if b is None else b - problem.lr * (2 * residual.sum(0))
    return Descent(w, b)


def least_squares(problem: Problem, n_iters: int) -> Descent:
    ones = [] if problem.b0 is None else [np.ones((len(problem.x), 1), problem.x.dtype)]
    design = np.concatenate([problem.x, *ones], axis=1).astype(np.float64)
    theta = np.linalg.lstsq(design, problem.y.astype(np.float64), rcond=None)[0].astype(problem.x.dtype)
    if n_iters == 0:
        return Descent(problem.w0, problem.b0)
    return Descent(theta.T if problem.b0 is None else theta[:-1].T, None if problem.b0 is None else theta[-1])


FAULTS = {
    "scale.sum": summed,
    "scale.half": descent(lambda g: g[-1] / 2),
    "scale.double": descent(lambda g: 2 * g[-1]),
    "scale.block": descent(lambda g: 3 * g[-1], lambda g: g[-1]),
    "sign.ascent": descent(lambda g: -g[-1]),
    "update.never": descent(lambda g: 0 * g[-1]),
    "accumulate.no-zero-grad": descent(lambda g: np.sum(g, axis=0, dtype=g[0].dtype)),
    "stale.gradient": descent(lambda g: g[max(0, len(g) - 2)]),
    "count.one-less": descent(lambda g: g[-1], from_k=1),
    "cheat.closed-form": least_squares,
}
UNKNOWN = {
    "a tenth too long": descent(lambda g: 1.1 * g[-1]),
    "momentum 0.9": descent(lambda g: sum((0.9**i * v for i, v in enumerate(reversed(g))), np.zeros_like(g[0]))),
    "bias frozen": descent(lambda g: g[-1], lambda g: 0 * g[-1]),
    "bias ascends": descent(lambda g: g[-1], lambda g: -g[-1]),
    "sign descent": descent(lambda g: np.sign(g[-1])),
    "every second update": descent(lambda g: g[-1] if len(g) % 2 else 0 * g[-1]),
}


def found(function: Callable[[Problem, int], Descent], problem: str, dtype: str) -> Finding:
    return prove(Direct(function), find(problem).problem, DTYPES[dtype], computes_in=NUMPY_DTYPES).finding


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("problem", ["line-4", "linear-4-lr0.01"])
@pytest.mark.parametrize("cause", FAULTS)
def test_a_planted_fault_gets_its_name(cause: str, problem: str, dtype: str) -> None:
    finding = found(FAULTS[cause], problem, dtype)
    assert (finding.status, finding.cause) == (Status.WRONG, cause), finding.evidence


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("fault", UNKNOWN)
def test_a_fault_without_a_name_is_unknown_and_never_another(fault: str, dtype: str) -> None:
    finding = found(UNKNOWN[fault], "linear-4-lr0.01", dtype)
    assert (finding.status, finding.cause) == (Status.WRONG, "unknown"), finding.evidence


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("problem", ["line-4", "linear-4-lr0.01"])
def test_the_right_loop_is_proved(problem: str, dtype: str) -> None:
    finding = found(descent(lambda g: g[-1]), problem, dtype)
    assert finding.status is Status.PROVED, finding.evidence
    assert finding.power is not None
    assert finding.power >= 10


def test_the_factor_is_the_one_of_the_problem() -> None:
    finding = found(summed, "line-4", "float64")
    assert finding.factor == 4.0
    assert "gradient 4.00 times too large" in finding.evidence


def test_momentum_one_is_said_to_look_the_same() -> None:
    assert found(FAULTS["accumulate.no-zero-grad"], "line-4", "float64").alternatives == ("state.momentum",)


def test_causes_have_codes_of_their_own_and_a_story_each() -> None:
    codes = [cause.code for cause in CAUSES]
    assert len(set(codes)) == len(codes)
    assert all(cause.title and cause.looks_like and cause.fix and cause.example for cause in CAUSES)


@pytest.mark.parametrize(("first", "second"), list(pairwise(sorted(FAULTS))))
def test_no_test_of_a_cause_fits_anothers_fault(first: str, second: str) -> None:
    for cause in (first, second):
        finding = found(FAULTS[cause], "linear-4-lr0.01", "float64")
        assert finding.cause == cause
        assert not set(finding.alternatives) & (set(FAULTS) - {cause})
