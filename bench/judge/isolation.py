"""What keeps a worker apart: a short line for a record; for `doctor`, each mechanism as present or absent, and why."""

import os
import sys
from collections.abc import Mapping

from bench.judge import landlock, segment
from bench.judge.mechanisms import Mechanism

_SHORT = {
    Mechanism.PID_NAMESPACE: "PID namespace",
    Mechanism.LANDLOCK: "Landlock",
    Mechanism.SEALED_INPUTS: "sealed inputs",
    Mechanism.MEMORY_LIMIT: "memory limit",
    Mechanism.PROCESS_LIMIT: "process limit",
    Mechanism.FILE_LIMITS: "file limits",
    Mechanism.PARENT_DEATH_SIGNAL: "parent-death signal",
    Mechanism.SUB_REAPER: "sub-reaper",
}
"""Those that a system may lack; a record need not say the others, which every worker has."""

_PRESENT = "present"


def isolation(kind: str, at_work: Mapping[Mechanism, str]) -> str:
    """The line for a record.

    Args:
        kind: ``fork`` or ``spawn``.
        at_work: the mechanisms that a worker has, each with what there is to say of it.

    >>> isolation("fork", {Mechanism.SEALED_INPUTS: "", Mechanism.LANDLOCK: "7"})
    'fork; Landlock 7, sealed inputs'
    """
    version = f" {at_work.get(Mechanism.LANDLOCK)}"
    parts = [
        short + (version if mechanism is Mechanism.LANDLOCK else "")
        for mechanism, short in _SHORT.items()
        if mechanism in at_work
    ]
    return f"{kind}; {', '.join(parts)}" if parts else kind


def presence(at_work: Mapping[Mechanism, str], no_namespace: str) -> dict[str, str]:
    """Each mechanism by its name, with ``present``, or ``absent`` and the reason.

    Args:
        at_work: those that a worker of this machine was found to have.
        no_namespace: why its server has no PID namespaces; empty where it has.
    """
    found = {}
    for mechanism in Mechanism:
        if mechanism not in _SHORT:
            found[mechanism.value] = _present_anywhere(mechanism)
        elif mechanism in at_work:
            found[mechanism.value] = f"{_PRESENT}{_detail(mechanism, at_work[mechanism])}"
        else:
            found[mechanism.value] = f"absent: {_reason(mechanism, no_namespace)}"
    return found


def _present_anywhere(mechanism: Mechanism) -> str:
    if mechanism is Mechanism.PROCESSOR_TIME and not os.path.exists("/proc/self/schedstat"):
        return "absent: this kernel tells no queue delay, so that timings cannot be voided"
    return _PRESENT


def _detail(mechanism: Mechanism, said: str) -> str:
    if mechanism is Mechanism.LANDLOCK:
        missing = [what for least, what in ((4, "TCP"), (6, "signals and abstract sockets")) if int(said or 0) < least]
        return f": version {said}{', without ' + ', '.join(missing) if missing else ''}"
    return f": {said}" if said else ""


def _reason(mechanism: Mechanism, no_namespace: str) -> str:
    if sys.platform != "linux":
        return "Linux only"
    known = {
        Mechanism.PID_NAMESPACE: no_namespace,
        Mechanism.LANDLOCK: "" if landlock.version() else "this kernel has none, or it is switched off",
        Mechanism.SEALED_INPUTS: segment.unavailable(),
        Mechanism.PROCESS_LIMIT: f"no PID namespace ({no_namespace}), and a limit by user would count all of the user's"
        if no_namespace
        else "privileged users need Linux 6.14 for it",
    }
    return known.get(mechanism) or "this system refuses"
