"""Machine limits: what an iteration needs, the class of a timing, what binds it, and that measuring repeats."""

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.dtypes import DTYPES
from bench.harness import Harness
from bench.judge.subject import Worker
from bench.problems.problem import Problem
from bench.proof.subject import Failure
from bench.proof.verdict import ProvedVerdict, Status
from bench.timing.limits.bound import CAUTION, Term, bound_of, placed
from bench.timing.limits.caches import KIB, SENSIBLE, Cache, caches
from bench.timing.limits.gauge import Gauge
from bench.timing.limits.machine import Level, Limits
from bench.timing.limits.measure import SPELL_NS, Measurement, measure, measurement, rate_of
from bench.timing.limits.work import Shape, Work, WorkClass, works
from bench.timing.record import Flag, Rejected, Timing, Void
from bench.variants.contract import Variant
from tests.proof.verdicts import a_verdict

LIMITS = Limits(
    threads=1,
    levels=(
        Level("L1", 32_000, 100.0),
        Level("L2", 512_000, 50.0),
        Level("L3", 32_000_000, 25.0),
        Level("memory", None, 10.0),
    ),
    operations_per_ns={"float64": 40.0, "float32": 80.0},
    chain_ns=1.0,
    dispatch_ns={"numpy": 300.0, "torch": 1_000.0},
)
LINE_4 = Shape(1, 4, 1, 1, bias=False)
LARGE = Shape(1, 100_000, 20, 1, bias=False)
WIDE = Shape(1, 1_000, 50, 64, bias=False)
FLOAT64 = DTYPES["float64"]


@pytest.mark.parametrize(
    ("shape", "itemsize", "expected"),
    [
        pytest.param(LINE_4, 8, [(64, 16, 3), (16, 2, 1), (0, 1, 1)], id="line-4"),
        # x and y: 3 (5 + 2) numbers of 4 bytes; 3 x 2 residuals of 5 multiply-adds twice, and two additions for b.
        # The moments: 6 by 6, half of them, and 6 by 2 - but 3 samples have products of 3 by 3.
        pytest.param(Shape(1, 3, 5, 2, bias=True), 4, [(84, 132, 3), (48, 36, 1), (0, 1, 1)], id="fewer samples, bias"),
        pytest.param(Shape(1, 10, 2, 1, bias=True), 8, [(240, 100, 3), (72, 18, 1), (0, 1, 1)], id="bias"),
        pytest.param(Shape(7, 10, 2, 1, bias=False), 8, [(1680, 560, 3), (280, 56, 1), (0, 1, 1)], id="batch of 7"),
        pytest.param(LARGE, 8, [(16_800_000, 8_000_000, 3), (1840, 800, 1), (0, 1, 1)], id="large"),
    ],
)
def test_bytes_and_operations_are_those_counted_by_hand(
    shape: Shape, itemsize: int, expected: list[tuple[int, int, int]]
) -> None:
    found = works(shape, itemsize)
    assert [work.kind for work in found] == list(WorkClass)
    assert [(work.bytes_read, work.operations, work.dependent) for work in found] == expected


def test_a_batch_has_its_regressions_counted() -> None:
    problem = Problem(np.ones((2, 3, 6, 4)), np.ones((2, 3, 6, 5)), np.ones((2, 3, 5, 4)), np.ones((2, 3, 5)), 0.1)
    assert Shape.of(problem) == Shape(6, 6, 4, 5, bias=True)


@pytest.mark.parametrize(
    ("bytes_read", "level", "ns"),
    [
        (20_000, "L1", 200.0),
        (132_000, "L2", 2_000.0),
        # Just beyond a level, the little beyond it costs less than the rest does.
        (33_000, "L1", 330.0),
        (2_512_000, "L3", 80_000.0),
        (72_000_000, "memory", 4_000_000.0),
    ],
)
def test_what_a_level_cannot_hold_comes_from_beyond_it(bytes_read: int, level: str, ns: float) -> None:
    bound = bound_of(Work(WorkClass.DATA, bytes_read, 1, 3), LIMITS, "float64")
    assert (bound.level.name, bound.term) == (level, Term.MEMORY)
    assert bound.ns == pytest.approx(ns / CAUTION)


