"""The judge's reading of bytes that a worker may have forged."""

import os
import struct
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from bench.backends import ArrayFacts
from bench.dtypes import DTYPES, encode
from bench.judge.channel import REQUEST_LIMIT_BYTES, ClosedError, JudgeChannel, OverdueError, WorkerChannel
from bench.judge.protocol import (
    HEADER,
    META_LIMIT_BYTES,
    Frame,
    Kind,
    ProtocolError,
    due_blocks,
    json_bytes,
    pack,
    pack_reply,
    read_reply,
    unpack_body,
    unpack_header,
)
from bench.proof.contract import Due, RawArray, RawReply, Trouble
from bench.proof.subject import DeviceReport, Watch

FLOAT32 = DTYPES["float32"]
DUE = Due((2, 3), (2,), (4,))
LIMITS = due_blocks(DUE, 4)


def array(*shape: int, dtype: str = "float32", device: str = "cpu") -> RawArray:
    return RawArray(ArrayFacts(shape, dtype, device), encode(np.ones(shape), DTYPES[dtype]))


REPLY = RawReply(array(2, 3), array(2), array(4), ("x",))


def frame_of(data: bytes) -> Frame:
    return unpack_body(unpack_header(data), memoryview(data)[HEADER.size :])


def replied(meta: object, *blocks: bytes) -> RawReply:
    head = pack(Kind.ANSWER, 1, json_bytes(meta), blocks)
    return read_reply(frame_of(b"".join((head, *blocks))), DUE, FLOAT32, "cpu")


@pytest.mark.parametrize(
    "reply",
    [
        REPLY,
        RawReply(array(2, 3), None, None),
        RawReply(RawArray(ArrayFacts((3, 2), "float32", "cpu"), b""), None, None),
        RawReply(RawArray(ArrayFacts((2, 3), "float64", "cpu"), b""), None, None),
        RawReply(trouble=Trouble.RAISED, text="ValueError"),
    ],
    ids=["whole", "without b", "wrong shape", "wrong dtype", "trouble"],
)
def test_reply_survives_the_journey(reply: RawReply) -> None:
    head, blocks = pack_reply(reply, 9)
    frame = frame_of(head + b"".join(blocks))
    assert frame.header.sequence == 9
    assert read_reply(frame, DUE, FLOAT32, "cpu") == reply


FACTS = [[2, 3], "float32", "cpu"]


