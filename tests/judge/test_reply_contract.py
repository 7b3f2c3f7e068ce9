"""The contract of a reply, where no worker on this machine can show it."""

import numpy as np
import pytest

from bench.backends import ArrayFacts
from bench.dtypes import DTYPES, encode
from bench.problems.problem import Problem
from bench.proof.contract import RawArray, RawReply, Trouble, judge_reply, trouble_failure
from bench.proof.subject import Answer, Failure
from bench.proof.verdict import Status

FLOAT32 = DTYPES["float32"]
PROBLEM = Problem(np.ones((4, 2)), np.ones((4, 1)), np.zeros((1, 2)), None, 0.1)


def reply(device: str, value: float = 1.0, changed: tuple[str, ...] = ()) -> RawReply:
    data = encode([[value, value]], FLOAT32)
    return RawReply(RawArray(ArrayFacts((1, 2), "float32", device), data), changed=changed)


@pytest.mark.parametrize("asked", ["cuda", "cuda:0"])
def test_first_device_has_two_spellings(asked: str) -> None:
    assert isinstance(judge_reply(reply("cuda"), PROBLEM, 3, FLOAT32, asked), Answer)


def test_result_on_another_device_is_broken() -> None:
    assert judge_reply(reply("cpu"), PROBLEM, 3, FLOAT32, "cuda") == Failure(
        Status.BROKEN, "contract.device", "w is on cpu where cuda was due"
    )


def test_changed_inputs_come_before_numbers_that_are_not_finite() -> None:
    failure = judge_reply(reply("cpu", float("inf"), ("x", "w0")), PROBLEM, 3, FLOAT32, "cpu")
    assert isinstance(failure, Failure)
    assert failure.cause == "contract.mutates-input"
    assert "x, w0" in failure.message


def test_clocks_reach_the_answer() -> None:
    answer = judge_reply(reply("cpu").timed(30, 20, 10), PROBLEM, 3, FLOAT32, "cpu")
    assert isinstance(answer, Answer)
    assert (answer.elapsed_ns, answer.cpu_ns, answer.queue_ns) == (30, 20, 10)
    assert answer.w.tolist() == [[1.0, 1.0]]
    assert answer.b is None


@pytest.mark.parametrize("trouble", list(Trouble))
def test_every_trouble_has_a_status(trouble: Trouble) -> None:
    failure = trouble_failure(trouble, "why")
    assert failure.message == "why"
    assert (failure.cause is not None) == (failure.status is Status.BROKEN)
