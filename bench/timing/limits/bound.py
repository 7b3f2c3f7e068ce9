"""The limit of an iteration, the class that a timing is in, and what binds it, in words."""

from dataclasses import dataclass
from enum import StrEnum

from bench.dtypes import Dtype
from bench.timing.limits.machine import Level, Limits
from bench.timing.limits.work import Shape, Work, WorkClass, works

CAUTION = 1.25
"""A limit is that of a machine which reads and computes a quarter faster than was ever seen of this one: what was seen
was seen on a shared machine, where a core may be slowed for as long as the measurement takes."""

UNFUSED_PASSES = 10
"""Arrays of the residual's size that a variant writes or reads which makes one call an operation."""

LIKELY = 0.5
SURE = 0.1
FEWEST_CALLS = 2
"""An iteration of fewer calls of the array library than these, for the gradient and the update, makes none: it is
compiled."""
MOST_CALLS = {"numpy": 60}
MOST_CALLS_OTHERWISE = 300
"""An iteration of more calls of the array library than these, autograd's own among them, does its work in Python, or
does more of it than was thought."""

_CALLS = {"numpy": "Python and NumPy", "torch": "Python and torch"}


class Term(StrEnum):
    """What binds an iteration. The list is closed."""

    MEMORY = "memory"
    ARITHMETIC = "arithmetic"
    LATENCY = "latency"
    LAUNCH = "launch"
    DISPATCH = "dispatch"


@dataclass(frozen=True, slots=True)
class Bound:
    """The least time of an iteration.

    Attributes:
        work: what it needs.
        ns: the largest of its terms.
        term: which one that is; never `Term.DISPATCH` or `Term.LAUNCH`, which no iteration needs.
        level: from where the data come that take longest.
    """

    work: Work
    ns: float
    term: Term
    level: Level


@dataclass(frozen=True, slots=True)
class Placing:
    """A timing beside its limit.

    Attributes:
        bound: of the most demanding class whose limit the timing does not undercut.
        share: the limit's share of the timing, at most 1.
        limited_by: what binds.
        words: the same for people.
    """

    bound: Bound
    share: float
    limited_by: Term
    words: str


def bound_of(work: Work, limits: Limits, dtype: str) -> Bound:
    """The least time that this work takes.

    What a level and all nearer ones cannot hold comes from beyond it, in every iteration; the last level holds all.
    Reading from different levels, computing and waiting for results may overlap, so that the largest term is the limit
    and not their sum.
    """
    memory_ns, level = _memory(work.bytes_read, limits)
    terms = {Term.MEMORY: memory_ns / CAUTION, Term.LATENCY: work.dependent * limits.chain_ns}
    if dtype in limits.operations_per_ns:
        terms[Term.ARITHMETIC] = work.operations / (CAUTION * limits.operations_per_ns[dtype])
    term = max(terms, key=lambda each: terms[each])
    if work.kind is WorkClass.UPDATE:
        # The one limit under which a timing is rejected holds whatever else was measured wrongly.
        term = Term.LATENCY
    return Bound(work, terms[term], term, level)


def placed(ns_per_iter: float, shape: Shape, dtype: Dtype, backend: str, limits: Limits) -> Placing | None:
    """A timing beside its limit; ``None`` where it lies under that of every class.

    Args:
        ns_per_iter: nanoseconds an iteration.
        shape: of its problem.
        dtype: of its numbers.
        backend: the array library.
        limits: of its device.
    """
    classes = works(shape, dtype.itemsize)
    for work in classes:
        bound = bound_of(work, limits, dtype.name)
        if bound.ns <= ns_per_iter:
            break
    else:
        return None
    share = bound.ns / ns_per_iter
    unfused_ns = _unfused_ns(classes[0], shape, dtype, limits)
    if _dispatches(ns_per_iter, unfused_ns, backend, dtype.name, limits):
        rest, calls = _of(ns_per_iter - unfused_ns, ns_per_iter), _CALLS.get(backend, backend)
        # What the work itself takes is a least.
        how = "about" if unfused_ns <= SURE * ns_per_iter else "up to"
        return Placing(bound, share, Term.DISPATCH, f"dispatch-bound: {how} {rest} are {calls}")
    return Placing(bound, share, bound.term, _words(bound, ns_per_iter, dtype.name, limits))


