"""What the launches of a cell say together: the mean slope with its interval, or that the machine was too busy."""

import math
import statistics
from collections.abc import Sequence

from bench.judge.mechanisms import ALL, Mechanism, Mechanisms
from bench.proof.verdict import ProvedVerdict
from bench.timing.noise import left_out, note, percent, spread
from bench.timing.plan import Plan
from bench.timing.record import Flag, Rejected, Stop, Timing, Void
from bench.timing.slope import AGREEMENT, CLOSE_AGREEMENT, MOSTLY, Launch, Line, line, slowdowns
from bench.timing.speed import SLOWED
from bench.timing.students import students
from bench.timing.trust import flags, floor_ns, impossible

FEWEST_AGREEING = 3
PATIENCE = 4
"""A cell may have this many times the launches that are wanted of it, before it is concluded with what there is."""

NO_FULL_SPEED = "no launch that counts met a processor at its full speed"

_Seen = tuple[Line, float]
"""A launch, and how many times as long the judge's loop took beside it as at its quickest."""

EACH_LOOK = 0.0221
"""The interval is looked at after each launch, and ends them where it is narrow by chance: the interval that ends them
covers the truth in 95 % or more where each look does in 97.8 %; see docs/decisions.md."""


def conclude(
    verdict: ProvedVerdict,
    plan: Plan,
    launches: Sequence[Launch],
    *,
    wanted: int,
    threads: int,
    width: float = math.inf,
    out_of_time: bool = False,
    on_cpu: bool = True,
    quickest_loop_ns: float = math.inf,
    mechanisms: Mechanisms = ALL,
) -> Timing | Void | Rejected | None:
    """The timing of a cell, once enough of its launches agree.

    Args:
        verdict: the proof of the cell.
        plan: the sampling plan that the launches followed.
        launches: every launch so far, in the order of time.
        wanted: launches that must agree, at least 2.
        threads: threads that the worker may use.
        width: half of the interval may be this share of its middle while there is patience.
        out_of_time: conclude with what there is as soon as the wanted launches are made.
        on_cpu: whether the processor does the work.
        quickest_loop_ns: of the judge's own loop, as far as this process has seen; see `bench.timing.speed`.
        mechanisms: those that are switched on.

    Returns:
        ``None`` where another launch is needed; `Void` where `PATIENCE` is at its end and the launches say nothing;
        `Rejected` where no machine is that fast.
    """
    floored = on_cpu and Mechanism.PHYSICAL_FLOOR in mechanisms
    # A whole call bounds an iteration however noisy the machine is, set-up and all.
    quickest_ns = min((sample.elapsed_ns / sample.n for launch in launches for sample in launch.samples), default=1e9)
    reason = impossible(quickest_ns, floor_ns()) if floored else None
    if reason is not None:
        return Rejected(reason)
    lines = [line(launch.samples, plan) for launch in launches]
    slowed = slowdowns([launch.samples for launch in launches], plan, quickest_loop_ns)
    usable = [(each, times) for each, times in zip(lines, slowed, strict=True) if each is not None]
    # The long call decides, not the slope: where a call is mostly set-up, slopes are too noisy to tell launches apart.
    fewest = min(FEWEST_AGREEING, wanted)
    last = len(launches) >= (wanted if out_of_time else PATIENCE * wanted)
    if last and len(usable) < fewest:
        return _void(len(launches), len(usable))
    found, agree = _counting(usable, fewest)
    counting = [each for each, _ in found]
    # What shares the core slows several launches alike: that they agree does not show that they are right. One that is
    # known to be right shows it of all that agree with it.
    slowdown = min((times for _, times in found), default=1.0)
    full_speed = slowdown <= SLOWED
    if not last and not (agree and full_speed and len(counting) >= wanted):
        return None

    slopes = [each.slope_ns for each in counting]
    mean_ns, half_ns = statistics.fmean(slopes), half_width(slopes, EACH_LOOK)
    reason = impossible(mean_ns + half_ns, floor_ns()) if floored else None
    if reason is not None:
        return Rejected(reason)
    low_ns, high_ns = _ends(found, usable, half_ns, slowdown, agree=agree)
    lost, wide = low_ns <= 0, half_ns > width * mean_ns
    if lost or (wide and not last):
        return _lost_in_noise(counting, plan) if last else None

    large_ns = [each.large_ns for each in counting]
    setup_ns = max(0.0, statistics.fmean(each.setup_ns for each in counting))
    setup_share = setup_ns / statistics.fmean(large_ns)
    samples = [sample for launch in launches for sample in launch.samples]
    queue_share = sum(sample.waiting_ns for sample in samples) / max(1, sum(sample.elapsed_ns for sample in samples))
    dispersion = spread([each.slope_ns for each, _ in usable])
    # Of the quickest calls of all launches: a busy moment adds to set-up, and what is padded is padded in every call.
    quietest = line(samples, plan)
    least_share = 0.0 if quietest is None else quietest.setup_ns / quietest.large_ns
    doubts = flags(samples, plan, threads=threads, setup_share=least_share, on_cpu=on_cpu)
    if Mechanism.SETUP_SHARE not in mechanisms:
        doubts.pop(Flag.SETUP, None)
    remarks = (
        *doubts.values(),
        left_out(
            slowed_ns=[each.large_ns for each, _ in usable if each not in counting],
            agreeing_ns=large_ns,
            busy=len(launches) - len(usable),
            launches=len(launches),
        ),
        "" if full_speed else f"{NO_FULL_SPEED}, where an iteration may take up to {percent(1 - 1 / slowdown)} less",
        note(slopes=slopes, dispersion=dispersion, queue_share=queue_share),
    )
    return Timing(
        verdict=verdict,
        ns_per_iter=mean_ns,
        ci_low=low_ns,
        ci_high=high_ns,
        setup_ns=setup_ns,
        first_call_ns=float(statistics.median(launch.first_call_ns for launch in launches)),
        launches=len(counting),
        samples=len(samples),
        discarded=sum(
            sum(sample.waited for sample in launch.samples) if each in counting else len(launch.samples)
            for launch, each in zip(launches, lines, strict=True)
        ),
        queue_share=min(1.0, queue_share),
        dispersion=dispersion,
        setup_share=setup_share,
        n_small=plan.n_small,
        n_large=plan.n_large,
        threads=threads,
        note="; ".join(remark for remark in remarks if remark),
        flags=tuple(doubts),
        stopped_by=_stop(wide=wide, out_of_time=out_of_time),
    )


