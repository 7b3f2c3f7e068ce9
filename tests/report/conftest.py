"""Records as a run leaves them: nine variants, six problems, two dtypes; on the CPU, and on two devices."""

import random
from collections.abc import Callable
from typing import Any

import pytest

Row = dict[str, Any]

PROBLEMS = ("line-4", "linear-4-lr0.01", "crop-yield", "norris", "gaussian", "batch")
SAMPLES = {"line-4": 4, "linear-4-lr0.01": 4, "norris": 36}
DTYPES = ("float64", "float32")
# name: backend, family, ns per iteration on the CPU
VARIANTS = {
    "numpy-analytic": ("numpy", "analytic", 5_700.0),
    "torch-manual": ("torch", "manual", 47_000.0),
    "torch-optim": ("torch", "optim", 96_000.0),
    "torch-optim-tensor": ("torch", "optim", 65_000.0),
    "numpy-matmul": ("numpy", "matmul", 2_150.0),
    "torch-matmul": ("torch", "matmul", 11_800.0),
    "torch-bmm": ("torch", "matmul", 14_200.0),
    "numpy-batched": ("numpy", "batched", 2_190.0),
    "numpy-dot-mean": ("numpy", "as-published", 6_300.0),
}
ONE_REGRESSION = "one regression at a time, not a batch of 8"
ONE_FEATURE = "one feature and one output only"
NO_BATCH = frozenset({"torch-manual", "torch-optim", "torch-optim-tensor", "numpy-matmul"})


def verdict(variant: str, problem: str, device: str, dtype: str, **changes: Any) -> Row:
    backend, family, _ = VARIANTS.get(variant, ("numpy", "other", 0.0))
    row: Row = {
        "variant": variant, "backend": backend, "family": family, "problem": problem, "device": device, "dtype": dtype,
        "status": "proved", "cause": None, "factor": None, "alternatives": [], "evidence": "", "iterate": 40,
        "error": 3.1e-16, "bound": 1.2e-15, "power": 4.4e11, "power_problem": 3.9e10, "converges_in": 212,
        "checked_to": 600, "expected": "proved", "as_expected": True, "seconds": 0.21, "isolation": "fork",
    }  # fmt: skip
    return row | changes


def timing(variant: str, problem: str, device: str, dtype: str, ns: float, **changes: Any) -> Row:
    backend, family, _ = VARIANTS.get(variant, ("numpy", "other", 0.0))
    row: Row = {
        "variant": variant, "backend": backend, "family": family, "problem": problem, "device": device, "dtype": dtype,
        "ns_per_iter": ns, "ci_low": ns * 0.98, "ci_high": ns * 1.025, "setup_ns": 31_000.0,
        "first_call_ns": 1_900_000.0, "launches": 8, "samples": 96, "discarded": 3, "limit_ns": None,
        "share_of_limit": None, "queue_share": 0.01, "dispersion": 0.03, "setup_share": 0.08, "n_small": 20,
        "n_large": 220, "threads": 1, "note": "",
    }  # fmt: skip
    return row | changes


def _verdict_of(name: str, problem: str, device: str, dtype: str) -> Row:
    expected = "scale.sum" if name == "numpy-dot-mean" else "proved"
    if device == "cuda" and name.startswith("numpy"):
        return verdict(
            name, problem, device, dtype, status="unavailable", evidence="NumPy has no device cuda", expected=expected
        )
    if name == "numpy-dot-mean":
        if problem not in SAMPLES:
            return verdict(name, problem, device, dtype, status="unsupported", evidence=ONE_FEATURE, expected=expected)
        samples = SAMPLES[problem]
        evidence = f"gradient {samples}.00 times too large at every one of 9 iterates: the sum, not the mean"
        return verdict(
            name, problem, device, dtype, status="wrong", cause="scale.sum", factor=float(samples), evidence=evidence,
            iterate=1, error=0.45, expected=expected, checked_to=None,
        )  # fmt: skip
    if problem == "batch" and name in NO_BATCH:
        return verdict(name, problem, device, dtype, status="unsupported", evidence=ONE_REGRESSION)
    return verdict(name, problem, device, dtype)


def _verdicts(devices: tuple[str, ...]) -> list[Row]:
    return [
        _verdict_of(name, problem, device, dtype)
        for name in VARIANTS
        for device in devices
        for dtype in DTYPES
        for problem in PROBLEMS
    ]


def _timings(verdicts: list[Row]) -> list[Row]:
    randomness = random.Random(20)
    rows = []
    for row in verdicts:
        if row["status"] != "proved":
            continue
        ns = VARIANTS[row["variant"]][2] * (1 + 0.1 * PROBLEMS.index(row["problem"])) * randomness.uniform(0.95, 1.05)
        ns = ns + 24_000.0 if row["device"] == "cuda" else ns
        noisy = row["variant"] == "torch-optim" and row["problem"] == "norris"
        note = "contention: a processor was waited for 12 % of the time" if noisy else ""
        rows.append(timing(row["variant"], row["problem"], row["device"], row["dtype"], ns, note=note))
    return rows


