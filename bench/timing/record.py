"""What a timing is: a number that only a proved verdict can carry, and what may stand in its place."""

from dataclasses import dataclass
from enum import StrEnum

from bench.proof.verdict import NotProvedError, ProvedVerdict


class Flag(StrEnum):
    """What makes a number doubtful. The list is closed."""

    PROCESSORS = "used more processors than it was given"
    BETWEEN_CALLS = "worked between calls"
    IDLE = "waited for something else than a processor"
    SETUP = "set-up hides the iterations"
    DEVICE = "did not use the device"


class Stop(StrEnum):
    """Why no more launches were made. The list is closed."""

    WIDTH = "the interval is narrow enough"
    LAUNCHES = "all launches are made"
    BUDGET = "the time is over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The time of one iteration of a proved cell; a row of the ``timings`` frame.

    Attributes:
        verdict: the proof that this timing stands on.
        ns_per_iter: nanoseconds an iteration: the trimmed mean of the slopes of T(n) of the launches that count.
        ci_low: lower end of the 95 % interval over launches; divided by the slowdown of the processor where no launch
            that counts met one at its full speed.
        ci_high: upper end.
        setup_ns: what a call costs beside its iterations: the intercept of T(n).
        first_call_ns: the first call, with one iteration, in a fresh worker (compiling, lazy set-up): the median over
            launches.
        launches: launches that the interval is over.
        samples: timed calls, in every launch.
        discarded: those of them that were left out for a cause.
        limit_ns: the least that this machine needs for an iteration; ``None`` where it was not measured,
            and on an accelerator.
        share_of_limit: ``limit_ns / ns_per_iter``, at most 1.
        bytes_per_iter: what an iteration reads at least, in bytes.
        operations_per_iter: the floating-point operations that it needs at least.
        work_class: how it may come to its update at that speed; a `bench.timing.limits.work.WorkClass`.
        limited_by: what binds it, ``None`` where it is not known; a `bench.timing.limits.bound.Term`.
        limit_note: the same in words; empty where nothing is known to bind it.
        cold_ns_per_iter: the device's time for one iteration after its L2 cache was flushed, by device events; this and
            the next two are the worker's own account, and ``None`` on a CPU or where they cannot be true.
        hot_ns_per_iter: the device's time for an iteration with all launches queued, by device events.
        host_ns_per_iter: the host's time to start an iteration, until the variant has returned.
        sm_clock_mhz: the median clock of the device around the blocks, by NVML; ``None`` where it does not say.
        cycles_per_iter: ``ns_per_iter`` in cycles of that clock.
        peak_device_bytes: the most memory of the device that the timed calls took; ``None`` on a CPU.
        queue_share: share of the timed wall time that the worker waited for a processor, 0 to 1.
        dispersion: IQR over median of the slopes of all launches, those left out too.
        setup_share: share of set-up in the largest call, 0 to 1.
        n_small: iterations of the short calls.
        n_large: iterations of the long calls.
        threads: threads that the worker's array library may use.
        note: the noise, named in words; empty when quiet.
        flags: why the number may not be the cost of iterating; empty for an honest variant.
        doubt: the same in words, with figures.
        stopped_by: why no more launches were made.

    Raises:
        NotProvedError: ``verdict`` is no `ProvedVerdict`.
    """

    verdict: ProvedVerdict
    ns_per_iter: float
    ci_low: float
    ci_high: float
    setup_ns: float
    first_call_ns: float
    launches: int
    samples: int
    discarded: int
    queue_share: float
    dispersion: float
    setup_share: float
    n_small: int
    n_large: int
    threads: int
    note: str = ""
    flags: tuple[Flag, ...] = ()
    doubt: str = ""
    stopped_by: Stop = Stop.LAUNCHES
    limit_ns: float | None = None
    share_of_limit: float | None = None
    bytes_per_iter: int | None = None
    operations_per_iter: int | None = None
    work_class: str | None = None
    limited_by: str | None = None
    limit_note: str = ""
    cold_ns_per_iter: float | None = None
    hot_ns_per_iter: float | None = None
    host_ns_per_iter: float | None = None
    sm_clock_mhz: float | None = None
    cycles_per_iter: float | None = None
    peak_device_bytes: int | None = None

    def __post_init__(self) -> None:
        given: object = self.verdict
        if type(given) is not ProvedVerdict:
            raise NotProvedError(
                f"a timing needs a ProvedVerdict, not {type(given).__name__}: no number without a proof"
            )


@dataclass(frozen=True, slots=True)
class Void:
    """The machine was too busy to say."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """There is no timing: a timed answer was not gradient descent's own iterate, or no machine is that fast."""

    reason: str