def test_the_largest_term_binds() -> None:
    def term(work: Work, limits: Limits = LIMITS, dtype: str = "float64") -> Term:
        return bound_of(work, limits, dtype).term

    assert term(works(LINE_4, 8)[0]) is Term.LATENCY
    assert term(works(LARGE, 8)[0]) is Term.MEMORY
    assert term(works(WIDE, 8)[0]) is Term.ARITHMETIC
    assert term(works(WIDE, 2)[0], dtype="bfloat16") is Term.MEMORY


def test_a_launch_is_no_limit_of_an_iteration() -> None:
    launching = dataclasses.replace(LIMITS, launch_ns=4_000.0)
    for work in works(LINE_4, 8):
        assert bound_of(work, launching, "float64") == bound_of(work, LIMITS, "float64")


@pytest.mark.parametrize(
    ("ns", "kind", "share"),
    [
        (1_000_000.0, WorkClass.DATA, 0.521216),
        # (16.8 MB - 0.512 MB) at 25 bytes/ns, a quarter faster.
        (521_216.0, WorkClass.DATA, 1.0),
        (521_215.0, WorkClass.STATISTICS, None),
        (16.0, WorkClass.STATISTICS, 1.0),
        (15.9, WorkClass.UPDATE, 1 / 15.9),
        (1.0, WorkClass.UPDATE, 1.0),
    ],
)
def test_a_timing_is_in_the_most_demanding_class_whose_limit_it_does_not_undercut(
    ns: float, kind: WorkClass, share: float | None
) -> None:
    found = placed(ns, LARGE, FLOAT64, "numba", LIMITS)
    assert found is not None
    assert found.bound.work.kind is kind
    assert found.bound.ns <= ns
    assert share is None or found.share == pytest.approx(share, rel=1e-3)


def test_no_share_is_over_1_whatever_the_timing() -> None:
    source = np.random.default_rng(5)
    for _ in range(2_000):
        many, samples, features, outputs = (int(2 ** source.uniform(0, bits)) for bits in (4, 20, 8, 5))
        shape = Shape(many, samples, features, outputs, bias=bool(source.integers(2)))
        dtype = DTYPES[str(source.choice(sorted(DTYPES)))]
        ns = float(10 ** source.uniform(0, 9))
        found = placed(ns, shape, dtype, str(source.choice(["numpy", "torch", "jax"])), LIMITS)
        assert found is not None
        assert 0 < found.share <= 1
        assert found.limited_by in Term
        assert found.words


def test_memory_that_was_not_measured_is_not_spoken_of() -> None:
    unmeasured = Limits(
        threads=1,
        levels=LIMITS.levels[:-1],
        operations_per_ns=LIMITS.operations_per_ns,
        chain_ns=LIMITS.chain_ns,
    )
    found = placed(72e6, Shape(1, 9_000_000, 9, 1, bias=False), FLOAT64, "numpy", unmeasured)
    assert found is not None
    assert found.words == "memory-bound: 40 % of the read bandwidth of L3"
    assert unmeasured.record()["read_bytes_per_ns"] == {"L1": 100.0, "L2": 50.0, "L3": 25.0}
    assert unmeasured.record()["capacity_bytes"] == {"L1": 32_000, "L2": 512_000, "L3": 32_000_000}


def test_under_the_limit_of_every_class_there_is_no_place() -> None:
    assert placed(0.99, LARGE, FLOAT64, "numpy", LIMITS) is None


