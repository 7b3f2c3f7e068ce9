"""Whatever a variant does, the judge gets one line about it, in time, and the next launch works."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench.dtypes import DTYPES
from bench.errors import UnavailableError
from bench.judge.mechanisms import Mechanism, all_but
from bench.judge.subject import Worker
from bench.judge.workshop import WorkerLimits, Workshop
from bench.problems.problem import Problem
from bench.proof.subject import Answer, Failure
from bench.proof.verdict import Status
from bench.variants.contract import Variant

VariantAt = Callable[..., Variant]
HELPER_NAME = "gdbench-test-helper"
FLOAT64 = DTYPES["float64"]
BROKEN, CRASHED, UNAVAILABLE = Status.BROKEN, Status.CRASHED, Status.UNAVAILABLE

FAULTS = [
    ("exit_0", CRASHED, None, "exited with code 0 during call of 4 iterations"),
    ("exit_3", CRASHED, None, "exited with code 3 during call of 4 iterations; it printed last: last words"),
    ("segfault", CRASHED, None, r"killed by SIGSEGV during call of 4 iterations at faulty.py:\d+ in segfault"),
    ("kill_itself", CRASHED, None, "killed by SIGKILL during call"),
    ("closes_descriptors", CRASHED, None, "exited with code 1 during call .* Bad file descriptor"),
    ("closes_descriptors_and_stays", CRASHED, None, "closed its channel to the judge during call .* kept running"),
    ("dies_leaving_a_child_with_its_pipes", CRASHED, None, "exited with code 5 during call"),
    ("writes_to_the_channel", CRASHED, None, "is no reply: it starts with b'{{{{'"),
    ("announces_terabytes", CRASHED, None, "is no reply: it announces blocks"),
    ("answers_twice", CRASHED, None, "is no reply: it"),
    ("raises", BROKEN, "contract.raised", r"ValueError: no such luck \(faulty.py:\d+\)"),
    ("raises_without_text", BROKEN, "contract.raised", r"SilentError: \(its text raises as well\) \(faulty.py:\d+\)"),
    ("raises_endlessly", BROKEN, "contract.raised", r"ValueError: \\x1b\[31m xxx.*\.\.\.$"),
    ("raises_in_numpy", BROKEN, "contract.raised", r"LinAlgError: Singular matrix \(faulty.py:\d+\)"),
    ("leaves", BROKEN, "contract.raised", r"SystemExit: 7 \(faulty.py:\d+\)"),
    ("recurses", BROKEN, "contract.raised", r"RecursionError: .* \(faulty.py:\d+\)"),
    ("declines", Status.UNSUPPORTED, None, "^one feature only$"),
    ("memory_error", Status.OUT_OF_MEMORY, None, "MemoryError: wanted 3 EiB"),
    ("flat_w", BROKEN, "contract.shape", r"w has shape \(6,\) where \(2, 3\) was due"),
    ("no_w", BROKEN, "contract.shape", r"w is None where \(2, 3\) was due"),
    ("no_b", BROKEN, "contract.shape", r"b is None where \(2,\) was due; what takes no bias raises Unsupported"),
    ("list_w", BROKEN, "contract.shape", "w is a list, not a numpy.ndarray"),
    ("float_w", BROKEN, "contract.shape", "w is a float, not a numpy.ndarray"),
    ("scalar_w", BROKEN, "contract.shape", "w is a numpy.float64, not a numpy.ndarray"),
    ("too_many_losses", BROKEN, "contract.shape", r"losses has shape \(5,\) where \(4,\) was due"),
    ("huge_losses", BROKEN, "contract.shape", r"losses has shape \(50000000,\) where \(4,\) was due"),
    ("a_tuple", BROKEN, "contract.shape", "returned a tuple, not a Descent"),
    ("a_look_alike", BROKEN, "contract.shape", "returned a faulty.Look, not a Descent"),
    ("nothing", BROKEN, "contract.shape", "returned None, not a Descent"),
    ("float32_w", BROKEN, "contract.dtype", "w has dtype float32 where float64 was due"),
    ("object_w", BROKEN, "contract.dtype", "w has dtype object where float64 was due"),
    ("nan_w", BROKEN, "contract.not-finite", r"w\[0,1\] is nan; 1 of 6 numbers in w are not finite"),
    ("infinite_loss", BROKEN, "contract.not-finite", r"losses\[0\] is inf; 4 of 4 numbers"),
    ("halves_x", BROKEN, "contract.mutates-input", r"read-only \(faulty.py:\d+\); a problem's arrays are read-only"),
    ("forces_y", BROKEN, "contract.mutates-input", "changed y of the problem in place"),
]
TORCH_FAULTS = [
    ("in_place_x", "contract.mutates-input", "changed x of the problem in place"),
    ("in_place_w0", "contract.mutates-input", "changed w0 of the problem in place"),
    ("numpy_w", "contract.shape", "w is a numpy.ndarray, not a torch.Tensor"),
    ("float32_w", "contract.dtype", "w has dtype float32 where float64 was due"),
    ("sparse_w", "contract.shape", "w is a sparse_coo tensor, not a dense one"),
    ("meta_w", "contract.device", "w is on meta where cpu was due"),
    ("item_losses", "contract.shape", "losses is a list, not a torch.Tensor"),
]
NOT_LOADING = [
    ("import no_such_module", BROKEN, r"does not import: ModuleNotFoundError: No module named .* \(target.py:1\)"),
    ("\nx = = 1", BROKEN, r"does not import: SyntaxError: .* \(target.py:2\)"),
    ("import sys\nsys.exit('go away')", BROKEN, r"does not import: SystemExit: go away \(target.py:2\)"),
    ("raise ModuleNotFoundError(name='cupy.linalg')", UNAVAILABLE, "cupy is not installed: pip install cupy"),
    ("import os; os._exit(0)", CRASHED, "exited with code 0 during load"),
    ("def other(problem, n_iters): ...", BROKEN, "target.py has no function 'function'; it has other"),
    ("function = 3", BROKEN, "function in target.py is an int, not a function"),
    ("def function(problem): ...", BROKEN, r"function\(problem\) cannot be called as function\(problem, n_iters\)"),
    ("def function(p, n, tolerance): ...", BROKEN, "missing a required argument: 'tolerance'"),
]


def ask(workshop: Workshop, variant: Variant, problem: Problem) -> Answer | Failure:
    worker = workshop.launch(variant, "cpu")
    if isinstance(worker, Failure):
        return worker
    with worker:
        return worker.call(problem, 4, FLOAT64)


def check(reply: Answer | Failure, status: Status, cause: str | None, message: str) -> None:
    assert isinstance(reply, Failure), reply
    assert (reply.status, reply.cause) == (status, cause), reply
    assert re.search(message, reply.message), reply.message
    assert len(reply.message) < 700
    assert reply.message.isprintable()


@pytest.mark.parametrize(("function", "status", "cause", "message"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_fault_becomes_one_line_and_the_next_launch_works(
    workshop: Workshop,
    variant_at: VariantAt,
    problem: Problem,
    function: str,
    status: Status,
    cause: str | None,
    message: str,
) -> None:
    check(ask(workshop, variant_at(f"faulty.py:{function}"), problem), status, cause, message)
    assert isinstance(ask(workshop, variant_at("honest.py:honest"), problem), Answer)


@pytest.mark.parametrize(("function", "cause", "message"), TORCH_FAULTS, ids=[fault[0] for fault in TORCH_FAULTS])
def test_torch_fault_is_named(
    workshop: Workshop, variant_at: VariantAt, problem: Problem, function: str, cause: str, message: str
) -> None:
    check(ask(workshop, variant_at(f"faulty_torch.py:{function}", "torch"), problem), BROKEN, cause, message)


@pytest.mark.parametrize(("source", "status", "message"), NOT_LOADING, ids=[case[0][:20] for case in NOT_LOADING])
def test_target_that_does_not_load(
    workshop: Workshop, problem: Problem, tmp_path: Path, source: str, status: Status, message: str
) -> None:
    (tmp_path / "target.py").write_text(source)
    variant = Variant("test", "numpy", "test", f"{tmp_path / 'target.py'}:function")
    cause = "contract.raised" if status is BROKEN else None
    check(ask(workshop, variant, problem), status, cause, message)


def test_missing_targets_are_named(workshop: Workshop, variant_at: VariantAt, problem: Problem) -> None:
    check(
        ask(workshop, variant_at("absent.py:function"), problem), BROKEN, "contract.raised", "there is no file .*absent"
    )
    module = Variant("test", "numpy", "test", "no_such_package.module:function")
    check(ask(workshop, module, problem), BROKEN, "contract.raised", "No module named 'no_such_package'$")


def test_variants_that_cannot_run_here_are_unavailable(workshop: Workshop, variant_at: VariantAt) -> None:
    for backend, device, message in (
        ("jax", "cpu", "gdbench cannot run jax variants yet; it runs numpy, torch"),
        ("lua", "cpu", "backend 'lua' is not known; gdbench knows numpy, torch, jax, cupy"),
        ("numpy", "cuda", "numpy has no device 'cuda' here; it has cpu"),
        *([("torch", "cuda:77", "torch has no device 'cuda:77' here; it has cpu")] if find_spec("torch") else []),
    ):
        failure = workshop.launch(variant_at("honest.py:honest", backend), device)
        assert isinstance(failure, Failure)
        assert (failure.status, failure.message[: len(message)]) == (UNAVAILABLE, message)


def test_dtype_that_the_backend_lacks_is_unsupported(
    workshop: Workshop, variant_at: VariantAt, problem: Problem
) -> None:
    with launched(workshop, variant_at("honest.py:honest")) as worker:
        reply = worker.call(problem, 1, DTYPES["bfloat16"])
    check(reply, Status.UNSUPPORTED, None, "numpy does not compute in bfloat16")


@pytest.mark.parametrize("function", ["hang", "hang_ignoring_sigterm", "stop_itself"])
def test_hang_is_ended_at_the_deadline(variant_at: VariantAt, problem: Problem, function: str) -> None:
    with Workshop(WorkerLimits(call_seconds=0.2)) as workshop:
        began = time.monotonic()
        with launched(workshop, variant_at(f"faulty.py:{function}")) as worker:
            reply = worker.call(problem, 4, FLOAT64)
            check(reply, Status.TIMEOUT, None, r"no answer within 0.2 s during call of 4 iterations; killed")
            assert worker.call(problem, 4, FLOAT64) == reply
        assert time.monotonic() - began < 10


def test_hang_on_import_is_ended_at_the_deadline(tmp_path: Path, problem: Problem) -> None:
    (tmp_path / "target.py").write_text("while True: pass")
    with Workshop(WorkerLimits(start_seconds=0.2)) as workshop:
        variant = Variant("test", "numpy", "test", f"{tmp_path / 'target.py'}:function")
        check(ask(workshop, variant, problem), Status.TIMEOUT, None, "no answer within 0.2 s during load; killed")


def test_worker_that_never_reads_does_not_block_the_judge(variant_at: VariantAt) -> None:
    large = Problem(np.ones((1_000_000, 1)), np.ones((1_000_000, 1)), np.ones((1, 1)), None, 0.1)
    with (
        Workshop(WorkerLimits(start_seconds=0.2)) as workshop,
        launched(workshop, variant_at("honest.py:honest")) as worker,
    ):
        os.kill(worker.pid, signal.SIGSTOP)
        check(worker.call(large, 1, FLOAT64), Status.TIMEOUT, None, "during transfer of the data; killed")


def test_memory_is_limited(variant_at: VariantAt, problem: Problem) -> None:
    with Workshop(WorkerLimits(memory_bytes=100 << 20)) as workshop:
        check(ask(workshop, variant_at("faulty.py:takes_memory"), problem), Status.OUT_OF_MEMORY, None, "MemoryError")
        assert isinstance(ask(workshop, variant_at("honest.py:honest"), problem), Answer)


def test_torch_out_of_memory_is_named(workshop: Workshop, variant_at: VariantAt, problem: Problem) -> None:
    reply = ask(workshop, variant_at("faulty_torch.py:too_large", "torch"), problem)
    check(reply, Status.OUT_OF_MEMORY, None, "DefaultCPUAllocator")


@pytest.mark.parametrize("function", ["kill_the_server", "stop_the_server"])
def test_the_fork_server_is_replaced_when_a_variant_harms_it(
    monkeypatch: pytest.MonkeyPatch, variant_at: VariantAt, problem: Problem, function: str
) -> None:
    monkeypatch.setattr("bench.judge.forkserver._ANSWER_SECONDS", 0.2)
    # A worker that is kept in cannot reach its server at all.
    with Workshop(mechanisms=all_but(Mechanism.PID_NAMESPACE, Mechanism.LANDLOCK)) as workshop:
        check(ask(workshop, variant_at(f"faulty.py:{function}"), problem), CRASHED, None, "how it ended is not known")
        assert isinstance(ask(workshop, variant_at("honest.py:honest"), problem), Answer)


def test_a_fork_server_that_has_not_ended_yet_is_replaced(variant_at: VariantAt, problem: Problem) -> None:
    with Workshop() as workshop:
        with launched(workshop, variant_at("honest.py:honest")):
            [server] = workshop._servers.values()
            # Its socket is dead, and it is stopped: so it is for a moment after a kill, on a busy machine.
            os.kill(server._process.pid, signal.SIGSTOP)
            server._socket.shutdown(socket.SHUT_RDWR)
        assert isinstance(ask(workshop, variant_at("honest.py:honest"), problem), Answer)


@pytest.mark.parametrize("function", ["leaves_a_child", "leaves_a_daemon"])
def test_processes_left_behind_are_killed(
    workshop: Workshop, variant_at: VariantAt, problem: Problem, function: str
) -> None:
    with launched(workshop, variant_at(f"faulty.py:{function}")) as worker:
        assert isinstance(worker.call(problem, 4, FLOAT64), Answer)
        assert helpers()
    assert not helpers()


def test_printing_is_no_fault_and_is_kept_short(workshop: Workshop, variant_at: VariantAt, problem: Problem) -> None:
    with launched(workshop, variant_at("faulty.py:prints")) as worker:
        assert isinstance(worker.call(problem, 4, FLOAT64), Answer)
        [log] = Path(workshop._folder.name).glob("*/output")
        assert 0 < log.stat().st_size <= 2 << 20


def test_nothing_is_left_behind(variant_at: VariantAt, problem: Problem) -> None:
    before = set(psutil.Process().children(recursive=True))
    descriptors = psutil.Process().num_fds()
    with Workshop(WorkerLimits(call_seconds=0.2)) as workshop:
        folder = Path(workshop._folder.name)
        for function in ("hang", "exit_0", "raises", "leaves_a_daemon"):
            ask(workshop, variant_at(f"faulty.py:{function}"), problem)
        workshop.launch(variant_at("honest.py:honest"), "cpu")
        assert len([path for path in folder.iterdir() if path.is_dir()]) == 1
    assert not folder.exists()
    assert set(psutil.Process().children(recursive=True)) == before
    assert psutil.Process().num_fds() == descriptors


def test_interrupt_kills_everything(monkeypatch: pytest.MonkeyPatch, variant_at: VariantAt, problem: Problem) -> None:
    before = set(psutil.Process().children(recursive=True))

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    def interrupted_call() -> None:
        with Workshop() as workshop:
            worker = launched(workshop, variant_at("honest.py:honest"))
            monkeypatch.setattr("bench.judge.channel.JudgeChannel.receive", interrupted)
            worker.call(problem, 1, FLOAT64)

    with pytest.raises(KeyboardInterrupt):
        interrupted_call()
    assert set(psutil.Process().children(recursive=True)) == before


def test_death_of_the_judge_takes_servers_and_workers_along(tmp_path: Path, variant_at: VariantAt) -> None:
    program = f"""
