"""Every cause by its name: planted faults, controls beside them, and faults that must stay without a name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.dtypes import DTYPES, Dtype
from bench.problems.catalogue import find
from bench.problems.problem import Problem
from bench.proof.causes import CAUSES
from bench.proof.prove import prove
from bench.proof.subject import Reply
from bench.proof.verdict import Finding, Status
from bench.variants.contract import Descent, Unsupported
from tests.proof.loops import (
    Function,
    blocks,
    by,
    for_one_feature,
    for_one_output,
    gain,
    on_data,
    plus,
    remembered,
    right,
    silent,
    slope,
    times,
)
from tests.proof.planted import FAULTS
from tests.proof.planted_steps import momentum
from tests.proof.subjects import NUMPY_DTYPES, Direct

CASES = [(code, index) for code, makers in FAULTS.items() for index in range(len(makers))]

ALSO = {
    "update.never": {"report.result-initial"},
    "update.skips": {"count.early-stop"},
    "accumulate.no-zero-grad": {"state.momentum"},
    "count.one-less": {"report.result-stale"},
    "report.result-stale": {"count.one-less"},
    "state.adaptive": {"state.clipped"},
}
"""What may be printed beside a name on the full probe: causes that no trajectory can tell from it."""

NOT_SEEN_IN_FLOAT16 = {
    "precision.float32",
    "precision.float16",
    "precision.bfloat16",
    "precision.tf32",
    "repeat.nondeterministic",
}
"""Inside its rounding."""


def found(function: Function, dtype: str = "float64", problem: str = "line-4") -> Finding:
    return prove(Direct(function), find(problem).problem, DTYPES[dtype], computes_in=NUMPY_DTYPES).finding


@pytest.mark.parametrize(("code", "index"), CASES)
def test_a_planted_fault_gets_its_name_and_no_other(code: str, index: int) -> None:
    finding = found(FAULTS[code][index]())
    assert (finding.status, finding.cause) == (Status.WRONG, code), finding.evidence
    assert set(finding.alternatives) <= ALSO.get(code, set()), finding.evidence
    assert finding.evidence


@pytest.mark.parametrize(("code", "index"), [(c, i) for c, i in CASES if c != "precision.float32" and i == 0])
def test_in_float32_a_fault_gets_the_same_name(code: str, index: int) -> None:
    finding = found(FAULTS[code][index](), "float32")
    assert finding.cause == code, finding.evidence


@pytest.mark.parametrize(("code", "index"), [(c, i) for c, i in CASES if c not in NOT_SEEN_IN_FLOAT16 and i == 0])
def test_in_float16_a_fault_gets_the_same_name(code: str, index: int) -> None:
    finding = found(FAULTS[code][index](), "float16")
    assert finding.cause == code, finding.evidence


PLAIN_SHAPES: dict[str, tuple[Callable[[Function], Function], str]] = {
    "one output": (for_one_output, "line-4"),
    "one feature, one output": (lambda f: for_one_feature(f, bias=True), "linear-4-lr0.01"),
    "one number": (lambda f: for_one_feature(f, bias=False), "line-4"),
}
IS = {
    ("one output", "state.clipped"): {"state.adaptive"},
    ("one feature, one output", "state.adaptive"): {"unknown"},
    ("one feature, one output", "precision.float32"): {"unknown"},
    ("one feature, one output", "operand.other-gradient"): {"scale.block"},
    ("one number", "scale.block"): {"scale.constant"},
    ("one number", "sign.block"): {"sign.ascent"},
    ("one number", "operand.weight-missing"): {"update.never"},
    ("one number", "accumulate.block"): {"accumulate.no-zero-grad"},
    ("one number", "state.adaptive"): {"unknown"},
    ("one number", "precision.float32"): {"unknown"},
}
"""What faults are in shapes in which they are another, or have no name."""


@pytest.mark.parametrize("shape", PLAIN_SHAPES)
@pytest.mark.parametrize("code", FAULTS)
def test_on_a_shape_that_separates_less_the_right_name_is_among_those_printed(code: str, shape: str) -> None:
    restrict, problem = PLAIN_SHAPES[shape]
    finding = found(restrict(FAULTS[code][0]()), problem=problem)
    if finding.status is not Status.PROVED:
        printed = {finding.cause, *finding.alternatives}
        assert code in printed or printed & IS.get((shape, code), set()), (finding.cause, finding.evidence)


def each(function: Function) -> Function:
    """The same for every regression of a batch; what is no batch is declined."""

    def descend(p: Problem, n_iters: int) -> Descent:
        if p.x.ndim == 2:
            raise Unsupported("batches only")
        biases = [None] * len(p.x) if p.b0 is None else p.b0
        parts = [
            function(Problem(x, y, w0, b0, p.lr), n_iters) for x, y, w0, b0 in zip(p.x, p.y, p.w0, biases, strict=True)
        ]
        b = None if p.b0 is None else np.stack([np.asarray(part.b) for part in parts])
        losses = None if parts[0].losses is None else np.stack([np.asarray(part.losses) for part in parts], axis=1)
        return Descent(np.stack([part.w for part in parts]), b, losses)

    return descend


KEEPS_WHAT_THE_BATCH_SHARES = {"leak.warm-start", "leak.buffer", "leak.stale-data", "cheat.cached"}


@pytest.mark.parametrize("code", [code for code in FAULTS if code not in KEEPS_WHAT_THE_BATCH_SHARES])
def test_in_a_batch_a_fault_gets_the_same_name(code: str) -> None:
    finding = found(each(FAULTS[code][0]()), problem="batch")
    assert finding.cause == code, finding.evidence


@pytest.mark.parametrize(("divisor", "cause"), [(len, "scale.extra-division"), (lambda _: 4, "scale.constant")])
def test_a_number_that_happens_to_be_that_of_the_regressions_is_a_constant(
    divisor: Callable[[Any], int], cause: str
) -> None:
    def descend(p: Problem, n_iters: int) -> Descent:
        return each(gain(lambda _: 1 / divisor(p.x)))(p, n_iters)

    assert found(descend, problem="batch").cause == cause


@pytest.mark.parametrize("function", [right, silent])
def test_a_right_batch_is_proved(function: Function) -> None:
    assert found(each(function), problem="batch").status is Status.PROVED


def _carried(own: Callable[[int], float], before: Callable[[int], float]) -> Function:
    """Steps of own(k) times the gradient and before(k) times the step before."""

    def use(g: Any, theta: Any, m: dict[str, Any], k: int) -> Any:
        m["s"] = plus(times(own(k), g), times(before(k), m.get("s", times(0.0, g))))
        return m["s"]

    return remembered(use)


UNNAMED: dict[str, Function] = {
    "momentum on twice the gradient": _carried(lambda k: 2.0, lambda k: 0.9),
    "momentum that grows": _carried(lambda k: 1.0, lambda k: 0.1 * k),
    "a bias that is left out of a scaled step": blocks(lambda g: g * 2 + 1, lambda g: 0 * g),
    "the root of the gradient": blocks(lambda g: np.sign(g) * np.sqrt(np.abs(g)), lambda g: g),
    "two samples less and weight decay": on_data(lambda x, y: (x[:-2] * 1.01, y[:-2] + 0.01)),
    "a gain that depends on the state": by(
        lambda p, w, b, k, m: times(p.x.dtype.type(1 + 0.1 * np.sin(np.sum(w))), slope(p, w, b))
    ),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("fault", UNNAMED)
def test_a_fault_without_a_name_is_unknown_and_never_another(fault: str, dtype: str) -> None:
    finding = found(UNNAMED[fault], dtype)
    assert (finding.status, finding.cause) == (Status.WRONG, "unknown"), finding.evidence
    assert "ruled out: every cause of" in finding.evidence


def test_a_warm_start_of_the_sum_is_no_buffer() -> None:
    """Two faults at once, on one number: the calls diverge until the gradient is lost in the rounding of the steps."""
    kept = {"w": np.zeros((1, 1))}

    def descend(p: Problem, n_iters: int) -> Descent:
        if p.y.shape[-1] > 1:
            raise Unsupported("one number only")
        for _ in range(n_iters):
            kept["w"] = kept["w"] - p.lr * 2 * ((p.x @ kept["w"].T - p.y).T @ p.x)
        return Descent(kept["w"])

    finding = found(for_one_feature(descend, bias=False))
    assert finding.cause in ("unknown", "scale.sum", "leak.warm-start"), finding.evidence


@pytest.mark.parametrize("function", [right, silent])
@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("problem", ["line-4", "linear-4-lr0.01"])
def test_the_right_loop_is_proved(problem: str, dtype: str, function: Function) -> None:
    finding = found(function, dtype, problem)
    assert finding.status is Status.PROVED, finding.evidence
    assert finding.power is not None
    assert finding.power >= 10


def test_the_factor_is_the_one_of_the_problem() -> None:
    finding = found(FAULTS["scale.sum"][0]())
    assert finding.factor == 4.0
    assert "gradient 4.00 times too large" in finding.evidence


@pytest.mark.parametrize(
    ("function", "factor"),
    [
        (momentum(0.9), 0.9),
        (momentum(0.5, nesterov=True), 0.5),
        (FAULTS["state.weight-decay"][0](), 0.3),
        (FAULTS["state.clipped"][0](), 5.0),
        (FAULTS["scale.constant"][0](), 1.1),
        (FAULTS["scale.lr-ignored"][0](), 0.01 / find("line-4").problem.lr),
        (FAULTS["scale.lr-squared"][0](), find("line-4").problem.lr),
        (FAULTS["accumulate.sometimes"][0](), 3.0),
        (FAULTS["precision.finite-difference"][0](), 1e-3),
        (FAULTS["count.early-stop"][1](), 200.0),
        (gain(lambda p: 1 / len(p.x)), 0.25),
    ],
)
def test_the_number_of_a_cause_is_measured(function: Function, factor: float) -> None:
    assert found(function).factor == pytest.approx(factor, rel=1e-6)


def test_losses_tell_a_start_that_is_returned_from_no_update() -> None:
    assert found(FAULTS["report.result-initial"][0]()).alternatives == ()
    # The last update may not have been made, or may not have been returned.
    assert found(FAULTS["report.result-stale"][0]()).alternatives == ("count.one-less",)
    assert found(FAULTS["count.one-less"][0]()).alternatives == ("report.result-stale",)


class _Counting(Direct):
    """Counts its calls."""

    calls = 0

    def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Reply:
        self.calls += 1
        return super().call(problem, n_iters, dtype)


def test_further_probes_are_run_only_where_a_verdict_needs_them() -> None:
    def calls(function: Function) -> int:
        subject = _Counting(function)
        prove(subject, find("line-4").problem, DTYPES["float64"], computes_in=NUMPY_DTYPES)
        return subject.calls

    plain, asking = calls(FAULTS["sign.ascent"][0]()), calls(FAULTS["data.dropped"][0]())
    assert plain == 13
    assert asking > plain


def test_every_code_of_the_table_is_a_cause_with_a_story_and_a_planted_fault() -> None:
    codes = [cause.code for cause in CAUSES]
    assert len(set(codes)) == len(codes)
    assert all(cause.title and cause.looks_like and cause.fix and cause.example for cause in CAUSES)
    tested = {code for code in codes if code.partition(".")[0] not in ("contract", "device")}
    assert tested == set(FAULTS)


def test_a_cause_is_one_entry_in_the_file_of_its_family() -> None:
    folder = Path(prove.__code__.co_filename).parent / "causes"
    for cause in CAUSES:
        family = cause.code.partition(".")[0]
        texts = [p.read_text(encoding="utf-8") for p in folder.glob("*.py") if f'code="{cause.code}"' in p.read_text()]
        assert len(texts) == 1, cause.code
        assert (folder / f"{family}.py").exists()


@pytest.mark.parametrize("problem", ["norris", "gaussian"])
def test_a_fault_that_only_a_large_problem_shows_is_looked_for_there(problem: str) -> None:
    """Of so many samples not every choice can be tried."""

    def in_single(p: Problem, n_iters: int) -> Descent:
        if len(p.x) > 11:
            p = Problem(p.x.astype("f4").astype(p.x.dtype), p.y, p.w0, p.b0, p.lr)
        return silent(p, n_iters)

    finding = found(in_single, problem=problem)
    assert finding.cause in ("precision.float32", "unknown"), finding.evidence
