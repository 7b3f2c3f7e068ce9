"""The proof of one cell: which calls are made, in which order, and what follows from the answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.dtypes import DTYPES, Dtype, rounded
from bench.oracle.convergence import iterations_to_converge
from bench.oracle.memory import system_of
from bench.oracle.reach import out_of_range
from bench.problems.problem import Problem
from bench.proof.diagnosis import Diagnosis, diagnose
from bench.proof.power import ENOUGH, powers
from bench.proof.probes import PROBE_ITERATIONS, Shape, probe, shapes_for
from bench.proof.sighting import Departure, Observation, Sighting, see
from bench.proof.subject import Failure, Subject
from bench.proof.verdict import Finding, Status

CONVERGENCE_CAP = 300
"""Iterations spent on watching a variant converge, unless a gate asks for more."""

DIVERGENCE_FACTOR = 1.1
"""The learning rate of the diverging run, over the largest stable one."""

DIVERGENCE_ITERATIONS = 12
TRAJECTORY = tuple(range(PROBE_ITERATIONS + 1))
RESTART_AFTER, RESTART_FOR = 5, 4


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found, and everything that was seen."""

    finding: Finding
    observations: tuple[Observation, ...]


def prove(
    subject: Subject, problem: Problem, dtype: Dtype, *, computes_in: Sequence[str], iterations: int | None = None
) -> Proof:
    """Prove or refute that ``subject`` is gradient descent on ``problem`` in ``dtype``.

    Args:
        subject: the variant at arm's length.
        problem: the cell's own problem, in float64; it is rounded to ``dtype`` first.
        dtype: the format that the cell declares.
        computes_in: the dtypes of the variant's backend; a fault is named in float64 where that is one of them.
        iterations: watch at least this many iterations of the problem itself.
    """
    return _Prover(subject, _in_dtype(problem, dtype), dtype, computes_in, iterations).run()