@pytest.mark.parametrize(
    ("ns", "shape", "dtype", "backend", "limited_by", "words"),
    [
        (
            47_300.0, LINE_4, "float64", "torch", Term.DISPATCH,
            "dispatch-bound: about 47.3 of 47.3 us are Python and torch",
        ),
        (
            # 2 x 40 kB of data and 10 x 20 kB of temporaries at 100 bytes/ns, 10 000 operations at 40.
            15_000.0, Shape(1, 2_500, 1, 1, bias=False), "float64", "numpy", Term.DISPATCH,
            "dispatch-bound: up to 11.9 of 15 us are Python and NumPy",
        ),
        # The same in more time than sixty calls take: nobody knows for what.
        (
            # 2 x 80 kB of data and 10 x 40 kB of temporaries at 50 bytes/ns, 20 000 operations at 40: 11.7 us of it.
            30_000.0, Shape(1, 5_000, 1, 1, bias=False), "float64", "numpy", Term.MEMORY,
            "memory-bound: 3.2 % of the read bandwidth of L2",
        ),
        (
            # A loop over the samples in Python.
            5_000_000.0, Shape(1, 5_000, 1, 1, bias=False), "float64", "numpy", Term.DISPATCH,
            "dispatch-bound: about 4.99 of 5 ms are Python and NumPy",
        ),
        (1_000_000.0, LARGE, "float64", "numpy", Term.MEMORY, "memory-bound: 65 % of the read bandwidth of L3"),
        (530_000.0, LARGE, "float64", "numpy", Term.MEMORY, "memory-bound: 100 % of the read bandwidth of L3"),
        (
            20.0, LARGE, "float64", "numba", Term.ARITHMETIC,
            "arithmetic-bound: 100 % of the float64 operations a second, by sufficient statistics",
        ),
        (1_000_000.0, WIDE, "float64", "numpy", Term.ARITHMETIC,
         "arithmetic-bound: 32 % of the float64 operations a second"),
        (8.0, LINE_4, "float64", "numba", Term.LATENCY,
         "latency-bound: 3 of 8 ns are operations that wait for each other"),
        # Compiled, on the arrays of NumPy: an iteration takes less time than one of its calls.
        (13.4, LINE_4, "float64", "numpy", Term.LATENCY,
         "latency-bound: 3 of 13.4 ns are operations that wait for each other"),
        # NumPy computes float16 in software: what is slow there is not Python.
        (40_000_000.0, LARGE, "float16", "numpy", Term.MEMORY, "memory-bound: 0.4 % of the read bandwidth of L3"),
    ],
)  # fmt: skip
def test_what_binds_is_said_in_words(
    ns: float, shape: Shape, dtype: str, backend: str, limited_by: Term, words: str
) -> None:
    found = placed(ns, shape, DTYPES[dtype], backend, LIMITS)
    assert found is not None
    assert (found.limited_by, found.words) == (limited_by, words)


def cache_folder(root: Path, *rows: tuple[str, str, str, str]) -> Path:
    for index, row in enumerate(rows):
        folder = root / f"index{index}"
        folder.mkdir()
        for name, text in zip(("level", "type", "size", "shared_cpu_list"), row, strict=True):
            (folder / name).write_text(f"{text}\n")
    return root


def test_caches_are_read_as_the_kernel_tells_them(tmp_path: Path) -> None:
    folder = cache_folder(
        tmp_path,
        ("1", "Data", "48K", "0"),
        ("1", "Instruction", "32K", "0"),
        ("2", "Unified", "2M", "0"),
        ("3", "Unified", "32768K", "0-7"),
    )
    assert caches(folder) == (
        Cache("L1", 48 * KIB),
        Cache("L2", 2 * KIB**2),
        Cache("L3", 32 * KIB**2, sharers=8),
    )


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("1", "Data", "0K", "0")],
        [("1", "Data", "lots", "0")],
        [("1", "Data", "64K", "0"), ("2", "Unified", "32K", "0")],
    ],
)
def test_sizes_that_make_no_sense_are_replaced(tmp_path: Path, rows: list[tuple[str, str, str, str]]) -> None:
    assert caches(cache_folder(tmp_path, *rows)) == SENSIBLE


