"""Each mechanism stops an attack of the corpus that passes without it.

Where several stop the same attack, those that overlap are off in both halves. What the kernel does about processes is
tested in tests/judge/test_mechanisms.py.
"""

import importlib
import time
from dataclasses import replace
from types import ModuleType

import pytest

from bench.dtypes import DTYPES
from bench.harness import Harness
from bench.judge.mechanisms import Mechanism, all_but
from bench.judge.subject import Worker
from bench.judge.workshop import Workshop
from bench.plan import Cell
from bench.problems.catalogue import find
from bench.proof.spot_check import SpotCheck
from bench.proof.subject import Answer, Failure
from bench.proof.verdict import Status
from bench.selftest.corpus import attack, control
from bench.selftest.run import OPTIONS, attack_cell, clean, control_cell, harm
from bench.timing.plan import Plan
from bench.timing.record import Flag, Rejected, Timing
from bench.timing.slope import Sample
from bench.timing.trust import flags
from tests.attacks.simulated import FLOAT64, STEP_NS, Simulation, outcome_of

M = Mechanism


@pytest.mark.parametrize(
    ("mechanism", "overlapping", "module", "function"),
    [
        (M.OWN_PROCESS, (), "patching", "collector_hunt"),
        (M.OWN_PROCESS, (), "patching", "stack_inspection"),
        (M.SEALED_INPUTS, (), "inputs", "pristine_too"),
        (M.MEMORY_LIMIT, (), "violence", "leaks"),
        (M.FILE_LIMITS, (), "violence", "huge_file"),
        (M.CAPPED_OUTPUT, (), "violence", "prints_without_end"),
        (M.PID_NAMESPACE, (M.LANDLOCK,), "violence", "finds_the_judge"),
        (M.LANDLOCK, (), "violence", "writes_elsewhere"),
        (M.CLOSED_DESCRIPTORS, (), "violence", "borrows_descriptors"),
        (M.POWER, (), "shortcuts", "declines_the_probes"),
    ],
)
def test_a_proof_that_lacks_it_is_fooled(
    mechanism: Mechanism, overlapping: tuple[Mechanism, ...], module: str, function: str
) -> None:
    cell = attack_cell(attack(module, function))
    try:
        with Harness(replace(OPTIONS, mechanisms=all_but(mechanism, *overlapping))) as without:
            assert without.prove(cell).verdict.finding.status is Status.PROVED
        clean()
        with Harness(replace(OPTIONS, mechanisms=all_but(*overlapping))) as with_it:
            if with_it.presence().get(mechanism.value, "present").startswith("absent"):
                pytest.skip(f"this machine lacks it: {mechanism}")
            assert with_it.prove(cell).verdict.finding.status is not Status.PROVED
        assert harm() == ""
    finally:
        clean()


@pytest.fixture
def attacks(request: pytest.FixtureRequest) -> ModuleType:
    """The module of an attack, as a fresh launch has it."""
    return importlib.reload(importlib.import_module(f"bench.selftest.attacks.{request.param}"))


