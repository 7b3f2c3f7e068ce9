"""Judge and worker on one processor at a time."""

import os
import random
import subprocess
import sys

import pytest

from bench.judge.affinity import on_one_processor

needs_placing = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="this system does not let threads be placed"
)


@needs_placing
def test_both_move_from_processor_to_processor_and_the_judge_is_let_go() -> None:
    allowed = os.sched_getaffinity(0)
    worker = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        seen: list[int] = []
        with on_one_processor([worker.pid], random.Random(0)) as move:
            assert move is not None
            for _ in allowed:
                assert os.sched_getaffinity(0) == os.sched_getaffinity(worker.pid)
                seen += os.sched_getaffinity(0)
                move()
        assert sorted(seen) == sorted(allowed)
        assert os.sched_getaffinity(0) == allowed
    finally:
        worker.communicate(b"\n")


@needs_placing
def test_a_worker_that_is_gone_stops_nobody() -> None:
    worker = subprocess.Popen([sys.executable, "-c", ""])
    worker.wait()
    with on_one_processor([worker.pid], random.Random(0)) as move:
        assert move is not None
        move()


def test_nothing_moves_where_threads_cannot_be_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    with on_one_processor([os.getpid()], random.Random(0)) as move:
        assert move is None


@needs_placing
def test_processors_that_are_taken_away_end_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    place = os.sched_setaffinity
    gone = {allowed[0]}

    def refuse(pid: int, processors: set[int]) -> None:
        if set(processors) <= gone:
            raise OSError(22, "Invalid argument")
        place(pid, processors)

    with on_one_processor([], random.Random(0)) as move:
        assert move is not None
        monkeypatch.setattr(os, "sched_setaffinity", refuse)
        for _ in range(3):
            move()
            assert len(allowed) == 1 or os.sched_getaffinity(0).isdisjoint(gone)
        gone.update(allowed)
        move()
    monkeypatch.undo()
    place(0, allowed)
