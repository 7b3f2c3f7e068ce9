"""One process at a time on a device."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.judge import device_lock
from bench.judge.device_lock import DeviceLock, lock_file

HOLDER = """
import sys
from pathlib import Path
from bench.judge.device_lock import DeviceLock
lock = DeviceLock(Path(sys.argv[1]), "cuda")
print("held", flush=True)
sys.stdin.readline()
"""


def free(path: Path) -> bool:
    """Whether another process could take the lock."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return device_lock._taken(descriptor)
    finally:
        os.close(descriptor)


def test_a_second_process_waits_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gdbench-x.lock"
    said: list[str] = []
    program = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        end = holder.stdin
        monkeypatch.setattr(
            "bench.judge.device_lock.time.sleep", lambda seconds: end.close() if not end.closed else None
        )
        lock = DeviceLock(path, "cuda:1", said.append)
    assert said == ["waiting for cuda:1: another gdbench is using it (gdbench-x.lock is locked)"]
    assert not free(path)
    lock.release()
    assert free(path)


def test_an_interrupted_wait_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "lock"
    monkeypatch.setattr(device_lock, "_taken", lambda descriptor: False)
    monkeypatch.setattr("bench.judge.device_lock.time.sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        DeviceLock(path, "cuda", lambda message: None)
    assert path not in device_lock._held


def test_workers_of_one_judge_share_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, second = DeviceLock(path, "cuda"), DeviceLock(path, "cuda")
    first.release()
    first.release()
    assert not free(path)
    second.release()
    assert free(path)


def test_where_no_file_can_be_there_is_no_lock(tmp_path: Path) -> None:
    DeviceLock(tmp_path / "none" / "lock", "cuda").release()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    DeviceLock(tmp_path / "link", "cuda").release()
    assert not (tmp_path / "elsewhere").exists()


def test_devices_have_locks_of_their_own() -> None:
    names = {lock_file(device, given) for device, given in (("cuda", "GPU-1"), ("cuda:1", "GPU-2"), ("mps", None))}
    assert len(names) == 3
    assert lock_file("cuda", "GPU-1") == lock_file("cuda:1", "GPU-1")
