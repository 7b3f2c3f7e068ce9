"""Each mechanism stops what it is for, and lets it through when it is switched off; what is missing does no harm."""

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from bench.dtypes import DTYPES
from bench.judge import landlock, namespace, segment
from bench.judge.isolation import presence
from bench.judge.mechanisms import ALL, Mechanism, Mechanisms, all_but, named
from bench.judge.subject import Worker
from bench.judge.workshop import MOST_MEMORY_BYTES, WorkerLimits, Workshop
from bench.problems.problem import Problem
from bench.proof.subject import Answer, Failure
from bench.proof.verdict import Status
from bench.variants.contract import Variant

VariantAt = Callable[..., Variant]
M = Mechanism
FLOAT64 = DTYPES["float64"]
HELPER_NAME = "gdbench-test-helper"
LIMITS = WorkerLimits(call_seconds=20.0, memory_bytes=200 << 20)

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
with_landlock = pytest.mark.skipif(landlock.version() < 6, reason="this kernel has no Landlock of version 6")


@pytest.fixture
def no_helpers() -> Iterator[None]:
    yield
    for helper in helpers():
        helper.kill()


def helpers() -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline", "status"])
    return [one for one in found if HELPER_NAME in (one.info["cmdline"] or ())]


def ask(
    variant: Variant, problem: Problem, on: Mechanisms = ALL, limits: WorkerLimits = LIMITS
) -> tuple[Answer | Failure, str]:
    """What a variant answers under these mechanisms, and how it was kept apart."""
    with Workshop(limits, on) as workshop:
        worker = workshop.launch(variant, "cpu")
        assert isinstance(worker, Worker), worker
        with worker:
            return worker.call(problem, 4, FLOAT64), worker.isolation


STOPPED: list[tuple[str, Mechanism, tuple[Mechanism, ...], Status, str]] = [
    ("changes_x_and_what_it_is_compared_with", M.SEALED_INPUTS, (), Status.BROKEN, "changed x of the problem"),
    ("maps_much_shared_memory", M.MEMORY_LIMIT, (), Status.OUT_OF_MEMORY, "Cannot allocate memory"),
    ("forges_an_answer", M.CHECKED_REPLIES, (), Status.CRASHED, "it answers request 0, not 3"),
    ("makes_a_large_file", M.FILE_LIMITS, (), Status.BROKEN, "File too large"),
    ("starts_many_processes", M.PROCESS_LIMIT, (), Status.BROKEN, "Resource temporarily unavailable"),
]


@linux
@pytest.mark.parametrize(("function", "mechanism", "overlapping", "status", "message"), STOPPED)
def test_what_a_mechanism_stops_gets_through_without_it(
    variant_at: VariantAt,
    problem: Problem,
    function: str,
    mechanism: Mechanism,
    overlapping: tuple[Mechanism, ...],
    status: Status,
    message: str,
) -> None:
    variant = variant_at(f"prying.py:{function}")
    reply, isolation = ask(variant, problem, all_but(*overlapping))
    if mechanism is M.PROCESS_LIMIT and "process limit" not in isolation:
        pytest.skip("this system has no limit on the processes of one worker")
    assert isinstance(reply, Failure), reply
    assert reply.status is status
    assert re.search(message, reply.message), reply.message
    without, _ = ask(variant, problem, all_but(mechanism, *overlapping))
    assert isinstance(without, Answer), without


@linux
def test_the_worker_cannot_write_into_the_segment(variant_at: VariantAt, problem: Problem) -> None:
    if segment.unavailable():
        pytest.skip("this system has no sealed memory")
    reply, _ = ask(variant_at("prying.py:writes_into_the_segment"), problem)
    assert isinstance(reply, Failure)
    assert reply.status is Status.CRASHED
    assert "SIGSEGV" in reply.message
    reply, _ = ask(variant_at("prying.py:makes_writeable"), problem)
    assert isinstance(reply, Failure)
    assert reply.cause == "contract.mutates-input"


