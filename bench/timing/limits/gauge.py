"""Putting the limit beside each timing: the one place where the harness meets the limits."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from bench.dtypes import DTYPES
from bench.judge.subject import Worker
from bench.problems.problem import Problem
from bench.proof.subject import Answer, Failure
from bench.timing.limits.bound import Term, launch_bound, placed
from bench.timing.limits.machine import Limits
from bench.timing.limits.measure import BUDGET_NS, SPELL_NS, Measurement, measure, measurement
from bench.timing.limits.work import Shape, WorkClass, works
from bench.timing.record import Flag, Timing, Void
from bench.variants.contract import Variant

SHORT, LONG = 200, 4_200
TRIES = 15
AGAIN = 3
"""A timing quicker than one pass over the data has the machine measured anew, so often in the life of a harness."""

T = TypeVar("T")


class Gauge:
    """The limits of one harness's machine, measured when they are first needed.

    Attributes:
        limits: of the processor, with the dispatch cost of each backend asked for so far; ``None`` until then.
    """

    def __init__(
        self,
        launch: Callable[[Variant, str], Worker | Failure],
        latencies: Callable[[str, str], dict[str, float] | Failure],
        threads: int,
    ) -> None:
        """Measure nothing yet.

        Args:
            launch: starts a worker with a variant in it on a device.
            latencies: what launching costs a backend on a device; see `bench.judge.devices.Devices.latencies`.
            threads: of a worker.
        """
        self._launch = launch
        self._latencies = latencies
        self._launch_ns: dict[tuple[str, str], float | None] = {}
        self._threads = threads
        self._asked: set[str] = set()
        self._tries_left = AGAIN
        self._begun: Measurement | None = None
        self.limits: Limits | None = None

    def measure(self, backends: Iterable[str], spell_ns: int = BUDGET_NS) -> Limits:
        """The limits of the processor, with the dispatch cost of these backends where it can be had.

        Args:
            backends: those whose dispatch cost is asked for.
            spell_ns: what the tries may take now, where there were none in this process; after a short spell, `go_on`.
        """
        if self.limits is None:
            measurement(self._threads).go_on(spell_ns)
        limits = self.limits or measurement(self._threads).limits()
        for backend in dict.fromkeys(backends):
            if backend not in self._asked:
                self._asked.add(backend)
                cost_ns = self._dispatch_ns(backend)
                if cost_ns is not None:
                    limits = replace(limits, dispatch_ns={**limits.dispatch_ns, backend: cost_ns})
        known = [each for each in self._launch_ns.values() if each is not None]
        self.limits = replace(limits, launch_ns=min(known, default=None))
        return self.limits

    def meanwhile(self, waits: Callable[[], bool]) -> None:
        """Use the time in which there is nothing to do but to wait: make ready, and make up to half of the spells.

        Args:
            waits: whether there is still something to wait for.
        """
        begun = measurement(self._threads)
        while waits() and not begun.half:
            begun.go_on(SPELL_NS)

    def begin(self, backends: Iterable[str]) -> None:
        """As `measure`, in a first short spell; `go_on` makes the others."""
        self.measure(backends, SPELL_NS)
        self._begun = measurement(self._threads)

    def go_on(self) -> bool:
        """Another spell of what was begun; whether that was needed."""
        if self.limits is None or self._begun is None or self._begun.enough:
            return False
        self._begun.go_on(SPELL_NS)
        self.limits = self.limits.or_better(self._begun.limits())
        return True

    def measure_launches(self, places: Iterable[tuple[str, str]]) -> None:
        """What a launch costs at least, for each backend and accelerator where it can be had."""
        for place in dict.fromkeys(places):
            if place not in self._launch_ns:
                said = self._latencies(*place)
                named = {} if isinstance(said, Failure) else said
                costs = [named[name] for name in ("launch_ns", "replay_ns") if name in named]
                self._launch_ns[place] = min(costs, default=None)

    def beside(self, outcome: Timing | T, problem: Problem) -> "Timing | Void | T":
        """The outcome of a cell, a timing with its limit beside it.

        Args:
            outcome: what became of the cell's launches.
            problem: the cell's data.

        Returns:
            The outcome; of another device than the processor, a timing with what an iteration needs, and with the words
            where it is bound by being launched, but no limit.
            `Void` where the interval of a timing reaches over the least time that any iteration takes and its middle
            does not.
        """
        if not isinstance(outcome, Timing):
            return outcome
        verdict = outcome.verdict.verdict
        shape, dtype = Shape.of(problem), DTYPES[verdict.dtype]
        if self.limits is None or verdict.device != "cpu":
            data = works(shape, dtype.itemsize)[0]
            words = self._launch_bound(outcome)
            return replace(
                outcome,
                bytes_per_iter=data.bytes_read,
                operations_per_iter=data.operations,
                limited_by=Term.LAUNCH.value if words else None,
                limit_note=words or "",
            )
        while self.go_on():
            pass
        found = placed(outcome.ns_per_iter, shape, dtype, verdict.backend, self.limits)
        if self._tries_left and (found is None or found.bound.work.kind is not WorkClass.DATA):
            # Nearly always a pass over the data, timed in a quieter moment than the machine was measured in.
            self._tries_left -= 1
            self.limits = self.limits.or_better(measure(self._threads))
            return self.beside(outcome, problem)
        if found is None:
            return Void(
                f"an iteration does not stand out: {outcome.ns_per_iter:.2g} ns, and at most {outcome.ci_high:.2g} ns, "
                f"where any update that depends on the one before takes {self.limits.chain_ns:.2g} ns"
            )
        return replace(
            outcome,
            limit_ns=found.bound.ns,
            share_of_limit=found.share,
            bytes_per_iter=found.bound.work.bytes_read,
            operations_per_iter=found.bound.work.operations,
            work_class=found.bound.work.kind.value,
            limited_by=found.limited_by.value,
            limit_note=found.words,
        )

    def _launch_bound(self, timing: Timing) -> str | None:
        verdict = timing.verdict.verdict
        hot_ns, host_ns = timing.hot_ns_per_iter, timing.host_ns_per_iter
        launch_ns = self._launch_ns.get((verdict.backend, verdict.device))
        if hot_ns is None or host_ns is None or launch_ns is None or Flag.DEVICE in timing.flags:
            return None
        return launch_bound(timing.ns_per_iter, hot_ns, host_ns, launch_ns)

    def _dispatch_ns(self, backend: str) -> float | None:
        """What one operation on a single number costs, by the slope of two lengths; ``None`` without a worker."""
        empty = Variant("one-operation", backend, backend, "bench.timing.limits.empty:one_operation")
        launched = self._launch(empty, "cpu")
        if isinstance(launched, Failure):
            return None
        one = np.ones((1, 1))
        problem = Problem(one, one, one, None, 0.5)
        least_ns = {SHORT: 1 << 62, LONG: 1 << 62}
        with launched as worker:
            for _ in range(TRIES):
                for n_iters, before_ns in least_ns.items():
                    answer = worker.call(problem, n_iters, DTYPES["float64"])
                    if not isinstance(answer, Answer):
                        return None
                    least_ns[n_iters] = min(before_ns, answer.elapsed_ns)
        return max(0.0, least_ns[LONG] - least_ns[SHORT]) / (LONG - SHORT) or None