@pytest.mark.parametrize(
    ("meta", "blocks", "message"),
    [
        ({"arrays": [FACTS, None, None], "changed": []}, [], "block of 0 bytes where 24"),
        ({"arrays": [FACTS, None, None], "changed": []}, [bytes(25)], "block of 25 bytes where 24"),
        ({"arrays": [None, None, None], "changed": []}, [bytes(24)], "block of 24 bytes where 0"),
        ({"arrays": [[[2, 3], "float64", "cpu"], None, None], "changed": []}, [bytes(24)], "block of 24 bytes where 0"),
        ({"arrays": [[["2", 3], "float32", "cpu"], None, None], "changed": []}, [], "describes no array"),
        ({"arrays": [[[True], "float32", "cpu"], None, None], "changed": []}, [], "describes no array"),
        ({"arrays": [[[1] * 65, "float32", "cpu"], None, None], "changed": []}, [], "describes no array"),
        ({"arrays": [FACTS], "changed": []}, [bytes(24)], "not an answer's"),
        ({"arrays": [None] * 3, "changed": ["lr"]}, [], "not an answer's"),
        ({"arrays": [None] * 3, "changed": [[]]}, [], "not an answer's"),
        ({"arrays": [None] * 3, "changed": ["x"] * 5}, [], "not an answer's"),
        ({"arrays": [None] * 3}, [], "not an answer's"),
        ([], [], "not an answer's"),
    ],
)
def test_forged_answer_is_refused(meta: object, blocks: list[bytes], message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        replied(meta, *blocks)


@pytest.mark.parametrize("meta", [b"{", b"\xff", b"NaN", b"[" * 100_000])
def test_text_that_is_no_json_is_refused(meta: bytes) -> None:
    with pytest.raises(ProtocolError, match="JSON"):
        frame_of(pack(Kind.ANSWER, 1, meta))


@pytest.mark.parametrize(
    "meta", [{"trouble": "none such", "text": ""}, {"trouble": [], "text": ""}, {"trouble": "raised"}, 3]
)
def test_unknown_trouble_is_refused(meta: object) -> None:
    with pytest.raises(ProtocolError, match="no known trouble"):
        read_reply(frame_of(pack(Kind.TROUBLE, 1, json_bytes(meta))), DUE, FLOAT32, "cpu")


def test_frame_of_another_kind_is_refused() -> None:
    with pytest.raises(ProtocolError, match="kind 16, not an answer"):
        read_reply(frame_of(pack(Kind.DONE, 1)), DUE, FLOAT32, "cpu")


def test_long_json_is_refused_before_it_is_read() -> None:
    header = struct.pack("<4sBB2xIQqdQQQ", b"gdb1", 17, 0, META_LIMIT_BYTES + 1, 1, 0, 0.0, 0, 0, 0)
    with pytest.raises(ProtocolError, match=f"announces {META_LIMIT_BYTES + 1} bytes of JSON"):
        unpack_header(header)


@pytest.fixture
def channel() -> Iterator[tuple[JudgeChannel, int, int]]:
    """The judge's end, whose worker is this process, and the worker's two descriptors."""
    requests_out, requests_in = os.pipe()
    replies_out, replies_in = os.pipe()
    judge = JudgeChannel(replies_out, requests_in, os.pidfd_open(os.getpid()))
    yield judge, requests_out, replies_in
    judge.close()
    for descriptor in (requests_out, replies_in):
        os.close(descriptor)


def soon(seconds: float = 20.0) -> int:
    return time.perf_counter_ns() + int(seconds * 1e9)


def test_reply_may_come_in_pieces(channel: tuple[JudgeChannel, int, int]) -> None:
    judge, _, replies = channel
    head, blocks = pack_reply(REPLY, 1)
    data = head + b"".join(blocks)

    def trickle() -> None:
        for start in range(0, len(data), 7):
            os.write(replies, data[start : start + 7])

    writer = threading.Thread(target=trickle)
    writer.start()
    frame, _ = judge.receive(LIMITS, soon())
    writer.join()
    assert read_reply(frame, DUE, FLOAT32, "cpu") == REPLY


def test_trickling_does_not_stretch_the_deadline(channel: tuple[JudgeChannel, int, int]) -> None:
    judge, _, replies = channel
    os.write(replies, pack_reply(REPLY, 1)[0][:7])
    with pytest.raises(OverdueError):
        judge.receive(LIMITS, soon(0.01))


def test_bytes_beyond_the_reply_are_refused(channel: tuple[JudgeChannel, int, int]) -> None:
    judge, _, replies = channel
    head, blocks = pack_reply(REPLY, 1)
    os.write(replies, head + b"".join(blocks) + b"more")
    assert judge.unasked()
    with pytest.raises(ProtocolError, match="followed by 4 bytes"):
        judge.receive(LIMITS, soon())


def test_blocks_beyond_the_limits_are_refused_before_they_are_read(channel: tuple[JudgeChannel, int, int]) -> None:
    judge, _, replies = channel
    os.write(replies, pack_reply(REPLY, 1)[0])
    with pytest.raises(ProtocolError, match="announces blocks"):
        judge.receive((24, 8, 15), soon())


def test_writing_to_one_who_does_not_read_ends_at_the_deadline(channel: tuple[JudgeChannel, int, int]) -> None:
    judge, _, _ = channel
    with pytest.raises(OverdueError):
        judge.send((bytes(1 << 22),), soon(0.05))


@pytest.mark.parametrize(
    ("blocks", "meta_bytes"), [((REQUEST_LIMIT_BYTES, 1, 0), 0), ((0, 0, 0), META_LIMIT_BYTES + 1)]
)
def test_the_worker_reads_no_endless_request(blocks: tuple[int, int, int], meta_bytes: int) -> None:
    out, into = os.pipe()
    os.write(into, HEADER.pack(b"gdb1", Kind.DATA, 0, meta_bytes, 1, 0, 0.0, *blocks))
    try:
        with pytest.raises(ProtocolError, match="announces"):
            WorkerChannel(out, into).receive()
    finally:
        os.close(out)
        os.close(into)


def test_writing_to_a_closed_pipe_says_so() -> None:
    requests_out, requests_in = os.pipe()
    replies_out, replies_in = os.pipe()
    judge = JudgeChannel(replies_out, requests_in, os.pidfd_open(os.getpid()))
    os.close(requests_out)
    os.close(replies_in)
    with pytest.raises(ClosedError):
        judge.send((b"hello",), soon())
    with pytest.raises(ClosedError):
        judge.receive(LIMITS, soon())
    judge.close()


WATCHED = RawReply(array(2, 3), array(2), array(4), ("x",), device=DeviceReport(12_000, 34_000, 512, None))


def watched_answer(device: object) -> RawReply:
    facts: list[object] = [None] * 3
    meta = {"arrays": facts, "changed": []} | ({} if device is None else {"device": device})
    return read_reply(frame_of(pack(Kind.ANSWER, 1, json_bytes(meta))), DUE, FLOAT32, "cpu", Watch.EVENTS)


def test_what_a_device_did_survives_the_journey() -> None:
    head, blocks = pack_reply(WATCHED, 9)
    frame = frame_of(head + b"".join(blocks))
    assert read_reply(frame, DUE, FLOAT32, "cpu", Watch.EVENTS) == WATCHED
    with pytest.raises(ProtocolError, match="not an answer's"):
        read_reply(frame, DUE, FLOAT32, "cpu")


REPORT = {"version": 1, "device_ns": 5, "host_ns": None, "allocated_bytes": 0, "kernel_ns": None}


def test_a_report_of_a_device_may_leave_anything_out() -> None:
    assert watched_answer(REPORT).device == DeviceReport(5, None, 0, None)


@pytest.mark.parametrize(
    "device",
    [
        REPORT | {"version": 2},
        REPORT | {"device_ns": -1},
        REPORT | {"device_ns": 1 << 62},
        REPORT | {"device_ns": 5.0},
        REPORT | {"device_ns": True},
        REPORT | {"device_ns": "5"},
        REPORT | {"more": 1},
        {name: each for name, each in REPORT.items() if name != "kernel_ns"},
        [],
        5,
    ],
)
def test_a_forged_report_of_a_device_is_refused(device: object) -> None:
    with pytest.raises(ProtocolError, match="no report of a device"):
        watched_answer(device)


def test_a_report_that_was_asked_for_and_is_not_there_is_refused() -> None:
    with pytest.raises(ProtocolError, match="not an answer's"):
        watched_answer(None)
