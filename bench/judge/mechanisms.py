"""The mechanisms that keep a variant from fooling the harness: one name each, so that a test can switch any one off."""

from collections.abc import Iterable
from enum import StrEnum


class Mechanism(StrEnum):
    """One thing that the harness does against accidents and deceit; the value is what a user reads. The list is closed.

    Several stop the same attack. A test of one switches off those that overlap with it as well, in both its halves.
    """

    # What the judge does.
    OWN_PROCESS = "a process per launch, only bytes come back"
    """Off: the variant runs in the judge's own process."""
    CHECKED_REPLIES = "replies checked against what was due"
    """Off: unasked bytes are thrown away and any sequence number will do; lengths are bounded all the same."""
    JUDGES_CLOCK = "the judge's own clock"
    """Off: the time that the worker says it took is believed."""
    SEALED_INPUTS = "inputs in a sealed, read-only segment"
    """Off: the data travel through the pipe, and the worker's own copy of them is what inputs are compared with."""
    DEADLINE = "deadline for every call"
    """Off: the judge waits for an answer for as long as it takes."""
    GROUP_KILL = "SIGKILL of the whole process group"
    """Off: only the worker itself is killed."""
    SUB_REAPER = "sub-reaper for what a worker leaves behind"
    """Off: processes that left the worker's group are not looked for."""
    PARENT_DEATH_SIGNAL = "dies with its judge (parent-death signal)"
    """Off: workers outlive a judge and a server that were killed."""
    PID_NAMESPACE = "PID namespace per worker"
    """Off: the worker sees the processes of this machine, and killing it does not kill all that it started."""
    MEMORY_LIMIT = "memory limit"
    """Off: `WorkerLimits.memory_bytes` is not enforced."""
    PROCESS_LIMIT = "limit on processes"
    """Off: a worker may start as many processes as the machine lets it."""
    FILE_LIMITS = "limits on files: their size, their number, no core dumps"
    """Off: the limits are those of the judge."""
    CAPPED_OUTPUT = "capped output"
    """Off: all that a worker prints goes to its log, up to the file-size limit."""
    LANDLOCK = "Landlock: writes, signals and sockets stay inside"
    """Off: a worker may write wherever its user may."""
    CLOSED_DESCRIPTORS = "no descriptors but its own"
    """Off: a worker inherits what its server has open, the judge's socket among it."""
    FORK_SERVER = "preloaded fork server"
    """Off: every worker is a fresh interpreter. It saves time; it stops nothing."""

    # What proof and timing do.
    NOT_FINITE = "not finite is rejected before any comparison"
    """Off: NaN and infinities reach the comparisons."""
    POWER = "known wrong answers must be told apart"
    """Off: a proof without power is believed."""
    FRESH_DATA = "fresh data before every timed call"
    """Off: every timed call of a launch gets the same problem."""
    RANDOM_LENGTHS = "random number of iterations in timed calls"
    """Off: timed calls ask for the two lengths of the plan and nothing else."""
    CHECKED_ANSWERS = "every timed answer checked"
    """Off: the answers of timed calls are not looked at."""
    PROCESSOR_TIME = "processor time and queue delay from the kernel"
    """Off: work between calls, on further processors, and a busy machine go unnoticed."""
    SETUP_SHARE = "set-up a small share of the long call"
    """Off: a slope is believed whatever the set-up."""
    PHYSICAL_FLOOR = "no slope below what the machine could do"
    """Off: any slope is believed."""


Mechanisms = frozenset[Mechanism]
"""Those that are switched on."""

ALL: Mechanisms = frozenset(Mechanism)


def all_but(*off: Mechanism) -> Mechanisms:
    """Every mechanism except these.

    >>> Mechanism.DEADLINE in all_but(Mechanism.DEADLINE), Mechanism.LANDLOCK in all_but(Mechanism.DEADLINE)
    (False, True)
    """
    return ALL - frozenset(off)


def named(on: Iterable[Mechanism]) -> list[str]:
    """What a user reads of them, in the order of the list.

    >>> named({Mechanism.DEADLINE, Mechanism.OWN_PROCESS})
    ['a process per launch, only bytes come back', 'deadline for every call']
    """
    chosen = set(on)
    return [mechanism.value for mechanism in Mechanism if mechanism in chosen]
