"""The proof of one cell: which calls are made, in which order, and what follows from the answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.dtypes import Dtype
from bench.oracle.convergence import iterations_to_converge
from bench.oracle.memory import system_of
from bench.oracle.reach import may_overflow, out_of_range
from bench.problems.problem import Problem
from bench.problems.rounding import in_dtype
from bench.proof.naming import REPEATED, TRAJECTORY, Naming
from bench.proof.power import ENOUGH, powers
from bench.proof.probes import (
    CRAWLING_ITERATIONS,
    SETTLING_ITERATIONS,
    Shape,
    crawling,
    magnified,
    other_data,
    probe,
    settling,
    shapes_for,
)
from bench.proof.sighting import Observation, Sighting, see
from bench.proof.subject import Failure, Subject
from bench.proof.verdict import Finding, Status

CONVERGENCE_CAP = 300
"""Iterations spent on watching a variant converge, unless a gate asks for more."""

DIVERGENCE_FACTOR = 1.1
"""The learning rate of the diverging run, over the largest stable one."""

DIVERGENCE_ITERATIONS = 12
RESTART_FOR = 4
WATCHED = (0, 1, 2, 3, 5, 8, 13, 21, 34)
"""The iterates of the cell's own problem that are looked at before the last."""

PROBE_FEW = 3

LONG_RUN_UNIT_ROUNDOFF = 2.0**-24
"""Shorter formats cannot hold the targets of the probe that settles, and have no digits left when it has settled."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found, and everything that was seen."""

    finding: Finding
    observations: tuple[Observation, ...]


def prove(
    subject: Subject,
    problem: Problem,
    dtype: Dtype,
    *,
    computes_in: Sequence[str],
    iterations: int | None = None,
    needs_power: bool = True,
) -> Proof:
    """Prove or refute that ``subject`` is gradient descent on ``problem`` in ``dtype``.

    Args:
        subject: the variant at arm's length.
        problem: the cell's own problem, in float64; it is rounded to ``dtype`` first.
        dtype: the format that the cell declares.
        computes_in: the dtypes of the variant's backend; a fault is named in float64 where that is one of them.
        iterations: watch at least this many iterations of the problem itself.
        needs_power: whether a proof that tells no wrong answers apart is refused; only a test of that switches it off.
    """
    proof = _Prover(subject, in_dtype(problem, dtype), dtype, computes_in, iterations).run()
    return _with_power(proof) if needs_power else proof


