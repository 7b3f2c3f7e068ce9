"""What this machine offers: backends and their devices, how variants are kept apart, clocks and arithmetic."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.backends import KNOWN
from bench.errors import UnavailableError
from bench.judge.workshop import WorkerLimits, Workshop
from bench.oracle.system import LONG_UNIT_ROUNDOFF
from bench.runs.environment import environment
from bench.timing.limits.gauge import Gauge


def examine() -> dict[str, Any]:
    """Look at everything that a run depends on; each thing that is missing says why."""
    with Workshop() as workshop:
        backends, isolation = _backends(workshop), workshop.presence()
        here = [name for name, found in backends.items() if "cpu" in found.get("devices", ())]
        places = workshop.places
        limits = Gauge(workshop.launch, workshop.devices.latencies, WorkerLimits().threads).measure(here).record()
    return {
        "limits": limits,
        "environment": environment(),
        "backends": backends,
        "isolation": isolation,
        "clock": {
            "resolution_ns": round(time.get_clock_info("perf_counter").resolution * 1e9),
            "places": places,
            "run_queue": "present" if Path("/proc/self/schedstat").exists() else "absent: timings cannot be voided",
        },
        "arithmetic": {
            "long_double_bits": int(np.finfo(np.longdouble).nmant + 1),
            "oracle": "longer than float64"
            if LONG_UNIT_ROUNDOFF < 2.0**-60
            else "no longer than float64: bounds of float64 cells are three times as wide",
        },
    }


def _backends(workshop: Workshop) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in KNOWN:
        try:
            said = workshop.devices.why_no_more(name)
            found[name] = {"devices": workshop.devices.of(name)} | ({"no_more": said} if said else {})
        except UnavailableError as error:
            found[name] = {"unavailable": str(error)}
    return found