def test_the_deadline(variant_at: VariantAt, problem: Problem) -> None:
    variant, limits = variant_at("prying.py:is_slow"), WorkerLimits(call_seconds=0.1)
    reply, _ = ask(variant, problem, limits=limits)
    assert isinstance(reply, Failure)
    assert reply.status is Status.TIMEOUT
    reply, _ = ask(variant, problem, all_but(M.DEADLINE), limits)
    assert isinstance(reply, Answer)


def test_the_clock_is_the_judges(variant_at: VariantAt, problem: Problem) -> None:
    elapsed = []
    for on in (ALL, all_but(M.JUDGES_CLOCK)):
        with Workshop(LIMITS, on) as workshop:
            worker = workshop.launch(variant_at("prying.py:stops_the_clock"), "cpu")
            assert isinstance(worker, Worker)
            with worker:
                replies = [worker.call(problem, 4, FLOAT64) for _ in range(2)]
        assert isinstance(replies[1], Answer)
        elapsed.append(replies[1].elapsed_ns)
    assert elapsed[0] > 0
    assert elapsed[1] == 0


@linux
@pytest.mark.usefixtures("no_helpers")
@pytest.mark.parametrize(
    ("function", "mechanism", "overlapping"),
    [
        ("leaves_a_child_of_its_group", M.GROUP_KILL, (M.PID_NAMESPACE, M.SUB_REAPER)),
        ("leaves_a_daemon", M.SUB_REAPER, (M.PID_NAMESPACE,)),
        ("leaves_a_daemon", M.PID_NAMESPACE, (M.SUB_REAPER,)),
    ],
)
def test_no_process_is_left_behind(
    variant_at: VariantAt, problem: Problem, function: str, mechanism: Mechanism, overlapping: tuple[Mechanism, ...]
) -> None:
    variant = variant_at(f"prying.py:{function}")
    reply, isolation = ask(variant, problem, all_but(*overlapping))
    assert isinstance(reply, Answer)
    if mechanism is M.PID_NAMESPACE and "PID namespace" not in isolation:
        pytest.skip("this system permits no PID namespaces")
    assert not helpers()
    reply, _ = ask(variant, problem, all_but(mechanism, *overlapping))
    assert isinstance(reply, Answer)
    # It may still be on its way from fork to exec.
    until = time.monotonic() + 20
    while not helpers() and time.monotonic() < until:
        time.sleep(0.02)
    assert helpers()


@linux
@pytest.mark.parametrize("off", [(), (M.PARENT_DEATH_SIGNAL,)], ids=["on", "off"])
def test_a_worker_dies_with_its_server(variant_at: VariantAt, off: tuple[Mechanism, ...]) -> None:
    """The namespace would kill it too, so that is off in both halves."""
    with Workshop(LIMITS, all_but(M.PID_NAMESPACE, *off)) as workshop:
        worker = workshop.launch(variant_at("prying.py:counts"), "cpu")
        assert isinstance(worker, Worker), worker
        process = psutil.Process(worker.pid)
        server = process.parent()
        assert server is not None
        server.kill()
        gone, alive = psutil.wait_procs([process], timeout=1.0 if off else 20.0)
        assert [one.pid for one in (alive if off else gone)] == [worker.pid]
        worker.close()
        psutil.wait_procs([process], timeout=20.0)
        assert not process.is_running()


@with_landlock
def test_landlock_keeps_writes_inside(problem: Problem, tmp_path: Path) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target.py"
    target.write_text(
        f"""
import os, tempfile
from bench import Descent
def function(problem, n_iters):
    assert tempfile.gettempdir() == os.getcwd()
    tempfile.TemporaryFile().close()
    open({str(outside)!r}, "w").close()
    return Descent(problem.w0, problem.b0)
"""
    )
    variant = Variant("test", "numpy", "test", f"{target}:function")
    reply, isolation = ask(variant, problem)
    assert isinstance(reply, Failure)
    assert "PermissionError" in reply.message
    assert "Landlock" in isolation
    assert not outside.exists()
    reply, isolation = ask(variant, problem, all_but(M.LANDLOCK))
    assert isinstance(reply, Answer)
    assert "Landlock" not in isolation
    assert outside.exists()


