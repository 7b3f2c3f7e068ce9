"""Nothing that a worker, a server or a keeper does makes the judge wait for ever: each wait ends, and says how."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench.dtypes import DTYPES
from bench.judge.channel import JudgeChannel
from bench.judge.namespace import Keeper
from bench.judge.server import Server, _read_line
from bench.judge.subject import Worker
from bench.judge.workshop import WorkerLimits, Workshop
from bench.problems.problem import Problem
from bench.proof.subject import Answer, Failure
from bench.proof.verdict import Status
from bench.selftest.corpus import attack
from bench.variants.contract import Variant

FLOAT64 = DTYPES["float64"]


@pytest.mark.parametrize("function", ["log_becomes_a_pipe", "nested_folders"])
def test_what_a_worker_leaves_in_its_folder_holds_nobody_up(problem: Problem, function: str) -> None:
    with Workshop(WorkerLimits(call_seconds=20.0)) as workshop:
        worker = workshop.launch(attack("violence", function).variant, "cpu")
        assert isinstance(worker, Worker)
        with worker:
            reply = worker.call(problem, 4, FLOAT64)
        assert isinstance(reply, Failure)
        assert (reply.status, reply.message) == (Status.CRASHED, "exited with code 1 during call of 4 iterations")
        assert [path for path in Path(workshop._folder.name).iterdir() if path.is_dir()] == []
        place = Path(workshop._folder.name)
    assert not place.exists()


def test_a_flood_of_bytes_that_nobody_asked_for_is_not_drained_for_ever() -> None:
    read, write = os.pipe()
    requests, requests_in = os.pipe()
    channel = JudgeChannel(read, requests_in, None)
    pid = os.fork()
    if pid == 0:
        while True:
            os.write(write, b"x" * 4096)
    try:
        channel.discard_unasked()
        time.sleep(0.01)
        channel.discard_unasked()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        channel.close()
        for descriptor in (write, requests):
            os.close(descriptor)


def test_a_worker_that_is_never_ready_ends_the_servers_wait() -> None:
    told, tell = os.pipe()
    with pytest.raises(TimeoutError, match="not ready within"):
        _read_line(told, 0.05)
    os.write(tell, b"{}\n")
    assert _read_line(told, 5.0) == b"{}\n"
    told, other = os.pipe()
    os.write(other, b"{")
    os.close(other)
    assert _read_line(told, 5.0) == b""
    os.close(tell)


def test_an_orphan_that_does_not_die_ends_the_servers_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.judge.server._KILLED_SECONDS", 0.1)
    monkeypatch.setattr("bench.judge.server.os.kill", lambda pid, number: None)
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        signal.pause()
    try:
        with ours, theirs:
            monkeypatch.setattr("bench.judge.server._children", lambda parent: [pid])
            Server(theirs, frozenset(), None, spawns=False)._kill_orphans()
    finally:
        monkeypatch.undo()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_keeper_that_stands_still_is_an_error_and_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.judge.namespace._ANSWER_SECONDS", 0.2)
    pid = os.fork()
    if pid == 0:
        # In a process of its own: without privileges this one would enter a user namespace.
        code = 1
        try:
            code = _outcome_of_a_stopped_keeper()
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == 77:
        pytest.skip("no PID namespaces here")
    assert code == 0


def _outcome_of_a_stopped_keeper() -> int:
    try:
        keeper = Keeper(limit_processes=True)
    except OSError:
        return 77
    keeper.make().close()
    os.kill(keeper.pid, signal.SIGSTOP)
    try:
        keeper.make()
        keeper.make()
    except TimeoutError:
        keeper.close()
        return 0
    return 1


def test_a_server_that_stands_still_is_replaced(
    monkeypatch: pytest.MonkeyPatch, variant_at: Callable[..., Variant], problem: Problem
) -> None:
    with Workshop() as workshop:
        assert isinstance(workshop.launch(variant_at("honest.py:honest"), "cpu"), Worker)
        [server] = workshop._servers.values()
        monkeypatch.setattr("bench.judge.forkserver._ANSWER_SECONDS", 3.0)
        psutil.Process(server._process.pid).suspend()
        worker = workshop.launch(variant_at("honest.py:honest"), "cpu")
        monkeypatch.undo()
        assert isinstance(worker, Worker), worker
        with worker:
            assert isinstance(worker.call(problem, 4, FLOAT64), Answer)
