"""Instructions an iteration, counted by callgrind: a figure that repeats on a busy machine, and is blind to the rest.

It sees no caches, no waiting, no further threads and no GPU. Two lanes are compared by it before, or without, a clock.
"""

import math
import os
import platform
import re
import shutil
import stat
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from bench.dtypes import Dtype, dtype_named
from bench.errors import UnavailableError, UsageError
from bench.gate.comparison import Outcome
from bench.judge.counted import COUNTS, LINK, MACHINE, command
from bench.judge.subject import Worker
from bench.judge.workshop import WorkerLimits, Workshop
from bench.oracle.memory import system_of
from bench.oracle.reach import out_of_range
from bench.plan import Cell
from bench.proof.spot_check import SpotCheck
from bench.proof.subject import Failure
from bench.proof.verdict import NotProvedError, ProvedVerdict, Status
from bench.timing.record import Rejected

THRESHOLDS = {"numpy": 0.01, "torch": 0.02}
"""How much more, as a share, is slower. Far above what repeats: see docs/decisions.md."""

COUNTED_LIMITS = WorkerLimits(call_seconds=120.0, start_seconds=240.0)
"""Under callgrind everything takes some fifty times as long."""

AIMED_AT = 100_000_000
"""Instructions in the long call, about two seconds under callgrind; at most `LONGEST` iterations."""

LONGEST = 128