@with_landlock
@pytest.mark.parametrize("deed", ["os.kill({pid}, 0)", "socket.create_connection(('127.0.0.1', {port})).close()"])
def test_landlock_keeps_signals_and_connections_inside(problem: Problem, tmp_path: Path, deed: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = deed.format(pid=os.getpid(), port=listening.getsockname()[1])
        target = tmp_path / "target.py"
        target.write_text(
            f"""
import os, socket
from bench import Descent
def function(problem, n_iters):
    {done}
    return Descent(problem.w0, problem.b0)
"""
        )
        variant = Variant("test", "numpy", "test", f"{target}:function")
        reply, _ = ask(variant, problem, all_but(M.PID_NAMESPACE))
        assert isinstance(reply, Failure)
        assert "PermissionError" in reply.message
        reply, _ = ask(variant, problem, all_but(M.PID_NAMESPACE, M.LANDLOCK))
        assert isinstance(reply, Answer)


@linux
def test_descriptors_and_numbers(variant_at: VariantAt, problem: Problem) -> None:
    variant = variant_at("prying.py:counts")
    reply, isolation = ask(variant, problem)
    assert isinstance(reply, Answer)
    descriptors, pid, parent = reply.w[0]
    if "PID namespace" in isolation:
        assert (pid, parent) == (2, 0)
    without, isolation = ask(variant, problem, all_but(M.CLOSED_DESCRIPTORS, M.PID_NAMESPACE))
    assert isinstance(without, Answer)
    assert without.w[0, 0] > descriptors
    assert without.w[0, 1] > 2
    assert "PID namespace" not in isolation


@linux
def test_a_worker_sees_its_own_processes_only(variant_at: VariantAt, problem: Problem) -> None:
    before = set(Path("/dev/shm").iterdir())
    reply, isolation = ask(variant_at("prying.py:looks_at_processes"), problem)
    if "PID namespace" not in isolation:
        pytest.skip("this system permits no PID namespaces")
    assert isinstance(reply, Answer), reply
    assert (reply.w == 2).all()
    assert reply.b is not None
    assert (reply.b == 0).all()
    assert set(Path("/dev/shm").iterdir()) == before


def test_without_the_cap_all_that_is_printed_is_kept(variant_at: VariantAt, problem: Problem) -> None:
    sizes = []
    for on in (ALL, all_but(M.CAPPED_OUTPUT)):
        with Workshop(LIMITS, on) as workshop:
            worker = workshop.launch(variant_at("prying.py:prints_much"), "cpu")
            assert isinstance(worker, Worker)
            with worker:
                assert isinstance(worker.call(problem, 1, FLOAT64), Answer)
                [log] = Path(workshop._folder.name).glob("*/output")
                sizes.append(log.stat().st_size)
    assert sizes[0] <= 1 << 20 < sizes[1]


def test_without_the_fork_server_workers_are_spawned(variant_at: VariantAt, problem: Problem) -> None:
    reply, isolation = ask(variant_at("honest.py:honest"), problem, all_but(M.FORK_SERVER))
    assert isinstance(reply, Answer)
    assert isolation.startswith("spawn")


@linux
@pytest.mark.parametrize("function", ["works_after_its_answer", "has_a_helper_work"])
def test_work_between_calls_is_seen(variant_at: VariantAt, problem: Problem, function: str) -> None:
    with Workshop(LIMITS) as workshop:
        worker = workshop.launch(variant_at(f"prying.py:{function}"), "cpu")
        assert isinstance(worker, Worker)
        with worker:
            first = worker.call(problem, 1, FLOAT64)
            until = time.monotonic() + 20
            while not any(Path(workshop._folder.name).glob("*/done")) and time.monotonic() < until:
                time.sleep(0.005)
            second = worker.call(problem, 1, FLOAT64)
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    # Some of it may have been done before the judge had read the first answer.
    assert first.cpu_ns + second.between_ns > 40_000_000
    assert first.between_ns < 40_000_000


@linux
def test_peak_memory_is_known_before_and_after_the_end(variant_at: VariantAt, problem: Problem) -> None:
    with Workshop(LIMITS) as workshop:
        worker = workshop.launch(variant_at("honest.py:honest"), "cpu")
        assert isinstance(worker, Worker)
        with worker:
            worker.call(problem, 1, FLOAT64)
            alive = worker.peak_memory_bytes
            assert worker.peak_device_bytes is None
        assert alive is not None
        assert worker.peak_memory_bytes is not None
        assert 1 << 20 < alive <= worker.peak_memory_bytes + (1 << 20)


def test_the_default_memory_limit_is_half_of_what_is_free() -> None:
    limit = WorkerLimits().least_memory_bytes()
    if limit is not None:
        assert 0 < limit <= MOST_MEMORY_BYTES
        assert limit <= psutil.virtual_memory().total / 2
    assert WorkerLimits(memory_bytes=5).least_memory_bytes() == 5


def test_every_mechanism_is_listed_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    monkeypatch.setattr(segment, "unavailable", lambda: "this system has no sealed memory (memfd)")
    listed = presence({M.SUB_REAPER: "", M.LANDLOCK: "3"}, "unshare: Operation not permitted")
    assert list(listed) == named(ALL)
    assert listed[M.OWN_PROCESS] == listed[M.SUB_REAPER] == "present"
    assert listed[M.LANDLOCK] == "present: version 3, without TCP, signals and abstract sockets"
    if sys.platform == "linux":
        assert listed[M.PID_NAMESPACE] == "absent: unshare: Operation not permitted"
        assert listed[M.SEALED_INPUTS] == "absent: this system has no sealed memory (memfd)"
        assert listed[M.PROCESS_LIMIT].startswith("absent: no PID namespace (unshare: Operation not permitted)")
        assert presence({}, "")[M.LANDLOCK] == "absent: this kernel has none, or it is switched off"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert presence({}, "")[M.LANDLOCK] == "absent: Linux only"


BARE = """
import os
import bench.judge.kernel as kernel
def missing(*arguments):
    raise OSError(38, "Function not implemented")
kernel._call = missing
del os.pidfd_open, os.memfd_create
"""


@linux
def test_a_system_that_has_none_of_it_judges_all_the_same(
    monkeypatch: pytest.MonkeyPatch, variant_at: VariantAt, problem: Problem, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BARE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), *filter(None, sys.path))))
    monkeypatch.delattr(os, "pidfd_open")
    monkeypatch.delattr(os, "memfd_create")
    reply, isolation = ask(variant_at("honest.py:honest"), problem)
    assert isinstance(reply, Answer), reply
    assert isolation == "fork; memory limit, file limits"
    with Workshop(WorkerLimits(call_seconds=0.2)) as workshop:
        for function, status in (("hang", Status.TIMEOUT), ("exit_3", Status.CRASHED), ("segfault", Status.CRASHED)):
            worker = workshop.launch(variant_at(f"faulty.py:{function}"), "cpu")
            assert isinstance(worker, Worker)
            with worker:
                reply = worker.call(problem, 1, FLOAT64)
            assert isinstance(reply, Failure)
            assert reply.status is status
        listed = workshop.presence()
        assert listed[M.PID_NAMESPACE] == "absent: Function not implemented"
        assert listed[M.SUB_REAPER].startswith("absent")


