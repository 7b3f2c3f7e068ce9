"""The picture that the self-test takes of process and machine shows each kind of thing that can be left behind."""

import contextlib
import ctypes
import os
import random
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest

from bench.cli import code_of
from bench.exit_codes import NOT_AS_EXPECTED
from bench.selftest.picture import MARK, left_behind, marked, picture
from bench.selftest.rows import Row

SLEEP = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]


@contextmanager
def working_directory() -> Iterator[None]:
    with contextlib.chdir("/"):
        yield


@contextmanager
def variable() -> Iterator[None]:
    os.environ["GDBENCH_TEST_LEFT"] = "x"
    yield
    del os.environ["GDBENCH_TEST_LEFT"]


@contextmanager
def handler() -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGUSR1, before)


@contextmanager
def limit() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (1 if soft != 1 else 0, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@contextmanager
def mask() -> Iterator[None]:
    before = os.umask(0o123)
    yield
    os.umask(before)


@contextmanager
def open_socket() -> Iterator[None]:
    with socket.socket():
        yield


@contextmanager
def randomness() -> Iterator[None]:
    before, numpys = random.getstate(), np.random.get_state()
    random.seed(1)
    np.random.seed(1)
    yield
    random.setstate(before)
    np.random.set_state(numpys)


@contextmanager
def error_state() -> Iterator[None]:
    with np.errstate(over="raise"):
        yield


@contextmanager
def thread() -> Iterator[None]:
    done = threading.Event()
    one = threading.Thread(target=done.wait, name="left-behind")
    one.start()
    yield
    done.set()
    one.join()


@contextmanager
def child() -> Iterator[None]:
    with subprocess.Popen(SLEEP, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


@contextmanager
def daemon() -> Iterator[None]:
    """Nobody's child, in a session of its own: known by its mark."""
    read, write = os.pipe()
    wait = f"os.setsid(); os.write({write}, b'%d ' % os.getpid()); time.sleep(60)"
    program = f"import os, time; os.fork() and os._exit(0); {wait}"
    subprocess.run([sys.executable, "-c", program], pass_fds=[write], check=True)
    pid = int(os.read(read, 20))
    os.close(read)
    os.close(write)
    yield
    # Whose child it has become is up to the machine, so that waitpid may not wait for it.
    ended = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    select.select([ended], [], [], 60)
    os.close(ended)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


@contextmanager
def file() -> Iterator[None]:
    with tempfile.NamedTemporaryFile(prefix="gdbench-selftest-"):
        yield


@contextmanager
def shared_memory() -> Iterator[None]:
    library = ctypes.CDLL(None)
    made = "import ctypes; print(ctypes.CDLL(None).shmget(0, 4096, 0o1600))"
    number = int(subprocess.run([sys.executable, "-c", made], capture_output=True, check=True).stdout)
    yield
    library.shmctl(number, 0, None)


LEFT: list[tuple[Callable[[], AbstractContextManager[None]], str]] = [
    (working_directory, "setting of this process working directory /"),
    (variable, "setting of this process environment GDBENCH_TEST_LEFT=x"),
    (handler, "setting of this process handler of SIGUSR1: SIG_IGN"),
    (limit, "setting of this process RLIMIT_CORE"),
    (mask, "setting of this process umask 83"),
    (open_socket, "of socket:"),
    (randomness, "setting of this process NumPy random state"),
    (error_state, "setting of this process NumPy error state"),
    (thread, "setting of this process thread left-behind"),
    (child, "process "),
    (daemon, "process "),
    (file, "file "),
    (shared_memory, "shared memory shm "),
]


@pytest.mark.skipif(sys.platform != "linux", reason="most of it is read from /proc")
@pytest.mark.parametrize(("leave", "named"), LEFT, ids=[leave.__name__ for leave, _ in LEFT])
def test_what_is_left_is_named(leave: Callable[[], AbstractContextManager[None]], named: str) -> None:
    with marked():
        before = picture()
        with leave():
            found = left_behind(before, picture())
        assert [line for line in found if named in line], found
        assert left_behind(before, picture()) == []
    assert MARK not in os.environ


def test_what_is_left_fails_the_self_test_whatever_the_verdicts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    left = tmp_path / "gdbench-selftest-x"

    def attacked(*_: object) -> tuple[list[Row], dict[str, str]]:
        left.touch()
        return [], {}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bench.verbs.selftest.selftest", attacked)
    assert code_of(["selftest"]) == NOT_AS_EXPECTED
    assert capsys.readouterr().out.splitlines()[-1] == f"left behind: file {left}"