def _iterates() -> list[Row]:
    return [
        {
            "variant": name, "problem": "line-4", "device": "cpu", "dtype": dtype, "probe": "problem", "n": n,
            "component": "w[0,0]", "observed": 2 * (1 - (1 - 0.15 * gain) ** n), "exact": 2 * (1 - 0.85**n),
            "bound": 1e-15,
        }
        for dtype in DTYPES
        for name, gain in (("numpy-analytic", 1.0), ("numpy-dot-mean", 4.0))
        for n in range(21)
    ]  # fmt: skip


@pytest.fixture(scope="session")
def make_verdict() -> Callable[..., Row]:
    return verdict


@pytest.fixture(scope="session")
def make_timing() -> Callable[..., Row]:
    return timing


@pytest.fixture(scope="session")
def verdicts() -> list[Row]:
    return _verdicts(("cpu",))


@pytest.fixture(scope="session")
def timings(verdicts: list[Row]) -> list[Row]:
    return _timings(verdicts)


@pytest.fixture(scope="session")
def verdicts_on_two_devices() -> list[Row]:
    return _verdicts(("cpu", "cuda"))


@pytest.fixture(scope="session")
def timings_on_two_devices(verdicts_on_two_devices: list[Row]) -> list[Row]:
    return _timings(verdicts_on_two_devices)


@pytest.fixture(scope="session")
def iterates() -> list[Row]:
    return _iterates()


@pytest.fixture(scope="session")
def surprises(verdicts: list[Row]) -> list[Row]:
    """The same run, with a known-wrong variant suddenly right and a right one suddenly wrong."""
    right: Row = {"status": "proved", "cause": None, "factor": None, "as_expected": False, "evidence": "exact"}
    wrong: Row = {
        "status": "wrong", "cause": "state.momentum", "factor": 0.9, "alternatives": ["state.nesterov"],
        "as_expected": False, "evidence": "each step carries 0.900 of the one before",
    }  # fmt: skip
    changes = {("numpy-dot-mean", "line-4"): right, ("torch-optim", "norris"): wrong}
    return [row | changes.get((row["variant"], row["problem"]), {}) for row in verdicts]


@pytest.fixture(scope="session")
def environment() -> dict[str, Any]:
    return {
        "gdbench": "0.1.0",
        "python": "3.12.4",
        "platform": "Linux 6.1 x86_64",
        "cpu": {"name": "Example CPU", "cores": 2},
        "packages": {"numpy": "2.1.0", "torch": "2.13.0"},
        "threads": 1,
    }


HOSTILE = '<script>alert(1)</script>|`x`\x1b[31m\u202e"onload="x\n# [red]www.evil.example https://evil.example @someone'


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


@pytest.fixture(scope="session")
def hostile_verdicts() -> list[Row]:
    return [
        verdict(
            HOSTILE, "line-4", "cpu", "float64", status="broken", cause=HOSTILE, evidence=HOSTILE, as_expected=False
        ),
        verdict(HOSTILE, HOSTILE, "cpu", "float64", status="unsupported", evidence=HOSTILE),
        verdict(HOSTILE, "norris", "cpu", HOSTILE, status="wrong", cause="unknown", evidence=HOSTILE),
    ]


@pytest.fixture(scope="session")
def hostile_timings() -> list[Row]:
    return [timing(HOSTILE, HOSTILE, "cpu", "float64", 5_000.0, note=HOSTILE)]


@pytest.fixture(scope="session")
def comparisons() -> list[Row]:
    """Two revisions in a gate: one variant slower, which is not allowed, one the same, one that nobody can tell."""
    row: Row = {
        "base": "origin/main", "head": "working tree", "problem": "line-4", "device": "cpu", "dtype": "float64",
        "ratio": 1.0, "ci_low": 0.99, "ci_high": 1.01, "reason": "", "base_ns_per_iter": 5700.0,
        "head_ns_per_iter": 5700.0, "launches": 12, "as_expected": True,
    }  # fmt: skip
    slower = {"verdict": "slower", "ratio": 1.0523, "ci_low": 1.031, "ci_high": 1.0749, "as_expected": False}
    nothing = {
        "verdict": "inconclusive",
        "ratio": None,
        "ci_low": None,
        "ci_high": None,
        "reason": "the machine is busy",
    }
    return [
        row | {"variant": "numpy-analytic"} | slower,
        row | {"variant": "numpy-matmul", "verdict": "same"},
        row | {"variant": "torch-manual"} | nothing,
    ]
