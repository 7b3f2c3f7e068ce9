"""What is kept of a proof's calls, and what a replay makes of it."""

from collections import deque
from typing import Any, cast

import numpy as np
import pytest

from bench.backends import ArrayFacts
from bench.dtypes import DTYPES, Dtype, encode
from bench.errors import UsageError
from bench.judge import exchange
from bench.judge.exchange import Exchange, Recorder, Replay, UnrecordedError, read_exchange
from bench.judge.protocol import HEADER, Frame, pack_reply, unpack_body, unpack_header
from bench.judge.subject import Worker
from bench.problems.problem import Problem
from bench.proof.contract import Due, RawArray, RawReply, Trouble, judge_reply
from bench.proof.subject import Answer, Failure, Reply
from bench.proof.verdict import Status
from bench.runs.exchanges import digest_of

F64 = DTYPES["float64"]
ONE = Problem(np.arange(4.0).reshape(4, 1), np.ones((4, 1)), np.zeros((1, 1)), np.zeros(1), 0.1)
NO_BIAS = Problem(np.ones((3, 2)), np.ones((3, 1)), np.full((1, 2), 0.5), None, 0.25)


class Scripted:
    """A worker that sends what it is told to, one after the other."""

    def __init__(self, *script: RawReply | Failure) -> None:
        self._script = deque(script)
        self.last_reply: Frame | None = None

    def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Reply:
        self.last_reply = None
        sent = self._script.popleft()
        if isinstance(sent, Failure):
            return sent
        head, blocks = pack_reply(sent, 7)
        header = unpack_header(head)
        self.last_reply = unpack_body(header, memoryview(b"".join((head, *blocks)))[HEADER.size :])
        return judge_reply(sent, problem, n_iters, dtype, "cpu")


def answer(problem: Problem, value: float, dtype: Dtype = F64, n_iters: int = 0) -> RawReply:
    due = Due.of(problem.x.shape, problem.y.shape, problem.b0 is not None, n_iters)

    def array(shape: tuple[int, ...]) -> RawArray:
        return RawArray(ArrayFacts(shape, dtype.name, "cpu"), encode(np.full(shape, value), dtype))

    return RawReply(array(due.w), None if due.b is None else array(due.b), array(due.losses))


def recorded(calls: list[tuple[Problem, int, Dtype]], *script: RawReply | Failure) -> tuple[list[Reply], list[bytes]]:
    recorder = Recorder(cast(Worker, Scripted(*script)))
    replies = [recorder.call(*call) for call in calls]
    return replies, recorder.blobs(ONE, "float64", "cpu:0", ["float64", "float32"], None)


def read(blobs: list[bytes]) -> Exchange:
    return read_exchange(blobs[0], {digest_of(blob): blob for blob in blobs}.__getitem__, "here")


def same(one: Reply, other: Reply) -> bool:
    if isinstance(one, Failure) or isinstance(other, Failure):
        return one == other
    return all(
        np.array_equal(cast(Any, getattr(one, name)), cast(Any, getattr(other, name))) for name in ("w", "b", "losses")
    )


def test_a_replay_answers_as_the_worker_did() -> None:
    calls = [(ONE, 0, F64), (NO_BIAS, 2, F64), (ONE, 3, DTYPES["bfloat16"]), (ONE, 0, DTYPES["float32"])]
    replies, blobs = recorded(
        calls,
        answer(ONE, 0.5),
        answer(NO_BIAS, float("nan"), n_iters=2),
        answer(ONE, 1.5, DTYPES["bfloat16"], n_iters=3),
        RawReply(trouble=Trouble.UNSUPPORTED, text="not in float32"),
    )
    assert [reply.status for reply in replies if isinstance(reply, Failure)] == [Status.BROKEN, Status.UNSUPPORTED]
    held = read(blobs)
    assert (held.dtype, held.device, held.computes_in, held.iterations) == (
        "float64",
        "cpu",
        ("float64", "float32"),
        None,
    )
    assert np.array_equal(held.problem.x, ONE.x)
    assert held.problem.lr == ONE.lr
    replay = Replay(held)
    assert all(same(replay.call(*call), reply) for call, reply in reversed(list(zip(calls, replies, strict=True))))
    assert replay.unused == 0


def test_equal_calls_are_answered_in_their_order() -> None:
    _, blobs = recorded([(ONE, 0, F64)] * 3, answer(ONE, 1.0), answer(ONE, 2.0), Failure(Status.TIMEOUT, None, "late"))
    replay = Replay(read(blobs))
    first, second, third = (replay.call(ONE, 0, F64) for _ in range(3))
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert (first.w[0, 0], second.w[0, 0], third) == (1.0, 2.0, Failure(Status.TIMEOUT, None, "late"))
    with pytest.raises(UnrecordedError, match="0 iterations in float64"):
        replay.call(ONE, 0, F64)


@pytest.mark.parametrize(
    "other",
    [
        (Problem(ONE.x, ONE.y, ONE.w0, ONE.b0, 0.2), 0, F64),
        (Problem(ONE.x, ONE.y, ONE.w0 + 1, ONE.b0, 0.1), 0, F64),
        (Problem(ONE.x, ONE.y, ONE.w0, None, 0.1), 0, F64),
        (Problem(ONE.x, ONE.y + 1, ONE.w0, ONE.b0, 0.1), 0, F64),
        (Problem(ONE.x.reshape(2, 2, 1), ONE.y.reshape(2, 2, 1), ONE.w0, ONE.b0, 0.1), 0, F64),
        (ONE, 1, F64),
        (ONE, 0, DTYPES["float32"]),
    ],
    ids=["lr", "start", "bias", "data", "shape", "n", "dtype"],
)
def test_anything_else_was_not_recorded(other: tuple[Problem, int, Dtype]) -> None:
    _, blobs = recorded([(ONE, 0, F64)], answer(ONE, 1.0))
    with pytest.raises(UnrecordedError):
        Replay(read(blobs)).call(*other)


def test_data_that_calls_share_are_kept_once() -> None:
    _, blobs = recorded([(ONE, 0, F64)] * 3, *[answer(ONE, 1.0)] * 3)
    assert len(blobs) == 2


def test_what_is_too_large_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MOST_BYTES", 1000)
    assert recorded([(ONE, 0, F64)] * 3, *[answer(ONE, 1.0)] * 3)[1]
    _, blobs = recorded([(ONE, 0, F64)] * 20, *[answer(ONE, 1.0)] * 20)
    assert blobs == []


def test_data_that_do_not_fit_the_exchange_are_refused() -> None:
    _, blobs = recorded([(ONE, 0, F64)], answer(ONE, 1.0))
    _, others = recorded([(NO_BIAS, 0, F64)], answer(NO_BIAS, 1.0))
    wrong = next(blob for blob in others[1:] if blob not in blobs)
    with pytest.raises(UsageError, match="has no usable field"):
        read_exchange(blobs[0], lambda digest: wrong, "here")