_HEAD_BYTES, _TAIL_BYTES = 1 << 16, 1 << 8
_SUMMARY = re.compile(rb"^events: Ir\nsummary: (\d{1,18})$", re.MULTILINE)
_TOTALS = re.compile(rb"^totals: (\d{1,18})\n*\Z", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """What callgrind counted of a proved cell.

    Attributes:
        verdict: the proof that this count stands on.
        per_iteration: instructions an iteration, the slope through a short and a long call.
        total: instructions of the long call.
        n_small: iterations of the short call.
        n_large: iterations of the long call.
        spread: how far a second slope in the same process is from the first, as a share.

    Raises:
        NotProvedError: ``verdict`` is no `ProvedVerdict`.
    """

    verdict: ProvedVerdict
    per_iteration: float
    total: int
    n_small: int
    n_large: int
    spread: float

    def __post_init__(self) -> None:
        given: object = self.verdict
        if type(given) is not ProvedVerdict:
            raise NotProvedError(
                f"a count needs a ProvedVerdict, not {type(given).__name__}: no number without a proof"
            )


@dataclass(frozen=True, slots=True)
class Counts:
    """Two lanes, held against each other.

    Attributes:
        ratio: instructions an iteration of the head over those of the base.
        verdict: what that means.
        reason: one sentence with the numbers.
    """

    ratio: float
    verdict: Outcome
    reason: str


def valgrind_here() -> str:
    """The path of valgrind.

    Raises:
        UnavailableError: instructions cannot be counted on this machine; the message says why and what to do.
    """
    if sys.platform != "linux" or platform.machine() != MACHINE:
        here = f"{sys.platform} on {platform.machine()}"
        raise UnavailableError(
            f"instructions are counted on Linux on {MACHINE} only, and this is {here}; leave them out"
        )
    found = shutil.which("valgrind")
    if found is None:
        raise UnavailableError(
            "valgrind is not installed, so that instructions cannot be counted. Install it "
            "(apt-get install valgrind, dnf install valgrind), or leave them out."
        )
    return os.path.abspath(found)


def count(
    cell: Cell, verdict: ProvedVerdict, *, limits: WorkerLimits = COUNTED_LIMITS, seed: int = 0
) -> Instructions | Rejected | Failure:
    """Count the instructions of a cell, in its own lane.

    Every counted call gets fresh data, and its answer is checked, as timed calls and answers are.

    Args:
        cell: on the CPU.
        verdict: its proof, in this lane or in another; a lane whose answers are wrong is rejected all the same.
        limits: on the worker, as it runs under callgrind.
        seed: of the data.

    Returns:
        The count; `Rejected` where an answer was wrong, or the count does not grow with the iterations; the `Failure`
        of a worker that gave no answer.

    Raises:
        UnavailableError: instructions cannot be counted here.
        UsageError: the cell is not on the CPU, has no data, or is not the one that was proved.
    """
    valgrind = valgrind_here()
    proved = verdict.verdict
    if cell.key != (proved.variant, proved.problem, proved.device, proved.dtype):
        raise UsageError(f"the proof is of {proved.variant} on {proved.problem}, not of {cell}: prove the cell first")
    if cell.device != "cpu" or cell.data is None:
        raise UsageError(f"{cell} cannot be counted: callgrind sees the processor alone, and needs data on it")
    variant = replace(cell.variant, target=_target_in_lane(cell))
    source = Path(cell.lane.moved(os.getcwd()))
    started_by = command(valgrind, os.path.abspath(cell.lane.python or sys.executable), source)
    with Workshop(limits) as workshop:
        # The command has the lane's interpreter already.
        launched = workshop.launch(variant, cell.device, replace(cell.lane, python=None), started_by)
        if isinstance(launched, Failure):
            return launched
        dtype = dtype_named(cell.dtype)
        calls = _Calls(launched, SpotCheck(cell.data, dtype, seed), dtype)
        with launched:
            try:
                return calls.count(verdict)
            except _EndedError as ended:
                return ended.why


def compare_counts(base: Instructions, head: Instructions, backend: str) -> Counts:
    """Hold the head's count against the base's.

    Args:
        base: of the lane that is there already.
        head: of the lane that is to replace it.
        backend: what both are written for; it says how well counts repeat.
    """
    ratio = head.per_iteration / base.per_iteration
    said = f"{head.per_iteration:,.0f} instructions an iteration where the base takes {base.per_iteration:,.0f}"
    threshold = THRESHOLDS.get(backend)
    if threshold is None:
        return Counts(ratio, Outcome.INCONCLUSIVE, f"{said}; how well counts of {backend} repeat is not known")
    spread = max(base.spread, head.spread)
    if spread > threshold / 2:
        return Counts(ratio, Outcome.INCONCLUSIVE, f"{said}; two counts of one process differ by {spread:.2%}")
    said += f" ({ratio - 1:+.2%}; {threshold:.0%} is the threshold)"
    if abs(math.log(ratio)) <= math.log1p(threshold):
        return Counts(ratio, Outcome.SAME, said)
    return Counts(ratio, Outcome.SLOWER if ratio > 1 else Outcome.FASTER, said)


def read_count(path: Path) -> int:
    """The instructions that a profile of callgrind counts.

    The variant could have written to its directory, so that the file is not believed to be one: a link is not
    followed, a pipe not waited for, and no more is read than both ends.

    Raises:
        ValueError: it is no whole profile of instructions alone.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from error
    with open(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError(f"{path.name} is no file")
        head = file.read(_HEAD_BYTES)
        file.seek(max(0, facts.st_size - _TAIL_BYTES))
        tail = file.read(_TAIL_BYTES)
    summaries, totals = _SUMMARY.findall(head), _TOTALS.findall(tail)
    # What a function costs after the sum was written is in the totals, and nothing is in the sum alone.
    if not head.startswith(b"# callgrind format\n") or len(summaries) != 1 or len(totals) != 1:
        raise ValueError(f"{path.name} is no whole profile of instructions")
    if int(totals[0]) < int(summaries[0]):
        raise ValueError(f"{path.name} contradicts itself: {int(totals[0])} in all, {int(summaries[0])} in its summary")
    return int(summaries[0])


class _EndedError(Exception):
    def __init__(self, why: Rejected | Failure) -> None:
        super().__init__(str(why))
        self.why = why


class _Calls:
    """The calls of one counted worker, each with fresh data and a checked answer."""

    def __init__(self, worker: Worker, check: SpotCheck, dtype: Dtype) -> None:
        self._worker, self._check, self._dtype = worker, check, dtype
        self._made = 0

    def count(self, verdict: ProvedVerdict) -> Instructions:
        self._answer(1)
        # These also tell how long the others may be.
        first, second = self._call(1), self._call(2)
        n_large = self._longest(second - first)
        n_small = max(1, n_large // 4)
        self._call(n_large)
        small, large, small_again, large_again = (self._call(n) for n in (n_small, n_large, n_small, n_large))
        if large <= small or large_again <= small_again:
            raise _EndedError(
                Rejected(
                    f"{n_large} iterations took {large} instructions and {n_small} took {small}: it does not iterate"
                )
            )
        slopes = [(large - small) / (n_large - n_small), (large_again - small_again) / (n_large - n_small)]
        return Instructions(
            verdict=verdict,
            per_iteration=sum(slopes) / 2,
            total=large_again,
            n_small=n_small,
            n_large=n_large,
            spread=abs(slopes[1] / slopes[0] - 1),
        )

    def _answer(self, n_iters: int) -> None:
        problem = self._check.fresh(self._made)
        self._made += 1
        answer = self._worker.call(problem, n_iters, self._dtype)
        if isinstance(answer, Failure):
            raise _EndedError(answer)
        complaint = self._check.complaint(problem, n_iters, answer)
        if complaint is not None:
            raise _EndedError(Rejected(complaint))

    def _call(self, n_iters: int) -> int:
        self._answer(n_iters)
        try:
            # The first call of all was not counted.
            return read_count(self._worker.directory / f"{COUNTS}.{self._made - 1}")
        except ValueError as error:
            raise _EndedError(
                Failure(Status.CRASHED, None, f"no count of a call of {n_iters} iterations: {error}")
            ) from error

    def _longest(self, per_iteration: int) -> int:
        """A power of two, so that two lanes hardly differ; and one after which the exact iterate can be held."""
        problem, longest = self._check.problem, LONGEST
        system = system_of(problem)
        while longest > 2 and (
            longest * per_iteration > AIMED_AT or out_of_range(problem, system, self._dtype, longest) is not None
        ):
            longest //= 2
        return longest


def _target_in_lane(cell: Cell) -> str:
    """Where the lane has the variant: by the link that the worker is started in, or by a whole path."""
    place, _, function = cell.variant.target.rpartition(":")
    return f"{Path(LINK) / cell.lane.moved(place)}:{function}" if place.endswith(".py") else cell.variant.target