def _counting(usable: Sequence[_Seen], fewest: int) -> tuple[list[_Seen], bool]:
    """The launches that count, in the order they were made, and whether they agree.

    >>> seen = [(Line(1.0, 0.0, large_ns), slowed) for large_ns, slowed in ((150.0, 1.8), (101.0, 1.1), (100.0, 1.7))]
    >>> [[line.large_ns for line, _ in _counting(seen, fewest)[0]] for fewest in (2, 3)]
    [[101.0, 100.0], [150.0, 101.0, 100.0]]
    """
    large_ns = sorted(each.large_ns for each, _ in usable)

    def within(limit_ns: float) -> list[_Seen]:
        return [(each, times) for each, times in usable if each.large_ns <= limit_ns]

    agreeing, closely = (within(limit * min(large_ns, default=0.0)) for limit in (AGREEMENT, CLOSE_AGREEMENT))
    if len(agreeing) >= fewest:
        mostly = len(agreeing) >= MOSTLY * len(usable)
        return (agreeing if mostly or len(closely) < fewest else closely), True
    # By the launches alone no quiet speed can be told from the slowed ones. All count that are no slower than one at
    # full speed or, where there are not two of these, the quickest: noise only adds. The interval is as wide as they
    # differ.
    at_full_speed = [each.large_ns for each, times in usable if times <= SLOWED]
    return within(max(at_full_speed if len(at_full_speed) > 1 else large_ns[:fewest], default=0.0)), False


def _ends(
    counting: Sequence[_Seen], usable: Sequence[_Seen], half_ns: float, slowdown: float, *, agree: bool
) -> tuple[float, float]:
    """The interval: Student's, and what is known beside it where no launch met full speed or they do not agree.

    >>> seen = [(Line(slope_ns, 0.0, slope_ns), 1.8) for slope_ns in (100.0, 130.0, 160.0)]
    >>> _ends(seen, seen, 40.0, 1.8, agree=True)
    (50.0, 170.0)
    >>> _ends(seen, seen, 90.0, 1.25, agree=False)
    (80.0, 160.0)
    """
    slopes = [each.slope_ns for each, _ in counting]
    mean_ns = statistics.fmean(slopes)
    low_ns, high_ns = mean_ns - half_ns, mean_ns + half_ns
    if slowdown > SLOWED:
        # What slows the loop slows the variant as much or less: at full speed it may take so much less.
        low_ns /= slowdown
    if not agree:
        # Few launches that differ much bound nothing by themselves, but noise only adds, and by what the loop shows.
        low_ns = max(low_ns, min(slopes) / max(slowdown, AGREEMENT))
        high_ns = min(high_ns, max(each.slope_ns for each, _ in usable))
    return low_ns, high_ns


def _stop(*, wide: bool, out_of_time: bool) -> Stop:
    if not wide:
        return Stop.WIDTH
    return Stop.BUDGET if out_of_time else Stop.LAUNCHES


def import_what_intervals_need() -> None:
    """Import now what the first interval would be waited for."""
    students(1)


def half_width(values: Sequence[float], missing: float = 0.05) -> float:
    """Half of the t-interval of the mean that misses it in so many cases.

    >>> round(half_width([1.0, 2.0, 3.0]), 3)
    2.484
    """
    return students(len(values) - 1, missing) * statistics.stdev(values) / math.sqrt(len(values))


def _void(launches: int, usable: int) -> Void:
    return Void(
        f"the machine is too busy: in {launches - usable} of {launches} launches most calls waited for a processor"
    )


def _lost_in_noise(lines: Sequence[Line], plan: Plan) -> Void:
    added_us = plan.n_large * statistics.fmean(each.slope_ns for each in lines) / 1e3
    call_us = statistics.fmean(each.large_ns for each in lines) / 1e3
    between = spread([each.large_ns for each in lines])
    return Void(
        f"an iteration does not stand out: {plan.n_large} iterations add {added_us:.3g} us to a call of {call_us:.3g} "
        f"us, and launches differ by {percent(between)}"
    )