def test_measuring_twice_agrees() -> None:
    first, again = measure(1), measure(1)
    assert [level.name for level in first.levels] == [level.name for level in again.levels]
    assert [level.name for level in first.levels[: len(caches())]] == [cache.name for cache in caches()]
    beyond = [(level.name, level.capacity_bytes) for level in first.levels[len(caches()) :]]
    assert beyond in ([], [("memory", None)])
    for one, other in zip(first.levels, again.levels, strict=True):
        # A shared machine: what must agree is the order of magnitude, which a slip in the units would not.
        assert 1 / 30 < one.bytes_per_ns / other.bytes_per_ns < 30
        assert 0.1 < one.bytes_per_ns < 10_000
    for name, rate in first.operations_per_ns.items():
        assert 1 / 30 < rate / again.operations_per_ns[name] < 30
        assert 0.05 < rate < 100_000
    rates = [level.bytes_per_ns for level in first.levels]
    assert rates == sorted(rates, reverse=True)


def test_a_process_measures_once_in_as_many_spells_as_are_enough() -> None:
    begun, spells = measurement(1), 0
    while not begun.enough:
        begun.go_on(SPELL_NS)
        spells += 1
    assert spells <= 6
    found = begun.limits()
    begun.go_on(SPELL_NS)
    assert measurement(1).limits() == found


