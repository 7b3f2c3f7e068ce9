"""From a departure to a finding with a name: on which problem, and in which dtype, the fault shows best."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from bench.dtypes import DTYPES, Dtype
from bench.oracle.memory import system_of
from bench.problems.problem import Problem
from bench.proof.diagnosis import Diagnosis, diagnose
from bench.proof.evidence import Evidence
from bench.proof.probes import PROBE_ITERATIONS, Shape, probe
from bench.proof.sighting import Departure, Sighting
from bench.proof.subject import Subject
from bench.proof.verdict import Finding, Status

OF_A_SHAPE = ("scale.sum", "scale.mean-over-samples", "scale.extra-division")
"""Gains that are numbers of samples, features or outputs."""

REPEATED = 5
"""The number of iterations that is asked for twice."""

TRAJECTORY = (*range(PROBE_ITERATIONS + 1), REPEATED)


class See(Protocol):
    """Calls the variant for each number of iterations of a problem, and keeps what was seen."""

    def __call__(
        self, name: str, problem: Problem, n_iters: tuple[int, ...], dtype: Dtype, *, any_basis: bool = False
    ) -> Sighting:
        """What is seen of ``problem`` at each of ``n_iters``; `bench.proof.sighting.see` has the arguments."""
        ...


class Naming:
    """Names what is wrong with one cell.

    Args:
        subject: the variant at arm's length.
        problem: the cell's own problem.
        dtype: the cell's.
        computes_in: the dtypes of the variant's backend; a fault is named in float64 where that is one of them.
        see: how the variant is asked.
    """

    def __init__(self, subject: Subject, problem: Problem, dtype: Dtype, computes_in: Sequence[str], see: See) -> None:
        self._subject, self._problem, self._dtype, self._see = subject, problem, dtype, see
        self._clear = DTYPES["float64"] if "float64" in computes_in else dtype

    def finding(self, sighting: Sighting, departure: Departure, shape: Shape | None) -> Finding:
        """What the departure of a sighting comes from.

        Args:
            sighting: where the departure was seen.
            departure: its first.
            shape: the probe's that the variant accepts, if any.
        """
        evidence = self._evidence(sighting, shape)
        departed = described(sighting, departure)
        if evidence is None:
            named = Diagnosis("unknown", None, (), "it was seen once and not again")
        else:
            named = diagnose(evidence)
        factor, sentence, cause = named.factor, named.sentence, named.cause
        if named.cause.startswith("scale.") and named.cause != "scale.block" and evidence is not None:
            factor = self._gain_on_problem(named, evidence)
            if named.cause in OF_A_SHAPE and _is(evidence.gain_in_another_shape(), named):
                cause, sentence = "scale.constant", "the same factor on data of another shape"
            sentence = f"gradient {_times(factor)}: {sentence}"
        return Finding(
            status=Status.WRONG,
            cause=cause,
            factor=factor,
            alternatives=named.alternatives,
            evidence=f"{sentence} ({departed})",
            iterate=departure.n_iters,
            error=departure.error,
            bound=departure.bound,
        )

    def _evidence(self, sighting: Sighting, shape: Shape | None) -> Evidence | None:
        """The probe where it shows the fault, then the problem on which it was seen; in float64 if it shows there."""
        earlier: dict[str, Sighting] = {}
        places: list[tuple[str, Problem, Dtype]] = []
        for dtype in dict.fromkeys((self._clear, self._dtype)):
            if shape is not None:
                fitting = shape if dtype.name == "bfloat16" else replace(shape, n_samples=11)
                places.append((f"probe {fitting}", probe(fitting), dtype))
            places.append((sighting.probe, sighting.problem, dtype))
        for name, problem, dtype in places:
            as_seen = dtype == self._dtype and problem is sighting.problem
            far = tuple(n for n, _ in sighting.answers if n > PROBE_ITERATIONS) if name == sighting.probe else ()
            seen = sighting
            if not (as_seen and {n for n, _ in sighting.answers} >= set(TRAJECTORY)) and not (
                as_seen and sighting.failure is not None and len(sighting.answers) > 1
            ):
                where = name if dtype == self._dtype else f"{name} in {dtype.name}"
                loose = sighting.truth.any_basis and problem is sighting.problem
                seen = self._see(where, problem, (*TRAJECTORY, *far), dtype, any_basis=loose)
            if seen.departure() is not None and (seen.failure is None or len(seen.answers) > 1):
                return Evidence(self._subject, seen, dtype, shape, earlier.get(dtype.name))
            if name.startswith("probe"):
                earlier.setdefault(dtype.name, seen)
        return None

    def _gain_on_problem(self, named: Diagnosis, evidence: Evidence) -> float:
        """The cause's gain on the cell's own problem where the first step there bears it out; else that step's."""
        system = system_of(self._problem)
        due = named.factor or 1.0
        if named.cause == "scale.sum":
            due = float(system.n_samples * system.n_outputs)
        elif named.cause == "scale.mean-over-samples":
            due = float(system.n_outputs)
        elif named.cause == "scale.lr-ignored":
            due *= evidence.problem.lr / self._problem.lr
        elif named.cause == "scale.lr-squared":
            due *= self._problem.lr / evidence.problem.lr
        sighting = self._see("problem", self._problem, (0, 1, 2, 3, 5, 8), self._dtype)
        if len(sighting.answers) < 2:
            return due
        step = (sighting.state(1) - sighting.state(0)).astype(np.float64)
        right = (sighting.truth.exact[1] - sighting.truth.start).astype(np.float64)
        squares = float(np.sum(right * right))
        measured = float(np.sum(step * right)) / squares if squares > 0 else due
        return due if abs(measured - due) <= 0.05 * abs(due) else float(f"{measured:.6g}")


def described(sighting: Sighting, departure: Departure) -> str:
    """Where a sighting departs, with the numbers."""
    what = f"loss {departure.n_iters}" if departure.of == "loss" else f"iterate {departure.n_iters}"
    return f"{what} of the {sighting.probe} is {departure.error:.3g} off, where rounding allows {departure.bound:.2g}"


def _is(gain: float | None, named: Diagnosis) -> bool:
    return gain is not None and named.factor is not None and abs(gain - named.factor) <= 1e-6 * abs(named.factor)


def _times(factor: float) -> str:
    if abs(factor - 1) < 1e-6:
        return "right on this problem alone"
    times = f"{factor:.2f}" if 0.01 <= factor < 1e6 else f"{factor:.3g}"
    return f"{times} times too large" if factor > 1 else f"{times} times the right one"