class _Prover:
    """One proof under way; it collects what was seen."""

    def __init__(
        self, subject: Subject, problem: Problem, dtype: Dtype, computes_in: Sequence[str], iterations: int | None
    ) -> None:
        self._subject, self._problem, self._dtype = subject, problem, dtype
        self._iterations = iterations
        self._system = system_of(problem)
        self._shape: Shape | None = None
        self._sightings: list[Sighting] = []
        self._naming = Naming(subject, problem, dtype, computes_in, self._see)

    def run(self) -> Proof:
        finding = self._find()
        return Proof(finding, tuple(o for sighting in self._sightings for o in sighting.observations()))

    def _find(self) -> Finding:
        beyond = out_of_range(self._problem, self._system, self._dtype)
        if beyond is not None:
            return Finding(status=Status.UNSUPPORTED, evidence=beyond)
        first = self._subject.call(self._problem, 0, self._dtype)
        if isinstance(first, Failure):
            return _failed(first, "0 iterations of the problem")
        shape = self._accepted_shape()
        if isinstance(shape, Failure):
            return Finding(status=shape.status, cause=shape.cause, evidence=shape.message)
        self._shape = shape
        checked = [] if shape is None else self._check_probe(shape)
        if isinstance(checked, Finding):
            return checked
        own = self._check_problem()
        if isinstance(own, Finding):
            return own
        return self._proved([*checked, own], own)

    def _accepted_shape(self) -> Shape | Failure | None:
        """The first of the probe's shapes that the variant does not decline; ``None`` when it declines them all."""
        for shape in shapes_for(self._problem, short=self._dtype.name == "bfloat16"):
            reply = self._subject.call(probe(shape), 0, self._dtype)
            if not isinstance(reply, Failure):
                return shape
            if reply.status is not Status.UNSUPPORTED:
                return Failure(reply.status, reply.cause, f"{reply.message} (in 0 iterations of the probe {shape})")
        return None

    def _check_probe(self, shape: Shape) -> "list[Sighting] | Finding":
        name, made = f"probe {shape}", probe(shape)
        trajectory = self._see(name, made, TRAJECTORY)
        fault = self._fault(trajectory)
        if fault is not None:
            return fault
        state = trajectory.answers[REPEATED][1]
        fault = self._fault(self._see(f"{name}, restarted", replace(made, w0=state.w, b0=state.b), (RESTART_FOR,)))
        if fault is not None:
            return fault
        further = {
            "with other data": (other_data(shape, self._dtype), (PROBE_FEW,)),
            "with data 2**15 times as large": (magnified(made), (PROBE_FEW,)),
            "that crawls": (crawling(shape), (CRAWLING_ITERATIONS,)),
        }
        if self._dtype.unit_roundoff <= LONG_RUN_UNIT_ROUNDOFF:
            further["that settles"] = (settling(shape), (SETTLING_ITERATIONS,))
        for what, (problem, n_iters) in further.items():
            if out_of_range(problem, system_of(problem), self._dtype) is None:
                fault = self._fault(self._see(f"{name}, {what}", problem, n_iters))
                if fault is not None:
                    return fault
        return [trajectory]

    def _check_problem(self) -> Sighting | Finding:
        last = self._iterations or min(
            CONVERGENCE_CAP, iterations_to_converge(self._problem, self._system) or CONVERGENCE_CAP
        )
        while last > 4 and out_of_range(self._problem, self._system, self._dtype, last) is not None:
            last //= 2
        last = max(last, 4)
        sighting = self._see_own("problem", self._problem, (*(n for n in WATCHED if n < last), last))
        fault = self._fault(sighting) or self._check_one_step(sighting)
        if fault is not None:
            return fault
        limit = self._system.largest_learning_rate
        if np.isfinite(limit):
            diverging = replace(self._problem, lr=DIVERGENCE_FACTOR * limit)
            if out_of_range(diverging, self._system, self._dtype, n_iters=DIVERGENCE_ITERATIONS) is None:
                fault = self._fault(self._see_own("problem, lr over the limit", diverging, (DIVERGENCE_ITERATIONS,)))
                if fault is not None:
                    return fault
        return sighting

    def _check_one_step(self, sighting: Sighting) -> Finding | None:
        """One update from the last observed state: the bound of a single step, however wide the run's has become."""
        state = sighting.answers[-1][1]
        step = self._see_own("problem, one step on", replace(self._problem, w0=state.w, b0=state.b), (1,))
        return self._fault(step)

    def _see(
        self,
        name: str,
        problem: Problem,
        n_iters: tuple[int, ...],
        dtype: Dtype | None = None,
        *,
        any_basis: bool = False,
    ) -> Sighting:
        sighting = see(self._subject, name, problem, n_iters, dtype or self._dtype, any_basis=any_basis)
        self._sightings.append(sighting)
        return sighting

    def _see_own(self, name: str, problem: Problem, n_iters: tuple[int, ...]) -> Sighting:
        """The same of the cell's own data, whose columns may have any sizes: those of the probes are alike."""
        return self._see(name, problem, n_iters, any_basis=True)

    def _fault(self, sighting: Sighting) -> Finding | None:
        """What is wrong with a sighting, if anything."""
        if sighting.failure is not None:
            n, failure = sighting.failure
            early = sighting.departure()
            # A wrong descent that blows up is wrong first: its earlier states tell why.
            if failure.cause != "contract.not-finite" or early is None:
                # Infinities are returned by one loop, and raised by another's functions.
                infinite = early is None and failure.cause in ("contract.not-finite", "contract.raised")
                excuse = _overflow_by_rounding(sighting, n, self._dtype) if infinite else None
                if excuse is None:
                    return _failed(failure, f"{n} iterations of the {sighting.probe}")
                return Finding(status=Status.UNSUPPORTED, evidence=excuse)
        departure = sighting.departure()
        return None if departure is None else self._naming.finding(sighting, departure, self._shape)

    def _proved(self, judged: "list[Sighting]", own: Sighting) -> Finding:
        """The finding where nothing departed; ``own`` is the last of those judged."""
        each = [powers(s.truth, sorted({n for n, _ in s.answers})) for s in judged]
        kinds = {kind for table in each for kind in table}
        power = min(max(table.get(kind, 0.0) for table in each) for kind in kinds)
        own_power = min(each[-1].values())
        closest = max(
            (c for c in (s.closest_call() for s in self._sightings) if c is not None),
            key=lambda c: c.error / max(c.bound, np.finfo(float).tiny),
            default=None,
        )
        seen = sum(len(s.answers) for s in self._sightings)
        share = 0.0 if closest is None or closest.bound == 0 else closest.error / closest.bound
        converges_in = iterations_to_converge(self._problem, self._system)
        checked_to = max(n for n, _ in own.answers)
        return Finding(
            status=Status.PROVED,
            evidence=f"{seen} iterates inside their bounds, the nearest at {share:.2f} of it; "
            + _convergence(checked_to, converges_in),
            iterate=None if closest is None else closest.n_iters,
            error=None if closest is None else closest.error,
            bound=None if closest is None else closest.bound,
            power=power,
            power_problem=own_power,
            converges_in=converges_in,
            checked_to=checked_to,
        )


def _with_power(proof: Proof) -> Proof:
    """The proof, or the judge's own failure where it could not have told known wrong answers apart."""
    finding = proof.finding
    if finding.status is not Status.PROVED or (finding.power or 0.0) >= ENOUGH:
        return proof
    weak = f"the nearest known wrong answer is only {finding.power or 0.0:.1f} bounds away: such a proof has no power"
    return replace(proof, finding=replace(finding, status=Status.JUDGE_ERROR, evidence=weak))


def _convergence(last: int, converges_in: int | None) -> str:
    if converges_in is None:
        return f"theory: this learning rate does not converge; seen exact to {last} iterations"
    if converges_in <= last:
        return f"0.05 % from the optimum after {converges_in} iterations, as theory says"
    return f"theory: 0.05 % from the optimum after {converges_in}; seen exact to {last} iterations"


def _overflow_by_rounding(sighting: Sighting, n_iters: int, dtype: Dtype) -> str | None:
    """Why rounding alone can make a state up to iterate ``n_iters`` not finite; ``None`` where it cannot."""
    truth = sighting.truth
    for n in sorted(n for n in truth.exact if n <= n_iters):
        if not np.all(np.isfinite(truth.bound[n])):
            return f"{dtype.name} is too short to say that iterate {n} of the {sighting.probe} stays finite"
        reach = np.abs(truth.exact[n]).astype(np.float64) + truth.bound[n]
        beyond = may_overflow(truth.system, reach, truth.lr, dtype)
        if beyond is not None:
            return f"{beyond} by rounding, at iterate {n} of the {sighting.probe}"
    return None


def _failed(failure: Failure, where: str) -> Finding:
    evidence = failure.message if failure.status is Status.UNSUPPORTED else f"{failure.message} (in {where})"
    return Finding(status=failure.status, cause=failure.cause, evidence=evidence)