import os
from bench.judge.workshop import Workshop
from bench.variants.contract import Variant
workshop = Workshop()
workshop.launch(Variant("test", "numpy", "test", {variant_at("honest.py:honest").target!r}), "cpu")
print(workshop._folder.name, flush=True)
os.kill(os.getpid(), 19)
"""
    judge = psutil.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    with judge:
        try:
            folder = Path(judge.stdout.readline().decode().strip())
            assert folder.is_dir()
            family = judge.children(recursive=True)
            assert len(family) >= 2
        finally:
            judge.kill()
    assert not psutil.wait_procs(family, timeout=20)[1]
    assert not folder.exists()


def test_death_of_the_judge_while_its_server_starts_leaves_no_file(tmp_path: Path, variant_at: VariantAt) -> None:
    program = f"""
import os
from bench.judge import forkserver
from bench.judge.workshop import Workshop
from bench.variants.contract import Variant
def killed(*arguments):
    print(workshop._folder.name, flush=True)
    os.kill(os.getpid(), 9)
forkserver.ForkServer._answer = killed
workshop = Workshop()
workshop.launch(Variant("test", "numpy", "test", {variant_at("honest.py:honest").target!r}), "cpu")
"""
    with psutil.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as judge:
        folder = Path(judge.stdout.readline().decode().strip())
    until = time.monotonic() + 20
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not folder.exists()


def test_devices_are_asked_of_the_backend(workshop: Workshop) -> None:
    assert workshop.devices.of("numpy") == ["cpu"]
    if find_spec("torch"):
        assert workshop.devices.of("torch")[0] == "cpu"
    with pytest.raises(UnavailableError, match="cannot run cupy variants yet"):
        workshop.devices.of("cupy")


def test_describe_lists_what_a_file_registers(workshop: Workshop, variant_at: VariantAt, tmp_path: Path) -> None:
    target = variant_at("computed.py").target
    assert workshop.describe(target) == [
        Variant("test-computed-1", "numpy", "numpy", f"{target}:computed", None, "One of two.", "computed.py:7"),
        Variant(
            "test-computed-2", "numpy", "numpy", f"{target}:computed", "update.never", "One of two.", "computed.py:7"
        ),
    ]
    (tmp_path / "broken.py").write_text("1 / 0")
    failure = workshop.describe(str(tmp_path / "broken.py"))
    assert isinstance(failure, Failure)
    assert failure.message == "does not import: ZeroDivisionError: division by zero (broken.py:1)"


def launched(workshop: Workshop, variant: Variant) -> Worker:
    worker = workshop.launch(variant, "cpu")
    assert isinstance(worker, Worker), worker
    return worker


def helpers() -> list[psutil.Process]:
    processes = psutil.process_iter(["cmdline", "status"])
    return [one for one in processes if HELPER_NAME in (one.info["cmdline"] or ())]
