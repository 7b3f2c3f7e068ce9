"""Every planted fault is detected and never misnamed, every honest loop proved, and no fewer are named than before."""

import ast
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.harness import Harness
from bench.proof.verdict import Finding
from tests.faults.confusion import PROBLEM, RESULTS, read_rows
from tests.faults.fault import TARGETS, Control, Fault, cell_of, found_name
from tests.faults.sets import MAIN, SETS, LoopSet

FAULTS = tuple(one for loops in SETS for one in loops.faults)
PAIRS = tuple(one for loops in SETS for one in loops.pairs)
CONTROLS = tuple(one for loops in SETS for one in loops.controls)

CODES = """
scale.sum scale.mean-over-samples scale.half scale.double scale.extra-division scale.block scale.lr-ignored
scale.lr-squared scale.constant sign.ascent sign.block operand.no-target operand.other-gradient
operand.reshape-for-transpose operand.bias-missing operand.weight-missing operand.bias-last-sample operand.l1
operand.other-loss operand.targets-altered update.never update.twice-per-iteration update.skips update.sequential
accumulate.no-zero-grad accumulate.sometimes accumulate.block stale.gradient stale.frozen-gradient state.momentum
state.nesterov state.weight-decay state.adaptive state.clipped state.schedule leak.warm-start leak.random-start
leak.start-ignored leak.buffer leak.stale-data data.dropped data.duplicated data.minibatch data.single-sample
data.standardised count.one-more count.one-less count.early-stop count.padded precision.float32 precision.bfloat16
precision.float16 precision.tf32 precision.integer precision.finite-difference repeat.nondeterministic
report.loss-after-update report.loss-stale report.loss-sum report.loss-half report.loss-rmse report.loss-other-data
report.result-stale report.result-initial report.aliased cheat.closed-form cheat.hard-coded cheat.geometric cheat.cached
contract.shape contract.dtype contract.not-finite contract.mutates-input contract.raised unknown
""".split()  # noqa: SIM905 - seventy strings in a list are harder to read
"""The causes that can be planted on a CPU."""

Prove = Callable[[Fault | Control], Finding]


@pytest.fixture(scope="module")
def prove(request: pytest.FixtureRequest) -> Iterator[Prove]:
    """The finding of each loop, worked out once; those that the chosen tests are about, several at once."""
    with Harness() as harness:
        loops = chosen(request)
        proofs = harness.prove_all([cell_of(one, PROBLEM, "float64") for one in loops])
        found: dict[Fault | Control, Finding] = {}

        def prove(one: Fault | Control) -> Finding:
            while one not in found and len(found) < len(loops):
                found[loops[len(found)]] = next(proofs).verdict.finding
            return found[one]

        yield prove


def chosen(request: pytest.FixtureRequest) -> list[Fault | Control]:
    """The loops that the tests about to run ask for, in their order, without those whose library is not installed."""
    asked: dict[Fault | Control, None] = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item, "callspec"):
            asked |= dict.fromkeys(one for value in item.callspec.params.values() for one in loops_of(value))
    return [one for one in asked if here(one)]


def loops_of(parameter: object) -> Sequence[Fault | Control]:
    """Those that a test with this parameter is about."""
    if isinstance(parameter, LoopSet):
        return parameter.faults
    return [parameter] if isinstance(parameter, Fault | Control) else []


def here(one: Fault | Control) -> bool:
    """Whether its library is installed."""
    return one.backend == "numpy" or find_spec("torch") is not None


def each(loops: tuple[Fault, ...] | tuple[Control, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("loop", [pytest.param(one, id=one.name, marks=marks(one)) for one in loops])


def marks(one: Fault | Control) -> list[pytest.MarkDecorator]:
    return [] if here(one) else [pytest.mark.skip(reason="written for torch, which is not installed")]


@each(FAULTS)
def test_a_fault_is_detected_and_not_misnamed(prove: Prove, loop: Fault) -> None:
    finding = prove(loop)
    assert loop.judge(found_name(finding)) in ("right", "unknown"), f"{loop.expect}: {finding}"


@each(PAIRS)
def test_two_faults_in_one_loop_are_detected_and_not_taken_for_a_third(prove: Prove, loop: Fault) -> None:
    finding = prove(loop)
    assert loop.judge(found_name(finding)) in ("right", "unknown"), f"{loop.expect}: {finding}"


@each(CONTROLS)
def test_an_honest_loop_is_proved(prove: Prove, loop: Control) -> None:
    finding = prove(loop)
    assert found_name(finding) == "proved", finding


@pytest.mark.parametrize("loops", SETS, ids=lambda loops: loops.name)
def test_no_fewer_are_named_than_in_the_committed_report(prove: Prove, loops: LoopSet) -> None:
    rows = read_rows(RESULTS / loops.rows)
    named = {row.name for row in rows if row.kind == "fault" and row.ok == "right"}
    available = [one for one in loops.faults if here(one)]
    now = {one.name for one in available if one.judge(found_name(prove(one))) == "right"}
    assert len(now) >= len(named & {one.name for one in available}), f"no longer named: {sorted(named - now)}"


def test_every_cause_is_planted() -> None:
    planted = {code for one in MAIN.faults for code in one.expect}
    assert planted == set(CODES)


def test_every_loop_is_in_one_table_under_a_name_of_its_own() -> None:
    loops: list[Fault | Control] = [*FAULTS, *PAIRS, *CONTROLS]
    assert len({one.name for one in loops}) == len(loops)
    assert sorted(one.function for one in loops) == sorted(
        f"{path.name}:{function}" for path in TARGETS.glob("*.py") for function in loops_in(path)
    )


def loops_in(path: Path) -> list[str]:
    """The public functions of a file that take a problem and a number of iterations; no array library is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and [argument.arg for argument in node.args.args][:2] == ["problem", "n_iters"]
        and not path.name.startswith("parts_")
    ]
