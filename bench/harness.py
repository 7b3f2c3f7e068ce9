"""The whole journey: plan the cells, prove them, time the proved ones, keep the results."""

import time as clock
import traceback
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.backends import BACKENDS
from bench.dtypes import Dtype, dtype_named
from bench.errors import UsageError
from bench.judge.affinity import processors
from bench.judge.exchange import Recorder
from bench.judge.later import mentioned
from bench.judge.mechanisms import ALL, Mechanism, Mechanisms
from bench.judge.subject import Worker
from bench.judge.workshop import WorkerLimits, Workshop
from bench.oracle.reach import longest_in_range
from bench.plan import NOT_LAUNCHED, Cell, Request, plan
from bench.problems.problem import Problem
from bench.proof.prove import Proof, prove
from bench.proof.sighting import Observation
from bench.proof.spot_check import SpotCheck
from bench.proof.subject import Absent, Failure, Subject
from bench.proof.verdict import Finding, ProvedVerdict, Status, Verdict, as_expected
from bench.several import Several, in_turns
from bench.timing.course import Course
from bench.timing.interval import import_what_intervals_need
from bench.timing.limits.gauge import Gauge
from bench.timing.pingpong import Arm, ArmFailedError
from bench.timing.plan import Budget
from bench.timing.record import Rejected, Timing, Void
from bench.timing.session import Job, time_cells
from bench.variants.contract import Variant
from bench.variants.discovery import file_of

IN_PROCESS = "in-process (unproved)"
NOT_LOADED = "none"
"""The isolation of a cell whose worker could not load its variant."""

MOST_AT_ONCE = 4
"""Proofs; the judge's own part of them is done in turns."""

ONLY_ALONE = frozenset({Status.TIMEOUT, Status.OUT_OF_MEMORY, Status.JUDGE_ERROR})
"""What a neighbour may bring about, by what it takes of the machine. A crash is a variant's own."""

LONGEST_TIMED_CALL = 4_000_000
"""Iterations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How cells are proved and timed.

    Attributes:
        limits: on a worker's time, memory and threads.
        seed: of everything random.
        launches: of each timed cell, at least 5 for an interval worth the name.
        budget: of the time that timing takes.
        iterations: watch at least this many iterations of each problem; enough to see it converge where ``None``.
        in_process: run variants in this process, for debugging; nothing is then proved.
        mechanisms: those that are switched on; a test of one leaves it out.
        measures_limits: whether timings have the machine's limit beside them.
    """

    limits: WorkerLimits = field(default_factory=WorkerLimits)
    seed: int = 0
    launches: int = 5
    budget: Budget = field(default_factory=Budget)
    iterations: int | None = None
    in_process: bool = False
    mechanisms: Mechanisms = ALL
    measures_limits: bool = True


@dataclass(frozen=True, slots=True)
class Proved:
    """A cell that has been judged, with everything that was seen of it.

    Attributes:
        exchange: what was asked and answered, as it is kept; empty where nothing was, or nothing is to be kept.
    """

    cell: Cell
    verdict: Verdict
    observations: tuple[Observation, ...]
    exchange: tuple[bytes, ...] = ()

    @property
    def to_be_timed(self) -> bool:
        """Whether a timing is to follow, and may."""
        return self.verdict.proved and self.cell.timed


@dataclass(frozen=True, slots=True)
class Timed:
    """A proved cell after its launches: a timing, or why there is none."""

    cell: Cell
    outcome: Timing | Void | Rejected | Failure

    @property
    def failed(self) -> bool:
        """Whether the variant failed while it was timed; a machine too busy to say is no failure of the variant."""
        return isinstance(self.outcome, Rejected | Failure)

    @property
    def harness_failed(self) -> bool:
        """Whether there is no timing by a mistake of the harness's."""
        return isinstance(self.outcome, Failure) and self.outcome.status is Status.JUDGE_ERROR


