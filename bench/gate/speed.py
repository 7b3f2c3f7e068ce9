"""The speed gate: which contests a project's requirements mean."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bench.errors import UsageError
from bench.gate.check import INTERRUPTED
from bench.gate.comparison import DEFAULT_LIMIT, Outcome
from bench.gate.config import Requirement
from bench.gate.contests import NOT_SHOWN_SLOW, NOT_SLOWER, Contest
from bench.gate.lanes import require_own
from bench.gate.row import Row
from bench.harness import Timed
from bench.judge.lane import OWN, Lane
from bench.plan import Cell, Request
from bench.proof.subject import Failure
from bench.runs.records import Record
from bench.timing.limits.work import WorkClass
from bench.timing.record import Timing

ANY_PROBLEM = "line-4"

Planner = Callable[[Request], Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Demand:
    """A cell, and what is asked of it."""

    cell: Cell
    requirement: Requirement

    def __str__(self) -> str:
        return str(self.cell)


def contests_of(
    demands: Iterable[Demand], lane: Lane, plan: Planner, *, requirements: Iterable[Requirement] = ()
) -> list[Contest]:
    """The contests of a speed gate.

    Args:
        demands: the cells of the gate. Where no requirement has a demand on speed, none of them may be slower than its
            base by more than the usual limit.
        lane: where the bases come from.
        plan: gives the cells of a request.
        requirements: all that there are, those without a cell here included.

    Raises:
        UsageError: a base is needed and none was named, or would be the working tree again; or ``faster_than`` means
            no one variant, or the only one that it is asked of.
    """
    demands = list(demands)
    asked = [demand for demand in demands if _speed_of(demand.requirement) is not None]
    if not asked and not any(map(_speed_of, requirements)):
        usual = DEFAULT_LIMIT - 1
        asked = [replace(demand, requirement=replace(demand.requirement, max_slowdown=usual)) for demand in demands]
    require_own((demand.cell.variant for demand in asked if demand.requirement.max_slowdown is not None), lane)
    contests = []
    for demand in asked:
        cell, requirement = demand.cell, demand.requirement
        if requirement.max_slowdown is not None:
            if lane == OWN:
                raise UsageError(
                    "gate --speed needs to know what may not become slower: --base REVISION, such as origin/main, or "
                    "--base-python PATH."
                )
            limit = 1 + requirement.max_slowdown
            base = replace(cell, lane=lane)
            contests.append(Contest(base=base, head=cell, limit=limit, may_be=NOT_SLOWER, base_may_lack=True))
        if requirement.faster_than is not None:
            rival = _rival(cell, requirement.faster_than, plan)
            if rival.variant != cell.variant:
                contests.append(Contest(base=rival, head=cell, may_be=NOT_SHOWN_SLOW))
            elif requirement.variant == (requirement.faster_than,):
                raise UsageError(f"{cell.variant.name} cannot be faster than itself. Name another in faster_than.")
    return contests


def bases_of(cell: Cell, contests: Iterable[Contest]) -> list[Cell]:
    """Those that a cell is compared with."""
    return [contest.base for contest in contests if contest.head.key == cell.key]


def _speed_of(requirement: Requirement) -> object:
    return requirement.max_slowdown or requirement.faster_than or requirement.within_of_limit


def _rival(cell: Cell, name: str, plan: Planner) -> Cell:
    # On any problem: that of the cell may be a table, which has no name by which it is found.
    rivals = plan(Request(targets=(name,), problems=(ANY_PROBLEM,), devices=(cell.device,), dtypes=(cell.dtype,)))
    if len(rivals) != 1:
        raise UsageError(f"faster_than {name!r} means {len(rivals)} variants. Name one.")
    # The very data of the cell: the arms of a contest are sent the same calls.
    return replace(rivals[0], problem=cell.problem, data=cell.data)


def limit_row(timed: Timed, within: float) -> Record:
    """The row of a cell that must take no more than so many times the machine's limit.

    Args:
        timed: the cell after its launches.
        within: times the limit, above 1.
    """
    outcome = timed.outcome
    reason = f"the limit of {timed.cell.device} is not measured"
    untimed = _limit_row(timed.cell, within, reason, as_expected=not timed.failed)
    if not isinstance(outcome, Timing):
        reason = outcome.message if isinstance(outcome, Failure) else outcome.reason
        return replace(untimed, reason=reason).record()
    if outcome.limit_ns is None:
        return untimed.record()
    if outcome.doubt:
        return replace(untimed, reason=f"its time is doubtful: {outcome.doubt}").record()
    if outcome.work_class not in (None, WorkClass.DATA):
        # Its limit is that of less work, which is no reason to ask more of it.
        reason = f"it takes less than one pass over its data does at least; {outcome.limit_note}"
        return replace(
            untimed,
            verdict=Outcome.SAME,
            reason=reason,
            head_ns_per_iter=outcome.ns_per_iter,
            launches=outcome.launches,
            as_expected=True,
        ).record()
    allowed_ns = within * outcome.limit_ns
    slow = outcome.ci_low > allowed_ns
    return replace(
        untimed,
        verdict=Outcome.SLOWER if slow else Outcome.SAME,
        ratio=outcome.ns_per_iter / allowed_ns,
        ci_low=outcome.ci_low / allowed_ns,
        ci_high=outcome.ci_high / allowed_ns,
        reason=f"it takes {outcome.ns_per_iter / outcome.limit_ns:.3g} times the limit; {outcome.limit_note}",
        base_ns_per_iter=allowed_ns,
        head_ns_per_iter=outcome.ns_per_iter,
        launches=outcome.launches,
        as_expected=not slow,
    ).record()


def unheld_limit_row(cell: Cell, within: float) -> Record:
    """The row of a cell that nobody came to before the gate was interrupted."""
    return _limit_row(cell, within, INTERRUPTED, as_expected=False).record()


def _limit_row(cell: Cell, within: float, reason: str, *, as_expected: bool) -> Row:
    variant, problem, device, dtype = cell.key
    return Row(
        base=f"{within:g} times the limit of this machine",
        head=variant,
        variant=variant,
        problem=problem,
        device=device,
        dtype=dtype,
        verdict=Outcome.INCONCLUSIVE,
        reason=reason,
        limit=1.0,
        as_expected=as_expected,
    )