WITHOUT = """
import bench.judge.kernel as kernel
there = kernel._call
def missing(name, *arguments):
    if name == "{call}":
        raise OSError(38, "Function not implemented")
    return there(name, *arguments)
kernel._call = missing
"""


@linux
@pytest.mark.parametrize(
    ("call", "lost"),
    [
        ("syscall", {M.LANDLOCK: "Landlock"}),
        ("unshare", {M.PID_NAMESPACE: "PID namespace", M.PROCESS_LIMIT: "process limit"}),
        ("prctl", {M.PARENT_DEATH_SIGNAL: "parent-death", M.SUB_REAPER: "sub-reaper", M.LANDLOCK: "Landlock"}),
    ],
)
def test_each_mechanism_that_is_absent_is_said_and_the_others_stay(
    monkeypatch: pytest.MonkeyPatch,
    variant_at: VariantAt,
    problem: Problem,
    tmp_path: Path,
    call: str,
    lost: dict[Mechanism, str],
) -> None:
    with Workshop(LIMITS) as workshop:
        usual = workshop.presence()
    (tmp_path / "sitecustomize.py").write_text(WITHOUT.format(call=call))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), *filter(None, sys.path))))
    with Workshop(LIMITS) as workshop:
        listed = workshop.presence()
    absent = {name for name, said in listed.items() if said.startswith("absent: ")}
    assert absent == {name for name, said in usual.items() if said.startswith("absent: ")} | {*lost}
    reply, isolation = ask(variant_at("honest.py:honest"), problem)
    assert isinstance(reply, Answer), reply
    assert not [short for short in lost.values() if short in isolation]