@pytest.mark.parametrize("attacks", ["caching"], indirect=True)
def test_fresh_data(attacks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    remembering = Simulation(attacks.answers_by_everything, pretence_ns=2.0)
    stale = outcome_of(remembering, monkeypatch, all_but(M.FRESH_DATA, M.SETUP_SHARE))
    fresh = outcome_of(remembering, monkeypatch, all_but(M.SETUP_SHARE))
    assert isinstance(stale, Timing)
    assert isinstance(fresh, Timing)
    assert stale.ns_per_iter < STEP_NS / 100
    assert fresh.ns_per_iter == pytest.approx(STEP_NS, rel=0.01)


@pytest.mark.parametrize("attacks", ["detection"], indirect=True)
def test_random_lengths(attacks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    known = outcome_of(Simulation(attacks.by_two_lengths), monkeypatch, all_but(M.RANDOM_LENGTHS, M.SETUP_SHARE))
    importlib.reload(attacks)
    unknown = outcome_of(Simulation(attacks.by_two_lengths), monkeypatch, all_but(M.SETUP_SHARE))
    assert isinstance(known, Timing)
    assert isinstance(unknown, Timing)
    assert known.ns_per_iter < 0.8 * STEP_NS
    assert unknown.ns_per_iter == pytest.approx(STEP_NS, rel=0.01)


@pytest.mark.parametrize("attacks", ["detection"], indirect=True)
def test_checked_answers(attacks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    cheating = Simulation(attacks.by_many_calls, pretence_ns=2.0)
    believed = outcome_of(cheating, monkeypatch, all_but(M.CHECKED_ANSWERS, M.SETUP_SHARE))
    assert isinstance(believed, Timing)
    assert believed.ns_per_iter < STEP_NS / 100
    checked = outcome_of(cheating, monkeypatch, all_but(M.SETUP_SHARE))
    assert isinstance(checked, Rejected)
    assert "not gradient descent's" in checked.reason


@pytest.mark.parametrize("attacks", ["detection"], indirect=True)
def test_setup_share(attacks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    padding = Simulation(attacks.padded_short_calls)
    monkeypatch.setattr(attacks, "time", padding.clock())
    flat = outcome_of(padding, monkeypatch, all_but(M.SETUP_SHARE))
    assert isinstance(flat, Timing)
    assert flat.flags == ()
    assert flat.ns_per_iter < 0.5 * STEP_NS
    flagged = outcome_of(padding, monkeypatch, all_but())
    assert isinstance(flagged, Timing)
    assert flagged.flags == (Flag.SETUP,)


@pytest.mark.parametrize("attacks", ["shortcuts"], indirect=True)
def test_physical_floor(attacks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    squaring = Simulation(attacks.repeated_squaring, pretence_ns=0.01)
    believed = outcome_of(squaring, monkeypatch, all_but(M.PHYSICAL_FLOOR, M.SETUP_SHARE))
    assert isinstance(believed, Timing)
    assert believed.ns_per_iter == pytest.approx(0.01, rel=0.1)
    rejected = outcome_of(squaring, monkeypatch, all_but(M.SETUP_SHARE))
    assert isinstance(rejected, Rejected)
    assert "does not iterate" in rejected.reason


@pytest.mark.parametrize("attacks", ["answers"], indirect=True)
def test_not_finite(attacks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing_to_be_told = find(attack("shortcuts", "declines_the_probes").problem).problem
    check = SpotCheck(nothing_to_be_told, DTYPES["float16"], 0)
    infinite = Simulation(attacks.infinite_when_timed, pretence_ns=2.0, refuses=False)
    believed = outcome_of(infinite, monkeypatch, all_but(M.SETUP_SHARE), check)
    assert isinstance(believed, Timing)
    assert believed.ns_per_iter < STEP_NS / 100
    refused = outcome_of(replace(infinite, refuses=True), monkeypatch, all_but(M.SETUP_SHARE), check)
    assert isinstance(refused, Failure)
    assert refused.cause == "contract.not-finite"


def test_processor_time() -> None:
    plan = Plan(n_small=2, n_large=16, samples=5)
    with Workshop(OPTIONS.limits) as workshop:
        for cell, due in (
            (attack_cell(attack("elsewhere", "between_calls")), (Flag.BETWEEN_CALLS,)),
            (control_cell(control("plain")), ()),
        ):
            samples = asked_at_leisure(workshop, cell)
            found = flags(samples, plan, threads=1, setup_share=0.0)
            unknown = flags([replace(one, cpu_ns=0, between_ns=0) for one in samples], plan, threads=1, setup_share=0.0)
            assert tuple(flag for flag in found if flag is Flag.BETWEEN_CALLS) == due
            assert unknown == {}


def asked_at_leisure(workshop: Workshop, cell: Cell) -> list[Sample]:
    """A few calls, with time to do something between them."""
    assert cell.data is not None
    check = SpotCheck(cell.data, FLOAT64, 0)
    samples = []
    launched = workshop.launch(cell.variant, "cpu")
    assert isinstance(launched, Worker)
    with launched as subject:
        for index in range(5):
            reply = subject.call(check.fresh(index), 16, FLOAT64)
            assert isinstance(reply, Answer)
            samples.append(Sample(16, reply.elapsed_ns, reply.cpu_ns, reply.queue_ns, reply.between_ns))
            time.sleep(0.1)
    return samples