class _Prover:
    """One proof under way; it collects what was seen."""

    def __init__(
        self, subject: Subject, problem: Problem, dtype: Dtype, computes_in: Sequence[str], iterations: int | None
    ) -> None:
        self._subject, self._problem, self._dtype = subject, problem, dtype
        self._computes_in, self._iterations = computes_in, iterations
        self._system = system_of(problem)
        self._sightings: list[Sighting] = []

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
        checked = [] if shape is None else self._check_probe(shape)
        if isinstance(checked, Finding):
            return checked
        own = self._check_problem(shape)
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
        name = f"probe {shape}"
        trajectory = self._see(name, probe(shape), (*TRAJECTORY, RESTART_AFTER))
        fault = self._fault(trajectory, shape)
        if fault is not None:
            return fault
        state = trajectory.answers[RESTART_AFTER][1]
        onward = replace(probe(shape), w0=state.w, b0=state.b)
        restart = self._see(f"{name}, restarted", onward, (RESTART_FOR,))
        return self._fault(restart, None) or [trajectory]

    def _check_problem(self, shape: Shape | None) -> Sighting | Finding:
        last = self._iterations or min(
            CONVERGENCE_CAP, iterations_to_converge(self._problem, self._system) or CONVERGENCE_CAP
        )
        while last > 4 and out_of_range(self._problem, self._system, self._dtype, last) is not None:
            last //= 2
        last = max(last, 4)
        sighting = self._see("problem", self._problem, (0, 1, 2, 3, last))
        fault = self._fault(sighting, shape) or self._check_one_step(sighting)
        if fault is not None:
            return fault
        limit = self._system.largest_learning_rate
        if np.isfinite(limit):
            diverging = replace(self._problem, lr=DIVERGENCE_FACTOR * limit)
            if out_of_range(diverging, self._system, self._dtype, n_iters=DIVERGENCE_ITERATIONS) is None:
                run = self._see("problem, lr over the limit", diverging, (DIVERGENCE_ITERATIONS,))
                fault = self._fault(run, shape)
                if fault is not None:
                    return fault
        return sighting

    def _check_one_step(self, sighting: Sighting) -> Finding | None:
        """One update from the last observed state: the bound of a single step, however wide the run's has become."""
        state = sighting.answers[-1][1]
        step = self._see("problem, one step on", replace(self._problem, w0=state.w, b0=state.b), (1,))
        return self._fault(step, None)

    def _see(self, name: str, problem: Problem, n_iters: tuple[int, ...], dtype: Dtype | None = None) -> Sighting:
        sighting = see(self._subject, name, problem, n_iters, dtype or self._dtype)
        self._sightings.append(sighting)
        return sighting

    def _fault(self, sighting: Sighting, shape: Shape | None) -> Finding | None:
        """What is wrong with a sighting, if anything; ``shape`` is the probe that can name it."""
        if sighting.failure is not None:
            n, failure = sighting.failure
            early = sighting.departure()
            # A wrong descent that blows up is wrong first: its earlier states tell why.
            if failure.cause != "contract.not-finite" or early is None:
                return _failed(failure, f"{n} iterations of the {sighting.probe}")
        departure = sighting.departure()
        if departure is None:
            return None
        on_probe = sighting.probe.startswith("probe") and shape is not None
        if departure.of == "loss" or not on_probe or shape is None:
            return _unnamed(sighting, departure)
        return self._named(shape, sighting, departure)

    def _named(self, shape: Shape, sighting: Sighting, departure: Departure) -> Finding:
        """Diagnose on the float64 probe where there is one, otherwise on what was seen."""
        where, dtype = sighting, self._dtype
        if dtype.name != "float64" and "float64" in self._computes_in:
            full = replace(shape, n_samples=11)
            clear = self._see(f"probe {full} in float64", probe(full), TRAJECTORY, DTYPES["float64"])
            if clear.failure is None and clear.departure() is not None:
                where, dtype = clear, DTYPES["float64"]
        diagnosis = diagnose(where, dtype)
        factor, sentence = diagnosis.factor, diagnosis.sentence
        if diagnosis.cause in ("scale.sum", "scale.half", "scale.double"):
            factor = self._factor_on_problem(diagnosis)
            sentence = f"gradient {_times(factor)}: {sentence}"
        return Finding(
            status=Status.WRONG,
            cause=diagnosis.cause,
            factor=factor,
            alternatives=diagnosis.alternatives,
            evidence=f"{sentence} ({_departed(sighting, departure)})",
            iterate=departure.n_iters,
            error=departure.error,
            bound=departure.bound,
        )

    def _factor_on_problem(self, diagnosis: Diagnosis) -> float:
        """The cause's gain on the cell's own problem where the first step there bears it out; else that step's."""
        due = diagnosis.factor or 1.0
        if diagnosis.cause == "scale.sum":
            due = float(self._system.n_samples * self._system.n_outputs)
        sighting = self._see("problem", self._problem, (0, 1))
        if sighting.failure is not None:
            return due
        step = (sighting.state(1) - sighting.state(0)).astype(np.float64)
        right = (sighting.truth.exact[1] - sighting.truth.start).astype(np.float64)
        squares = float(np.sum(right * right))
        measured = float(np.sum(step * right)) / squares if squares > 0 else due
        return due if abs(measured - due) <= 0.05 * due else float(f"{measured:.6g}")

    def _proved(self, judged: "list[Sighting]", own: Sighting) -> Finding:
        each = [powers(s.truth, sorted({n for n, _ in s.answers})) for s in judged]
        kinds = {kind for table in each for kind in table}
        power = min(max(table.get(kind, 0.0) for table in each) for kind in kinds)
        own_power = min(powers(own.truth, sorted({n for n, _ in own.answers})).values())
        closest = max(
            (c for c in (s.closest_call() for s in self._sightings) if c is not None),
            key=lambda c: c.error / max(c.bound, np.finfo(float).tiny),
            default=None,
        )
        seen = sum(len(s.answers) for s in self._sightings)
        share = 0.0 if closest is None or closest.bound == 0 else closest.error / closest.bound
        converges_in = iterations_to_converge(self._problem, self._system)
        checked_to = max(n for n, _ in own.answers)
        finding = Finding(
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
        if power >= ENOUGH:
            return finding
        weak = f"the nearest known wrong answer is only {power:.1f} bounds away: such a proof has no power"
        return replace(finding, status=Status.JUDGE_ERROR, evidence=weak)


def _convergence(last: int, converges_in: int | None) -> str:
    if converges_in is None:
        return f"theory: this learning rate does not converge; seen exact to {last} iterations"
    if converges_in <= last:
        return f"0.05 % from the optimum after {converges_in} iterations, as theory says"
    return f"theory: 0.05 % from the optimum after {converges_in}; seen exact to {last} iterations"


def _failed(failure: Failure, where: str) -> Finding:
    evidence = failure.message if failure.status is Status.UNSUPPORTED else f"{failure.message} (in {where})"
    return Finding(status=failure.status, cause=failure.cause, evidence=evidence)


def _unnamed(sighting: Sighting, departure: Departure) -> Finding:
    return Finding(
        status=Status.WRONG,
        cause="unknown",
        evidence=_departed(sighting, departure),
        iterate=departure.n_iters,
        error=departure.error,
        bound=departure.bound,
    )


def _departed(sighting: Sighting, departure: Departure) -> str:
    what = f"loss {departure.n_iters}" if departure.of == "loss" else f"iterate {departure.n_iters}"
    return f"{what} of the {sighting.probe} is {departure.error:.3g} off, where rounding allows {departure.bound:.2g}"


def _times(factor: float) -> str:
    times = f"{factor:.2f}" if 0.01 <= factor < 1e6 else f"{factor:.3g}"
    return f"{times} times too large" if factor > 1 else f"{times} times the right one"


def _in_dtype(problem: Problem, dtype: Dtype) -> Problem:
    return Problem(
        x=rounded(problem.x, dtype),
        y=rounded(problem.y, dtype),
        w0=rounded(problem.w0, dtype),
        b0=None if problem.b0 is None else rounded(problem.b0, dtype),
        lr=problem.lr,
    )