def launch_bound(ns_per_iter: float, hot_ns: float, host_ns: float, launch_ns: float) -> str | None:
    """Words for an iteration on an accelerator that is bound by being launched; ``None`` for any other.

    It is where the device works for less than half of the iteration, the host is busy starting it for more than half,
    and each iteration leaves the host the time of a launch: one kernel that iterates by itself does not. A limit it is
    not, because such a kernel is honest.

    Args:
        ns_per_iter: nanoseconds an iteration, by the judge's clock.
        hot_ns: the device's time for one, with all launches queued.
        host_ns: the host's time to start one.
        launch_ns: of one launch, or one replay of a graph if that is less.

    >>> launch_bound(47_300.0, 6_100.0, 46_000.0, 4_000.0)
    'launch-bound: the device works for 6.1 of 47.3 us; starting the work takes the rest, and one launch 4 us'
    >>> launch_bound(2_000.0, 900.0, 1_900.0, 4_000.0) is None
    True
    """
    starting = host_ns > LIKELY * ns_per_iter and host_ns >= launch_ns
    if not starting or hot_ns > LIKELY * ns_per_iter:
        return None
    device, launch = _of(hot_ns, ns_per_iter), launch_ns / 1e3
    return (
        f"launch-bound: the device works for {device}; starting the work takes the rest, and one launch {launch:.3g} us"
    )


def _memory(bytes_read: int, limits: Limits) -> tuple[float, Level]:
    """The time of reading that much, and the level which decides it."""
    slowest_ns, slowest, nearer_bytes = 0.0, limits.levels[0], 0
    for level in limits.levels:
        beyond = bytes_read - nearer_bytes
        if beyond > 0 and beyond / level.bytes_per_ns >= slowest_ns:
            slowest_ns, slowest = beyond / level.bytes_per_ns, level
        nearer_bytes = level.capacity_bytes or 0
    return slowest_ns, slowest


def _unfused_ns(data: Work, shape: Shape, dtype: Dtype, limits: Limits) -> float:
    """About the time of the work itself in a variant that makes one call an operation, its calls left out."""
    residual_bytes = shape.regressions * shape.samples * shape.outputs * dtype.itemsize
    moved_bytes = 2 * data.bytes_read + UNFUSED_PASSES * residual_bytes
    _, level = _memory(data.bytes_read + residual_bytes, limits)
    rate = limits.operations_per_ns.get(dtype.name)
    return moved_bytes / level.bytes_per_ns + (data.operations / rate if rate else 0.0)


def _dispatches(ns_per_iter: float, unfused_ns: float, backend: str, dtype: str, limits: Limits) -> bool:
    if backend not in limits.dispatch_ns or unfused_ns > LIKELY * ns_per_iter:
        return False
    calls = ns_per_iter / limits.dispatch_ns[backend]
    if calls < FEWEST_CALLS:
        return False
    # Of a dtype that the processor may not compute in, nobody knows what the work itself takes.
    return calls <= MOST_CALLS.get(backend, MOST_CALLS_OTHERWISE) or (
        unfused_ns <= SURE * ns_per_iter and dtype in limits.operations_per_ns
    )


def _words(bound: Bound, ns_per_iter: float, dtype: str, limits: Limits) -> str:
    instead = "" if bound.work.kind is WorkClass.DATA else f", by {bound.work.kind}"
    match bound.term:
        case Term.MEMORY:
            of_measured = min(1.0, CAUTION * bound.ns / ns_per_iter)
            said = f"memory-bound: {_percent(of_measured)} of the read bandwidth of {bound.level.name}"
        case Term.ARITHMETIC:
            of_measured = min(1.0, bound.work.operations / limits.operations_per_ns[dtype] / ns_per_iter)
            said = f"arithmetic-bound: {_percent(of_measured)} of the {dtype} operations a second"
        case _:
            said = f"latency-bound: {_of(bound.ns, ns_per_iter)} are operations that wait for each other"
    return f"{said}{instead}"


def _of(part_ns: float, whole_ns: float) -> str:
    """A part and the whole in the whole's unit.

    >>> _of(41_040.0, 47_300.0), _of(1.83, 8.0)
    ('41 of 47.3 us', '1.83 of 8 ns')
    """
    unit_ns, unit = next((each for each in ((1e9, "s"), (1e6, "ms"), (1e3, "us")) if whole_ns >= each[0]), (1.0, "ns"))
    return f"{part_ns / unit_ns:.3g} of {whole_ns / unit_ns:.3g} {unit}"


def _percent(share: float) -> str:
    """A share, with a digit after the point where it is small.

    >>> _percent(0.81), _percent(0.0042)
    ('81 %', '0.4 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"