def test_a_wait_is_used_for_up_to_half_of_the_spells(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Measurement()
    monkeypatch.setattr("bench.timing.limits.gauge.measurement", lambda threads: begun)
    made = Gauge(nothing_launched, latencies, threads=1)
    made.meanwhile(lambda: False)
    seen = [(begun.half, begun.enough)]
    made.meanwhile(lambda: True)
    seen.append((begun.half, begun.enough))
    assert seen == [(False, False), (True, False)]
    assert made.limits is None


def test_threads_read_and_compute_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.timing.limits.measure.processors", lambda: 2)
    # More threads than there are processors for them would compute one after another, and seem quicker than they are.
    both = measure(3)
    assert both.threads == 2
    assert [level.capacity_bytes for level in both.levels[:1]] == [2 * caches()[0].capacity_bytes]


class _SlowToBegin(ThreadPoolExecutor):
    """Threads that begin long after they were asked to, as those of a busy machine do."""

    def submit(self, function: Any, /, *given: Any, **named: Any) -> Any:
        def begin_late() -> Any:
            time.sleep(0.4)
            return function(*given, **named)

        return super().submit(begin_late)


def test_how_long_a_thread_takes_to_begin_is_in_no_rate() -> None:
    with _SlowToBegin(1) as pool:
        assert rate_of([(lambda: None, 500), (lambda: None, 500)], pool) > 1000 / 0.2e9


def timing(ns: float, half_ns: float = 0.0, *, device: str = "cpu", backend: str = "numpy") -> Timing:
    return Timing(
        verdict=ProvedVerdict(a_verdict(device=device, backend=backend)),
        ns_per_iter=ns, ci_low=ns - half_ns, ci_high=ns + half_ns,
        setup_ns=0.0, first_call_ns=0.0, launches=5, samples=100, discarded=0, queue_share=0.0, dispersion=0.0,
        setup_share=0.0, n_small=1, n_large=8, threads=1,
    )  # fmt: skip


def nothing_launched(variant: Variant, device: str) -> Worker | Failure:
    """No worker, as where a library is not installed."""
    return Failure(Status.UNAVAILABLE, None, f"{variant.backend} is not installed")


LATENCIES = {"launch_ns": 4_000.0, "replay_ns": 6_000.0, "graph_kernel_ns": 1_000.0}


def latencies(backend: str, device: str) -> dict[str, float] | Failure:
    """Those of torch on one device; another library has nothing to say."""
    if (backend, device) == ("torch", "cuda:1"):
        return Failure(Status.CRASHED, None, "signal 11")
    return dict(LATENCIES) if backend == "torch" else {}


@pytest.fixture
def gauge(monkeypatch: pytest.MonkeyPatch) -> Gauge:
    """One that knows the limits, and measures them as the same again."""
    monkeypatch.setattr("bench.timing.limits.gauge.measure", lambda threads: LIMITS)
    made = Gauge(nothing_launched, latencies, threads=1)
    made.limits = LIMITS
    return made


DATA = Problem(np.ones((4, 1)), np.ones((4, 1)), np.ones((1, 1)), None, 0.1)


def test_a_timing_gets_its_limit_beside_it(gauge: Gauge) -> None:
    found = gauge.beside(timing(6_000.0), DATA)
    assert isinstance(found, Timing)
    assert (found.limit_ns, found.share_of_limit) == (3.0, 3.0 / 6_000)
    assert (found.bytes_per_iter, found.operations_per_iter) == (64, 16)
    assert (found.work_class, found.limited_by) == ("pass over the data", "dispatch")
    assert found.limit_note == "dispatch-bound: about 6 of 6 us are Python and NumPy"


def test_an_accelerator_gets_what_an_iteration_needs_and_no_limit(gauge: Gauge) -> None:
    found = gauge.beside(timing(6_000.0, device="cuda"), DATA)
    assert isinstance(found, Timing)
    assert (found.bytes_per_iter, found.limit_ns, found.limited_by, found.limit_note) == (64, None, None, "")


ON_CUDA = dataclasses.replace(
    timing(47_300.0, device="cuda", backend="torch"), hot_ns_per_iter=6_100.0, host_ns_per_iter=46_000.0
)


def test_a_timing_that_is_bound_by_launching_has_the_words_and_no_limit(gauge: Gauge) -> None:
    gauge.measure_launches([("torch", "cuda")])
    found = gauge.beside(ON_CUDA, DATA)
    assert isinstance(found, Timing)
    assert (found.limited_by, found.limit_ns, found.share_of_limit, found.work_class) == ("launch", None, None, None)
    assert found.limit_note == (
        "launch-bound: the device works for 6.1 of 47.3 us; starting the work takes the rest, and one launch 4 us"
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"hot_ns_per_iter": 40_000.0}, id="the device is at work"),
        pytest.param({"host_ns_per_iter": 200.0}, id="one kernel that iterates by itself"),
        pytest.param({"ns_per_iter": 2_000.0, "hot_ns_per_iter": 900.0, "host_ns_per_iter": 1_900.0}, id="part of one"),
        pytest.param({"hot_ns_per_iter": None}, id="no events"),
        pytest.param({"host_ns_per_iter": None}, id="no host time"),
        pytest.param({"flags": (Flag.DEVICE,)}, id="works elsewhere"),
    ],
)
def test_nothing_else_is_said_to_be_bound_by_launching(gauge: Gauge, changes: dict[str, object]) -> None:
    gauge.measure_launches([("torch", "cuda")])
    found = gauge.beside(dataclasses.replace(ON_CUDA, **changes), DATA)  # type: ignore[arg-type]
    assert isinstance(found, Timing)
    assert (found.limited_by, found.limit_ns, found.limit_note) == (None, None, "")


@pytest.mark.parametrize(("backend", "device"), [("torch", "cuda:1"), ("cupy", "cuda"), ("torch", "xpu")])
def test_where_no_launch_was_measured_nothing_is_said(gauge: Gauge, backend: str, device: str) -> None:
    gauge.measure_launches([("torch", "cuda"), ("torch", "cuda:1"), ("cupy", "cuda")])
    verdict = dataclasses.replace(ON_CUDA.verdict.verdict, backend=backend, device=device)
    found = gauge.beside(dataclasses.replace(ON_CUDA, verdict=ProvedVerdict(verdict)), DATA)
    assert isinstance(found, Timing)
    assert (found.limited_by, found.limit_note) == (None, "")