def test_only_a_kernel_with_limits_of_its_own_for_namespaces_has_them_written(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"6.18.44-fc": True, "6.14.0": True, "7.0": True, "6.8.0-45-generic": False, "5.15": False, "": False}
    for release, has in known.items():
        monkeypatch.setattr("platform.release", lambda release=release: release)
        assert namespace.has_own_process_limit() is has


def test_a_limit_that_would_count_all_processes_of_the_user_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for release, has in {"5.14.0-70.el9": True, "5.10.104-tegra": False, "4.18.0-553.el8": False}.items():
        monkeypatch.setattr("platform.release", lambda release=release: release)
        assert namespace.has_own_process_count() is has


@pytest.mark.parametrize(
    ("possible", "most"), [("0-1\n", 512), ("0\n", 512), ("0-191\n", 1536), ("0-7,16-127\n", 1024)]
)
def test_no_limit_is_written_that_the_kernel_does_not_take(
    possible: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "possible").write_text(possible)
    monkeypatch.setattr(namespace, "_POSSIBLE_PROCESSORS", tmp_path / "possible")
    assert namespace.most_processes() == most
    monkeypatch.setattr(namespace, "_POSSIBLE_PROCESSORS", tmp_path / "absent")
    monkeypatch.setattr("os.cpu_count", lambda: 200)
    assert namespace.most_processes() == 1600


@linux
def test_segments_are_sealed() -> None:
    if segment.unavailable():
        pytest.skip("this system has no sealed memory")
    import mmap

    lent = segment.SealedSegment((100, 8))
    try:
        lent.write((b"a" * 100, b"b" * 8))
        seen = segment.mapped(lent.descriptor, (100, 8))
        lent.write_rows([(3, b"xyz"), (0, b"c")])
        assert [bytes(block) for block in seen] == [b"aaaxyz" + b"a" * 94, b"cbbbbbbb"]
        with pytest.raises(ValueError, match="do not fit"):
            lent.write_rows([(98, b"xyz"), (0, b"c")])
        with pytest.raises(TypeError):
            seen[0][0] = 1
        with pytest.raises(PermissionError):
            mmap.mmap(lent.descriptor, 100)
        with pytest.raises(PermissionError):
            os.pwrite(lent.descriptor, b"z", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(lent.descriptor, 10)
        again = os.open(f"/proc/self/fd/{lent.descriptor}", os.O_RDWR)
        with pytest.raises(PermissionError):
            os.write(again, b"z")
        os.close(again)
    finally:
        lent.close()


@linux
def test_a_namespace_dies_with_its_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("would put the tests themselves into a user namespace")
    try:
        keeper = namespace.Keeper(limit_processes=False)
    except OSError as error:
        pytest.skip(f"no PID namespaces here: {error}")
    if not keeper.shows_own_processes():
        keeper.close()
        pytest.skip("this container hides parts of /proc, and permits no other")
    first = psutil.Process(keeper.make().first)
    # Where /proc cannot be mounted anew, as in containers that hide parts of it, a worker would not find itself there.
    monkeypatch.setattr(namespace, "mount", lambda kind, *_: (_ for _ in ()).throw(PermissionError(1, kind)))
    assert not keeper.shows_own_processes()
    keeper.close()
    assert not psutil.wait_procs([first], timeout=10)[1]
    assert signal.getsignal(signal.SIGCHLD) is not signal.SIG_IGN
