"""Contests: which two cells are compared, what must come of it, and the row that does."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from bench.errors import UnavailableError, UsageError
from bench.gate.check import INTERRUPTED
from bench.gate.comparison import DEFAULT_LIMIT, Comparison, Outcome, compare
from bench.gate.instructions import Instructions, compare_counts, count
from bench.gate.lanes import lacks
from bench.gate.row import Row
from bench.harness import NOT_LOADED, Harness, Proved
from bench.plan import NOT_LAUNCHED, Cell
from bench.proof.verdict import ProvedVerdict, Status
from bench.runs.records import Record
from bench.timing.pingpong import LAUNCH_NS, PingPong
from bench.timing.record import Rejected

NOT_SLOWER = frozenset({Outcome.FASTER, Outcome.SAME, Outcome.INCONCLUSIVE})
NOT_SHOWN_SLOW = frozenset({Outcome.FASTER, Outcome.INCONCLUSIVE})
"""What a cell that must be faster may come to: a machine too noisy to say fails nobody."""

ANY = frozenset(Outcome)

ITS_OWN = frozenset(
    {Status.WRONG, Status.BROKEN, Status.UNSUPPORTED, Status.CRASHED, Status.TIMEOUT, Status.OUT_OF_MEMORY}
)
"""What becomes of a base by itself, once it is imported: a change repairs it, or does what it declines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Two cells to be compared.

    Attributes:
        base: what the head is held against.
        head: the same problem, device and dtype.
        limit: the ratio beyond which slower is slower, above 1.
        may_be: the outcomes that are as expected.
        base_may_lack: whether a base that is wrong, or is not there, is as expected: nothing can be slower than it.
    """

    base: Cell
    head: Cell
    limit: float = DEFAULT_LIMIT
    may_be: frozenset[Outcome] = ANY
    base_may_lack: bool = False

    @property
    def names(self) -> tuple[str, str]:
        """What the sides are called: their variants, or their lanes, or where they are written if these are alike."""
        base, head = self.base, self.head
        if base.variant.name != head.variant.name:
            return base.variant.name, head.variant.name
        if base.lane != head.lane:
            return base.lane.name, head.lane.name
        if base.variant != head.variant:
            return base.variant.target, head.variant.target
        return base.variant.name, f"{head.variant.name}, again"

    def __str__(self) -> str:
        base, head = self.names
        return " · ".join((f"{head} against {base}", *self.head.key))


class Contests:
    """Comparisons with one harness; each cell is proved once, before anything of it is compared.

    Attributes:
        harness_failed: whether one of them could not be made by a mistake of the harness's.
    """

    def __init__(self, harness: Harness, *, instructions: bool = False) -> None:
        """Compare nothing yet.

        Args:
            harness: what proves and launches.
            instructions: count instructions too; they decide where the clock does not.
        """
        self._harness = harness
        self._instructions = instructions
        self.harness_failed = False
        self._proved: dict[tuple[object, ...], Proved] = {}

    def know(self, proved: Iterable[Proved]) -> None:
        """Take cells as proved that are so already."""
        self._proved |= {_key(one.cell): one for one in proved}

    def row(self, contest: Contest, on_launch: Callable[[int], None] | None = None, seed: int | None = None) -> Record:
        """Prove both cells, compare them, and say what came of it in one row.

        Args:
            contest: the two cells.
            on_launch: called with the number of launches so far.
            seed: of the comparison; the harness's where ``None``.
        """
        self.prove_all([contest])
        base, head = self._proved[_key(contest.base)], self._proved[_key(contest.head)]
        names = contest.names
        for name, side in zip(names, (base, head), strict=True):
            if not side.verdict.proved:
                finding = side.verdict.finding
                repaired = finding.status in ITS_OWN and side.verdict.isolation not in (NOT_LAUNCHED, NOT_LOADED)
                self.harness_failed |= finding.status is Status.JUDGE_ERROR
                if side is base and contest.base_may_lack and (repaired or lacks(side.cell.lane, side.cell.variant)):
                    reason = f"{name} has nothing that it could be slower than: {finding.status}, {finding.evidence}"
                    return _row(contest, Comparison(outcome=Outcome.INCONCLUSIVE, reason=reason)).record()
                reason = f"{name} is {finding.status}, and nothing is compared without a proof: {finding.evidence}"
                return _row(contest, Comparison(outcome=Outcome.INCONCLUSIVE, reason=reason, failed=name)).record()
        arms = [
            self._harness.arm(base, names[0]),
            self._harness.arm(base, f"{names[0]}, second copy"),
            self._harness.arm(head, names[1]),
        ]
        options = self._harness.options
        seed = options.seed if seed is None else seed
        course, launch_ns = self._harness.course(head), _launch_ns(contest.limit)
        game = PingPong(arms, course, seed, launch_ns, mechanisms=options.mechanisms)
        found = compare(game, limit=contest.limit, on_launch=on_launch)
        self.harness_failed |= found.by_harness
        row = self._with_counts(contest, found, base, head) if self._instructions else _row(contest, found)
        return row.record()

    def _with_counts(self, contest: Contest, found: Comparison, base: Proved, head: Proved) -> Row:
        """The row with the ratio of instructions, which decides where the clock was inconclusive."""
        try:
            counted = [count(side.cell, ProvedVerdict(side.verdict)) for side in (base, head)]
        except (UnavailableError, UsageError) as error:
            return _row(contest, replace(found, reason=f"{found.reason}; no instructions: {error}"))
        before, after = counted
        if not isinstance(before, Instructions) or not isinstance(after, Instructions):
            failed = before if not isinstance(before, Instructions) else after
            why = failed.reason if isinstance(failed, Rejected) else getattr(failed, "message", "")
            return _row(contest, replace(found, reason=f"{found.reason}; no instructions: {why}"))
        counts = compare_counts(before, after, contest.head.variant.backend)
        if found.outcome is Outcome.INCONCLUSIVE and found.noisy and counts.verdict is not Outcome.INCONCLUSIVE:
            beyond = counts.verdict is not Outcome.SAME and abs(math.log(counts.ratio)) > math.log(contest.limit)
            outcome = (Outcome.SLOWER if counts.ratio > 1 else Outcome.FASTER) if beyond else Outcome.SAME
            found = replace(
                found, outcome=outcome, reason=f"by instructions: {counts.reason}; by the clock {found.reason}"
            )
        return replace(_row(contest, found), instructions_ratio=counts.ratio)

    def prove_all(self, contests: Iterable[Contest]) -> None:
        """Make the proofs of both sides of contests that there are not yet, several at once."""
        sides = {_key(side): side for contest in contests for side in (contest.base, contest.head)}
        left = {key: side for key, side in sides.items() if key not in self._proved}
        for key, proved in zip(left, self._harness.prove_all(list(left.values())), strict=True):
            self._proved[key] = proved


def unheld_row(contest: Contest) -> Record:
    """The row of a contest that nobody came to before the gate was interrupted."""
    return _row(contest, Comparison(outcome=Outcome.INCONCLUSIVE, reason=INTERRUPTED, failed="the gate")).record()


def _key(cell: Cell) -> tuple[object, ...]:
    # Two files may have variants of one name.
    return (*cell.key, cell.variant.target, cell.lane)


def _launch_ns(limit: float) -> int:
    """How long a launch samples for: a wider limit is told from no difference with less, down to a half.

    >>> [_launch_ns(limit) // 1_000_000 for limit in (1.01, 1.025, 1.03, 1.05, 1.5)]
    [300, 300, 250, 151, 150]
    """
    return round(LAUNCH_NS * min(1.0, max(0.5, math.log(DEFAULT_LIMIT) / math.log(limit))))


def _row(contest: Contest, found: Comparison) -> Row:
    base, head = contest.names
    variant, problem, device, dtype = contest.head.key
    return Row(
        base=base,
        head=head,
        variant=variant,
        problem=problem,
        device=device,
        dtype=dtype,
        verdict=found.outcome,
        ratio=found.ratio,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        reason=found.reason,
        null_ratio=found.null_ratio,
        base_ns_per_iter=found.base_ns_per_iter,
        head_ns_per_iter=found.head_ns_per_iter,
        launches=found.launches,
        limit=found.limit,
        seconds=found.seconds,
        as_expected=not found.failed and found.outcome in contest.may_be,
    )