def test_an_accelerator_is_asked_once_and_a_cheaper_replay_counts() -> None:
    asked: list[tuple[str, str]] = []

    def cheaper(backend: str, device: str) -> dict[str, float]:
        asked.append((backend, device))
        return LATENCIES | {"replay_ns": 3_000.0}

    made = Gauge(nothing_launched, cheaper, threads=1)
    made.limits = LIMITS
    for _ in range(2):
        made.measure_launches([("torch", "cuda"), ("torch", "cuda")])
    assert asked == [("torch", "cuda")]
    assert made.measure([]).record()["launch_ns"] == 3_000.0


def test_only_accelerators_that_are_timed_on_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def noted(backend: str, device: str) -> dict[str, float]:
        asked.append((backend, device))
        return {}

    with Harness() as harness:
        monkeypatch.setattr(harness._gauge, "_latencies", noted)
        variant = SimpleNamespace(backend="torch")
        proved = [
            SimpleNamespace(to_be_timed=timed, cell=SimpleNamespace(variant=variant, device=device))
            for device, timed in (("cuda", True), ("cuda", True), ("cuda:1", False))
        ]
        assert harness.measure_limits(proved) is None  # type: ignore[arg-type]
    assert asked == [("torch", "cuda")]


def test_no_timing_is_left_under_the_least_limit(gauge: Gauge) -> None:
    found = gauge.beside(timing(0.9, 0.2), DATA)
    assert isinstance(found, Void)
    assert found.reason.startswith("an iteration does not stand out: 0.9 ns, and at most 1.1 ns")


def test_a_machine_that_was_measured_in_a_busy_moment_is_measured_again(
    gauge: Gauge, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = dataclasses.replace(
        LIMITS, levels=tuple(dataclasses.replace(level, bytes_per_ns=2 * level.bytes_per_ns) for level in LIMITS.levels)
    )
    measurements = iter([LIMITS, quiet])
    monkeypatch.setattr("bench.timing.limits.gauge.measure", lambda threads: next(measurements))
    large = Problem(np.ones((100_000, 20)), np.ones((100_000, 1)), np.ones((1, 20)), None, 0.1)
    found = gauge.beside(timing(400_000.0), large)
    assert isinstance(found, Timing)
    assert (found.work_class, found.limited_by) == ("pass over the data", "memory")
    assert gauge.limits == dataclasses.replace(quiet, dispatch_ns=LIMITS.dispatch_ns)


def test_what_keeps_moments_is_classed_after_the_machine_was_measured_again(gauge: Gauge) -> None:
    large = Problem(np.ones((100_000, 20)), np.ones((100_000, 1)), np.ones((1, 20)), None, 0.1)
    found = gauge.beside(timing(2_000.0), large)
    assert isinstance(found, Timing)
    assert found.work_class == "sufficient statistics"


def test_what_is_no_timing_passes(gauge: Gauge) -> None:
    rejected = Rejected("impossible")
    assert gauge.beside(rejected, DATA) is rejected


def test_a_backend_without_a_worker_has_no_dispatch_cost() -> None:
    made = Gauge(nothing_launched, latencies, threads=1)
    limits = made.measure(["torch"])
    assert limits.dispatch_ns == {}
    assert made.measure(["torch"]) == limits


def test_a_record_is_rounded_and_in_json_types() -> None:
    assert LIMITS.record() == {
        "threads": 1,
        "capacity_bytes": {"L1": 32_000, "L2": 512_000, "L3": 32_000_000},
        "read_bytes_per_ns": {"L1": 100.0, "L2": 50.0, "L3": 25.0, "memory": 10.0},
        "operations_per_ns": {"float64": 40.0, "float32": 80.0},
        "chain_ns": 1.0,
        "dispatch_ns": {"numpy": 300.0, "torch": 1000.0},
        "launch_ns": None,
    }
