"""What a proof looks at beside the states of one run: losses, repeats, restarts, convergence, declined shapes."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from bench.dtypes import DTYPES, Dtype
from bench.oracle.system import System
from bench.oracle.truth import truth
from bench.problems.catalogue import find
from bench.problems.problem import Problem
from bench.proof.power import ENOUGH, powers
from bench.proof.probes import PROBE_ITERATIONS, Shape, probe, shapes_for
from bench.proof.prove import prove
from bench.proof.spot_check import SpotCheck
from bench.proof.subject import Answer, Failure, Reply
from bench.proof.verdict import Finding, NotProvedError, ProvedVerdict, Status
from bench.variants.contract import Descent, Unsupported
from tests.proof.subjects import NUMPY_DTYPES, Direct, gradient
from tests.proof.verdicts import a_verdict


def right(problem: Problem, n_iters: int) -> Descent:
    w, b = problem.w0.copy(), None if problem.b0 is None else problem.b0.copy()
    losses = np.empty(n_iters, problem.x.dtype)
    for k in range(n_iters):
        g_w, g_b, residual = gradient(problem, w, b)
        losses[k] = (residual * residual).mean()
        w = w - problem.lr * g_w
        b = None if b is None or g_b is None else b - problem.lr * g_b
    return Descent(w, b, losses)


def found(
    function: Callable[[Problem, int], Descent], problem: str = "linear-4-lr0.01", dtype: str = "float64"
) -> Finding:
    return prove(Direct(function), find(problem).problem, DTYPES[dtype], computes_in=NUMPY_DTYPES).finding


def loss_after_update(problem: Problem, n_iters: int) -> Descent:
    descent, longer = right(problem, n_iters), right(problem, n_iters + 1)
    assert longer.losses is not None
    return Descent(descent.w, descent.b, longer.losses[1:])


def test_losses_that_belong_to_the_next_iterate_are_wrong() -> None:
    finding = found(loss_after_update)
    assert (finding.status, finding.cause) == (Status.WRONG, "report.loss-after-update")
    assert "loss 0" in finding.evidence


def test_a_variant_that_reports_no_losses_is_proved() -> None:
    assert found(lambda p, n: Descent(right(p, n).w, right(p, n).b)).status is Status.PROVED


def test_a_second_call_that_starts_where_the_first_ended_is_wrong() -> None:
    kept: dict[int, tuple[np.ndarray, np.ndarray | None]] = {}

    def warm(problem: Problem, n_iters: int) -> Descent:
        start = kept.get(n_iters) if n_iters == 5 else None
        descent = right(problem if start is None else Problem(problem.x, problem.y, *start, problem.lr), n_iters)
        if n_iters == 5:
            kept[5] = (descent.w, descent.b)
        return descent

    assert found(warm).status is Status.WRONG


def test_a_start_that_is_ignored_is_wrong() -> None:
    def from_zero(problem: Problem, n_iters: int) -> Descent:
        b0 = None if problem.b0 is None else 0 * problem.b0
        return right(Problem(problem.x, problem.y, 0 * problem.w0, b0, problem.lr), n_iters)

    assert found(from_zero).status is Status.WRONG


def test_stopping_early_on_the_problem_itself_is_wrong() -> None:
    def tired(problem: Problem, n_iters: int) -> Descent:
        descent = right(problem, min(n_iters, 20))
        return Descent(descent.w, descent.b)

    finding = found(tired, "line-4")
    assert finding.status is Status.WRONG
    assert (finding.cause, finding.factor) == ("count.early-stop", 20.0)


def test_stopping_early_on_the_problem_alone_is_wrong() -> None:
    def tired(problem: Problem, n_iters: int) -> Descent:
        descent = right(problem, min(n_iters, 20) if len(problem.x) == 4 else n_iters)
        return Descent(descent.w, descent.b)

    finding = found(tired, "line-4")
    assert (finding.status, finding.iterate) == (Status.WRONG, 21)
    assert (finding.cause, finding.factor) == ("count.early-stop", 20.0)


def test_convergence_is_watched_for_the_iterations_that_theory_gives() -> None:
    finding = found(right, "line-4")
    assert (finding.converges_in, finding.checked_to) == (47, 47)


def test_a_learning_rate_over_the_limit_is_proved_to_diverge() -> None:
    problem = find("line-4").problem
    fast = Problem(problem.x, problem.y, problem.w0, problem.b0, 0.2)
    finding = prove(Direct(right), fast, DTYPES["float64"], computes_in=NUMPY_DTYPES).finding
    assert finding.status is Status.PROVED, finding.evidence
    assert finding.converges_in is None
    assert "does not converge" in finding.evidence


def test_clipping_that_shows_only_when_it_diverges_is_wrong() -> None:
    def clipped(problem: Problem, n_iters: int) -> Descent:
        w, b = problem.w0.copy(), problem.b0
        for _ in range(n_iters):
            g_w, g_b, _ = gradient(problem, w, b)
            w = np.clip(w - problem.lr * g_w, -4, 4)
            b = None if b is None or g_b is None else b - problem.lr * g_b
        return Descent(w, b)

    assert found(clipped, "line-4").status is Status.WRONG


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
def test_a_variant_for_one_feature_and_one_output_is_probed_in_its_own_shape(dtype: str) -> None:
    def scalar(problem: Problem, n_iters: int) -> Descent:
        if problem.x.shape[-1] != 1 or problem.y.shape[-1] != 1 or problem.b0 is not None:
            raise Unsupported("one feature, one output, no bias")
        return right(problem, n_iters)

    assert found(scalar, "line-4", dtype).status is Status.PROVED
    declined = found(scalar, "crop-yield", dtype)
    assert declined.status is Status.UNSUPPORTED


def test_a_variant_that_only_does_its_own_problem_is_judged_on_it() -> None:
    line = find("line-4").problem

    def narrow(problem: Problem, n_iters: int) -> Descent:
        if problem.x.shape != line.x.shape:
            raise Unsupported("four samples only")
        return right(problem, n_iters)

    finding = found(narrow, "line-4")
    assert finding.status is Status.PROVED
    assert finding.power == finding.power_problem


def test_what_float16_cannot_hold_is_unsupported_and_not_wrong() -> None:
    finding = found(right, "crop-yield", "float16")
    assert finding.status is Status.UNSUPPORTED
    assert "65504" in finding.evidence


class _Failing:
    """Right, until a call asks for as many iterations as it fails at."""

    def __init__(self, at: int, failure: Failure) -> None:
        self._at, self._failure = at, failure

    def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Reply:
        return self._failure if n_iters == self._at else Direct(right).call(problem, n_iters, dtype)


@pytest.mark.parametrize("at", [0, 1, 9, 12, 47])
def test_a_call_that_fails_ends_the_proof_with_that(at: int) -> None:
    failure = Failure(Status.TIMEOUT, None, "no answer in 10 s")
    finding = prove(_Failing(at, failure), find("line-4").problem, DTYPES["float64"], computes_in=NUMPY_DTYPES).finding
    assert finding.status is Status.TIMEOUT
    assert "no answer" in finding.evidence


def test_a_descent_that_blows_up_is_named_by_what_it_did_before() -> None:
    class Overflowing:
        def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Reply:
            if n_iters > 5:
                return Failure(Status.BROKEN, "contract.not-finite", "w is not finite")
            return Direct(ascending).call(problem, n_iters, dtype)

    def ascending(problem: Problem, n_iters: int) -> Descent:
        return right(Problem(problem.x, problem.y, problem.w0, problem.b0, -problem.lr), n_iters)

    finding = prove(Overflowing(), find("line-4").problem, DTYPES["float64"], computes_in=NUMPY_DTYPES).finding
    assert finding.cause == "sign.ascent"


class _Raising(Direct):
    """Sums as `math.fsum` does: infinities are an exception."""

    def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Reply:
        reply = super().call(problem, n_iters, dtype)
        infinite = isinstance(reply, Failure) and reply.cause == "contract.not-finite"
        return Failure(Status.BROKEN, "contract.raised", "ValueError: -inf + inf in fsum") if infinite else reply


@pytest.mark.parametrize("raising", [False, True])
def test_what_rounding_alone_can_carry_beyond_float16_is_no_fault(raising: bool) -> None:
    """2 lr/(N M) is half the least number of float16: rounded, it is twice as large, and beyond the limit."""

    def one_constant(problem: Problem, n_iters: int) -> Descent:
        rate = 2 * problem.lr / problem.y.size
        w, b = problem.w0.copy(), None if problem.b0 is None else problem.b0.copy()
        for _ in range(n_iters):
            residual = problem.x @ w.T - problem.y if b is None else problem.x @ w.T + b - problem.y
            w = w - rate * (residual.T @ problem.x)
            b = None if b is None else b - rate * residual.sum(axis=0)
        return Descent(w, b)

    steep = Problem(np.full((64, 1), 800.0), np.zeros((64, 1)), np.full((1, 1), 1e-4), None, 1e-6)
    cell = _Raising(one_constant) if raising else Direct(one_constant), steep, DTYPES["float16"]
    finding = prove(*cell, computes_in=NUMPY_DTYPES, iterations=300).finding
    assert finding.status is Status.UNSUPPORTED
    assert "of the problem" in finding.evidence
    assert "by rounding" in finding.evidence or "too short" in finding.evidence


def _all_shapes() -> list[Shape]:
    flat, batched = find("line-4").problem, find("batch").problem
    return [s for p, short in itertools.product((flat, batched), (True, False)) for s in shapes_for(p, short=short)]


@pytest.mark.parametrize("shape", _all_shapes(), ids=str)
def test_every_probe_has_power_in_every_dtype_that_uses_it(shape: Shape) -> None:
    for name in ["bfloat16"] if shape.n_samples == 5 else ["float64", "float32", "float16"]:
        found_truth = truth(probe(shape), range(PROBE_ITERATIONS + 2), DTYPES[name])
        assert min(powers(found_truth, range(PROBE_ITERATIONS + 1)).values()) >= ENOUGH


@pytest.mark.parametrize(("dtype", "smallest"), [("float64", 3e-15), ("float32", 2e-6), ("float16", 0.014)])
def test_the_smallest_error_in_the_gradients_scale_that_the_probe_can_see(dtype: str, smallest: float) -> None:
    made = probe(Shape(11, 5, 3, bias=True, batch=None))
    first = truth(made, [1], DTYPES[dtype])
    step = np.abs(made.lr * first.system.gradient(first.start)).astype(np.float64)
    assert float(np.min(first.bound[1] / step)) <= smallest


def test_the_first_probe_is_made_as_the_design_asks() -> None:
    made = probe(Shape(11, 5, 3, bias=True, batch=None))
    system = System.of(made)
    residual = np.abs(system.residual(system.optimum)).astype(np.float64)
    assert made.x.shape == (11, 5)
    assert made.y.shape == (11, 3)
    assert residual.min(axis=0).max() > 1e-3
    assert made.lr == pytest.approx(0.37 / system.largest_eigenvalue, rel=2**-8)
    for dtype in DTYPES.values():
        assert np.array_equal(made.x, np.asarray(made.x).astype(np.float32)), dtype


def test_timed_starts_differ_and_wrong_timed_answers_are_refused() -> None:
    check = SpotCheck(find("line-4").problem, DTYPES["float32"], seed=1)
    first, second = check.start(0), check.start(1)
    assert first.x is second.x
    assert not np.array_equal(first.w0, second.w0)
    assert np.array_equal(first.w0, check.start(0).w0)
    subject = Direct(right)
    for problem in (first, second):
        reply = subject.call(problem, 30, DTYPES["float32"])
        assert isinstance(reply, Answer)
        assert check.complaint(problem, 30, reply) is None
    stale = subject.call(first, 30, DTYPES["float32"])
    assert isinstance(stale, Answer)
    assert "not gradient descent's" in str(check.complaint(second, 30, stale))
    assert check.complaint(first, 31, stale) is not None


def test_only_a_proved_verdict_can_be_timed() -> None:
    with pytest.raises(NotProvedError, match="no number without a proof"):
        ProvedVerdict(a_verdict(Status.WRONG))