class Harness:
    """A workshop of workers, and what can be done with it; a context manager."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self._workshop = Workshop(self.options.limits, self.options.mechanisms)
        self._gauge = Gauge(self._workshop.launch, self._workshop.devices.latencies, self.options.limits.threads)
        self._checks: dict[tuple[int, str], tuple[Problem, SpotCheck]] = {}
        self._proofs: Generator[Proved] | None = None

    def __enter__(self) -> "Harness":
        self._workshop.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._proofs is not None:
            self._proofs.close()
        self._workshop.__exit__(*exception)

    def plan(self, request: Request, complain: Callable[[str], None] | None = None) -> list[Cell]:
        """The cells that a request means; see `bench.plan.plan`."""
        devices = self._workshop.devices
        cells = plan(request, devices_of=devices.of, why_no_more=devices.why_no_more, ask=self._ask, complain=complain)
        self.expect(cells)
        return cells

    def expect(self, cells: Iterable[Cell]) -> None:
        """Have what these cells need imported meanwhile."""
        if Mechanism.OWN_PROCESS in self.options.mechanisms and not self.options.in_process:
            needed = dict.fromkeys(cell.variant for cell in cells if cell.device == "cpu" and not cell.obstacle)
            for backend in dict.fromkeys(variant.backend for variant in needed):
                files = {file_of(variant.target) for variant in needed if variant.backend == backend}
                self._workshop.expect(backend, {name for file in files if file for name in mentioned(file, backend)})

    def use_the_wait(self, cells: Iterable[Cell]) -> None:
        """While fork servers import what these cells need, make ready what only timing needs, if they are timed."""
        if not any(cell.timed for cell in cells):
            return
        import_what_intervals_need()
        if self.options.measures_limits and any(cell.timed and cell.device == "cpu" for cell in cells):
            self._gauge.meanwhile(lambda: self._workshop.waits)

    def presence(self) -> dict[str, str]:
        """Each mechanism by its name, with whether this machine has it."""
        return self._workshop.presence()

    def prove(self, cell: Cell, iterations: int | None = None, *, recorded: bool = False) -> Proved:
        """Launch a worker for the cell and prove it; whatever happens to the worker is the verdict.

        Args:
            cell: one of a plan.
            iterations: watch at least this many iterations of its problem.
            recorded: whether the exchange with the worker is to be kept.
        """
        began = clock.perf_counter()
        exchange: list[bytes] | None = [] if recorded else None
        proof, apart = self._proof(cell, iterations or self.options.iterations, exchange)
        finding = proof.finding
        verdict = replace(
            cell.verdict(
                finding,
                expected=cell.variant.expect or Status.PROVED.value,
                as_expected=as_expected(finding, cell.variant.expect, required=cell.required),
            ),
            seconds=clock.perf_counter() - began,
            isolation=apart.isolation,
            peak_memory_bytes=apart.peak_memory_bytes,
            peak_device_bytes=apart.peak_device_bytes,
        )
        return Proved(cell, verdict, proof.observations, tuple(exchange or ()))

    def prove_all(
        self,
        cells: Sequence[Cell],
        *,
        iterations: Sequence[int | None] | None = None,
        recorded: Container[tuple[str, ...]] = (),
        on_wait: Callable[[Cell], None] = lambda _: None,
    ) -> Generator[Proved]:
        """Prove cells, several at once where no worker can reach another; see `prove`.

        Args:
            cells: of a plan.
            iterations: for each, watch at least so many iterations of its problem.
            recorded: the keys of those whose exchange is to be kept.
            on_wait: called with each cell before its proof is waited for.
        """
        at_least = iterations or [None] * len(cells)

        def proof(number: int) -> Proved:
            cell = cells[number]
            return self.prove(cell, at_least[number], recorded=cell.key in recorded)

        several = Several(
            proof,
            at_once=self._at_once(cells),
            may_begin=lambda number: self._workshop.is_ready(cells[number].variant.backend),
            only_alone=lambda proved: proved.verdict.finding.status in ONLY_ALONE,
            abandoned=self._workshop.abandoned,
        )
        self._proofs = several.in_order(len(cells), lambda number: on_wait(cells[number]))
        return self._proofs

    def in_turns(self, groups: Sequence[Iterable[Cell]]) -> Iterator[list[int]]:
        """The numbers of groups of cells: first of those for which no server is importing a library meanwhile."""
        needs = [{cell.variant.backend for cell in cells if cell.device == "cpu"} for cells in groups]
        return in_turns(needs, self._workshop.ready)

    def _at_once(self, cells: Sequence[Cell]) -> int:
        apart = Mechanism.OWN_PROCESS in self.options.mechanisms and not self.options.in_process
        if len(cells) < 2 or not apart or any(cell.device != "cpu" for cell in cells):
            return 1
        most = min(MOST_AT_ONCE, processors() // self.options.limits.threads)
        return most if most > 1 and self._workshop.keeps_apart else 1

    def time(self, proved: Sequence[Proved], on_launch: Callable[[Cell, int], None] | None = None) -> Iterator[Timed]:
        """Time the proved cells among these that are to be timed, each as soon as its launches agree."""
        cells: dict[tuple[str, ...], Cell] = {one.cell.key: one.cell for one in proved}
        jobs = [self._job(one) for one in proved if one.to_be_timed]
        if self.options.measures_limits:
            self._measure_limits(proved, self._gauge.begin)

        def launched(job: Job, count: int) -> None:
            self._gauge.go_on()
            if on_launch is not None:
                on_launch(cells[job.key], count)  # type: ignore[index]

        for job, outcome in time_cells(
            jobs,
            seed=self.options.seed,
            launches=self.options.launches,
            budget=self.options.budget,
            on_launch=launched,
            mechanisms=self.options.mechanisms,
        ):
            cell = cells[job.key]  # type: ignore[index]
            yield Timed(cell, outcome if cell.data is None else self._gauge.beside(outcome, cell.data))

    def measure_limits(self, proved: Sequence[Proved]) -> dict[str, object] | None:
        """What the processor can do at most, as `run.json` keeps it, for the cells among these that are to be timed.

        Returns:
            ``None`` where none of them, and none before, is timed on the processor. It is measured once, in a second.
        """
        return self._measure_limits(proved, self._gauge.measure)

    def _measure_limits(
        self, proved: Sequence[Proved], measure: Callable[[Sequence[str]], object]
    ) -> dict[str, object] | None:
        places = [(one.cell.variant.backend, one.cell.device) for one in proved if one.to_be_timed]
        self._gauge.measure_launches(place for place in places if place[1] != "cpu")
        backends = [backend for backend, device in places if device == "cpu"]
        if backends:
            measure(backends)
        return None if self._gauge.limits is None else self._gauge.limits.record()

    def arm(self, proved: Proved, name: str) -> Arm:
        """A proved cell as one side of a comparison."""
        cell = proved.cell
        return Arm(name=name, verdict=ProvedVerdict(proved.verdict), launcher=lambda: self._paced(cell, name))

    def subject(self, cell: Cell) -> AbstractContextManager[Subject]:
        """A fresh worker of a cell; one that could not be launched answers every call with the reason."""
        launched = self._launch(cell)
        return nullcontext(Absent(launched)) if isinstance(launched, Failure) else launched

    def course(self, proved: Proved) -> Course:
        """What the workers of a proved cell are sent: calls with fresh inputs, for its data.

        Raises:
            UsageError: the cell has no data.
        """
        cell = proved.cell
        if cell.data is None:
            raise UsageError(f"{cell} has no data to be timed on")
        dtype = dtype_named(cell.dtype)
        check = self._check_of(cell.data, dtype)
        return Course(
            dtype=dtype,
            fresh=check.fresh,
            check=check.complaint,
            max_n=longest_in_range(check.problem, dtype, LONGEST_TIMED_CALL),
            threads=self.options.limits.threads,
            on_cpu=cell.device == "cpu",
        )

    def _paced(self, cell: Cell, name: str) -> Worker:
        launched = self._workshop.launch(cell.variant, cell.device, cell.lane)
        if isinstance(launched, Failure):
            raise ArmFailedError.of(name, launched)
        return launched

    def _ask(self, module: str) -> list[Variant]:
        described = self._workshop.describe(module)
        if isinstance(described, Failure):
            raise UsageError(f"{module}: {described.message}")
        return described

    def _proof(self, cell: Cell, iterations: int | None, exchange: list[bytes] | None) -> "tuple[Proof, _Apart]":
        if cell.obstacle is not None or cell.data is None:
            return Proof(cell.obstacle or Finding(status=Status.UNAVAILABLE), ()), _Apart(NOT_LAUNCHED)
        launched = self._launch(cell)
        if isinstance(launched, Failure):
            finding = Finding(status=launched.status, cause=launched.cause, evidence=launched.message)
            return Proof(finding, ()), _Apart(NOT_LOADED)
        computes_in = BACKENDS[cell.variant.backend].computes_in(cell.device)
        with launched as subject:
            recorder = Recorder(subject) if exchange is not None and isinstance(subject, Worker) else None
            asked = subject if recorder is None else recorder
            try:
                proof = prove(
                    asked,
                    cell.data,
                    dtype_named(cell.dtype),
                    computes_in=computes_in,
                    iterations=iterations,
                    needs_power=Mechanism.POWER in self.options.mechanisms,
                )
            except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError) as error:
                # A mistake of the proof's own is a row as well, and the run goes on.
                proof = Proof(Finding(status=Status.JUDGE_ERROR, evidence=_own_mistake(error)), ())
            if exchange is not None and recorder is not None:
                exchange += recorder.blobs(cell.data, cell.dtype, cell.device, computes_in, iterations)
            if self.options.in_process:
                return _unproved(proof), _Apart(IN_PROCESS)
            return proof, _Apart.of(subject)

    def _launch(self, cell: Cell) -> "AbstractContextManager[Subject] | Failure":
        if self.options.in_process or Mechanism.OWN_PROCESS not in self.options.mechanisms:
            from bench.judge.inprocess import InProcess  # noqa: PLC0415 - runs variants here, so only when asked for

            loaded = InProcess.load(cell.variant, cell.device)
            return loaded if isinstance(loaded, Failure) else nullcontext(loaded)
        return self._workshop.launch(cell.variant, cell.device, cell.lane)

    def _check_of(self, data: Problem, dtype: Dtype) -> SpotCheck:
        """One for all variants of a problem: the exact iterates and their bounds are the same for each."""
        kept = self._checks.get((id(data), dtype.name))
        if kept is None or kept[0] is not data:
            kept = self._checks[id(data), dtype.name] = (data, SpotCheck(data, dtype, self.options.seed))
        return kept[1]

    def _job(self, proved: Proved) -> Job:
        cell = proved.cell
        return Job(
            key=cell.key,
            verdict=ProvedVerdict(proved.verdict),
            launcher=lambda: self.subject(cell),
            course=self.course(proved),
        )


@dataclass(frozen=True, slots=True)
class _Apart:
    """How a worker was kept apart, and the most memory that it took of the machine and of its device."""

    isolation: str
    peak_memory_bytes: int | None = None
    peak_device_bytes: int | None = None

    @classmethod
    def of(cls, subject: Subject) -> "_Apart":
        if not isinstance(subject, Worker):
            return cls(str(getattr(subject, "isolation", "unknown")))
        return cls(subject.isolation, subject.peak_memory_bytes, subject.peak_device_bytes)


def _own_mistake(error: Exception) -> str:
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    where = f"{Path(frame.f_code.co_filename).name}:{line}"
    return f"the proof itself failed: {type(error).__name__}: {error} ({where}); this is gdbench's mistake, report it"


def _unproved(proof: Proof) -> Proof:
    """An in-process run shares its memory and its clock with the variant, so that it proves nothing."""
    finding = proof.finding
    if finding.status is not Status.PROVED:
        return proof
    void = Finding(
        status=Status.VOID,
        evidence=f"ran in the judge's own process, which proves nothing; there: {finding.evidence}",
        power=finding.power,
    )
    return Proof(void, proof.observations)
