"""The outcome of a cell's launches: its timing, that the machine was too busy, or that no machine is that fast."""

import math
import statistics
from collections.abc import Sequence

from bench.judge.mechanisms import ALL, Mechanism, Mechanisms
from bench.proof.verdict import ProvedVerdict
from bench.timing.interval import Launches
from bench.timing.noise import note, percent, spread
from bench.timing.plan import Plan
from bench.timing.record import Flag, Rejected, Stop, Timing, Void
from bench.timing.slope import Launch, Line, line
from bench.timing.trust import flags, floor_ns, impossible

FEWEST_AGREEING = 3
PATIENCE = 4
"""A cell may have this many times the launches that are wanted of it, before it is concluded with what there is."""


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
    fewest = min(FEWEST_AGREEING, wanted)
    last = len(launches) >= (wanted if out_of_time else PATIENCE * wanted)
    found = Launches.of(launches, plan, quickest_loop_ns, fewest)
    if last and len(found.usable) < fewest:
        return _void(len(launches), len(found.usable))
    enough = found.agree and found.full_speed and len(found.counting) >= wanted
    if not enough and not last:
        return None

    estimate_ns = found.estimate_ns
    reason = impossible(estimate_ns.high, floor_ns()) if floored else None
    if reason is not None:
        return Rejected(reason)
    low_ns, high_ns = found.ends_ns()
    wide = estimate_ns.half > width * estimate_ns.mean
    if low_ns <= 0 or (wide and not last):
        return _lost_in_noise(found.counting, plan) if last else None

    samples = [sample for launch in launches for sample in launch.samples]
    # Of the quickest calls of all launches: a busy moment adds to set-up, and what is padded is padded in every call.
    quietest = line(samples, plan)
    least_share = 0.0 if quietest is None else quietest.setup_ns / quietest.large_ns
    doubts = flags(samples, plan, threads=threads, setup_share=least_share, on_cpu=on_cpu)
    if Mechanism.SETUP_SHARE not in mechanisms:
        doubts.pop(Flag.SETUP, None)
    queue_share = sum(sample.waiting_ns for sample in samples) / max(1, sum(sample.elapsed_ns for sample in samples))
    setup_ns = max(0.0, statistics.fmean(each.setup_ns for each in found.counting))
    dispersion = spread([each.slope_ns for each, _ in found.usable])
    remarks = (
        *found.remarks(),
        note(slopes=found.slopes_ns, dispersion=dispersion, queue_share=queue_share),
    )
    return Timing(
        verdict=verdict,
        ns_per_iter=estimate_ns.mean,
        ci_low=low_ns,
        ci_high=high_ns,
        setup_ns=setup_ns,
        first_call_ns=float(statistics.median(launch.first_call_ns for launch in launches)),
        launches=len(found.counting),
        samples=len(samples),
        discarded=found.discarded(),
        queue_share=min(1.0, queue_share),
        dispersion=dispersion,
        setup_share=setup_ns / statistics.fmean(each.large_ns for each in found.counting),
        n_small=plan.n_small,
        n_large=plan.n_large,
        threads=threads,
        note="; ".join(remark for remark in remarks if remark),
        flags=tuple(doubts),
        doubt="; ".join(doubts.values()),
        stopped_by=_stop(narrow=enough and not wide, out_of_time=out_of_time),
    )


def _stop(*, narrow: bool, out_of_time: bool) -> Stop:
    if narrow:
        return Stop.WIDTH
    return Stop.BUDGET if out_of_time else Stop.LAUNCHES


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
