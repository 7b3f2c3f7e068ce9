"""The byte protocol between judge and worker: what a frame looks like, and the messages written in it.

A frame is a fixed header, a short JSON text, and up to three blocks of raw numbers; docs/protocol.md has the tables.
Nothing is pickled, and the judge checks every length against what was due before it reads on.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from enum import IntEnum
from functools import lru_cache
from typing import Any

from bench.backends import ArrayFacts
from bench.dtypes import Dtype
from bench.proof.contract import Due, RawArray, RawReply, Trouble
from bench.proof.subject import DeviceReport, Watch

MAGIC = b"gdb1"
HEADER = struct.Struct("<4sBB2xIQqdQQQ")
"""Magic, kind, flags, JSON bytes, sequence, n_iters, lr, and the bytes of the three blocks."""

ROW = struct.Struct("<Q")
"""Which row of the data a call changes; the row's numbers follow."""

META_LIMIT_BYTES = 1 << 20
NO_BLOCKS = (0, 0, 0)
INPUTS = ("x", "y", "w0", "b0")
HAS_BIAS = 1
"""A flag of a call; the others are those of `bench.proof.subject.Watch`."""

DEVICE_VERSION = 1
"""Of what an answer says of its device."""

REPORT_LIMIT = 1 << 62
"""No number of a report is as large."""


class Kind(IntEnum):
    """What a frame is: below 16 from the judge, from 16 on from the worker."""

    LOAD = 1
    DATA = 2
    CALL = 3
    DESCRIBE = 4
    DEVICES = 5
    MEMORY = 6
    LATENCIES = 7
    IDENTITY = 8
    DONE = 16
    ANSWER = 17
    TROUBLE = 18


class ProtocolError(Exception):
    """Bytes that are no frame, or not the frame that was due."""


@dataclass(frozen=True, slots=True)
class Header:
    """The fixed part of a frame.

    Attributes:
        sequence: the number of the request; a reply repeats it.
        n_iters: iterations of a call; in the reply to one, the nanoseconds that it took by the worker's own clock.
        lr: learning rate of a call.
        blocks: bytes of each of the three blocks.
    """

    kind: int
    flags: int
    meta_bytes: int
    sequence: int
    n_iters: int
    lr: float
    blocks: tuple[int, int, int]

    @property
    def body_bytes(self) -> int:
        """What follows the header."""
        return self.meta_bytes + sum(self.blocks)


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole message.

    Attributes:
        body: what follows the header: the bytes of the JSON and of the blocks.
    """

    header: Header
    meta: Any
    blocks: tuple[memoryview, memoryview, memoryview]
    body: memoryview

    def as_it_came(self) -> bytes:
        """The bytes of the message."""
        head = self.header
        fields = (head.kind, head.flags, head.meta_bytes, head.sequence, head.n_iters, head.lr)
        return HEADER.pack(MAGIC, *fields, *head.blocks) + self.body


def pack(
    kind: Kind,
    sequence: int,
    meta: bytes = b"",
    blocks: Sequence[bytes] = (),
    *,
    flags: int = 0,
    n_iters: int = 0,
    lr: float = 0.0,
) -> bytes:
    """The header and JSON of a frame; its blocks follow as they are."""
    lengths = [len(block) for block in blocks] + [0] * (3 - len(blocks))
    return HEADER.pack(MAGIC, kind, flags, len(meta), sequence, n_iters, lr, *lengths) + meta


def unpack_header(data: bytes | bytearray | memoryview) -> Header:
    """Read a header.

    Raises:
        ProtocolError: it does not start with the magic bytes, or its JSON is longer than any may be.
    """
    magic, kind, flags, meta_bytes, sequence, n_iters, lr, *blocks = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise ProtocolError(f"starts with {magic!r}, not with {MAGIC!r}")
    if meta_bytes > META_LIMIT_BYTES:
        raise ProtocolError(f"announces {meta_bytes} bytes of JSON; at most {META_LIMIT_BYTES} are read")
    return Header(kind, flags, meta_bytes, sequence, n_iters, lr, (blocks[0], blocks[1], blocks[2]))


def unpack_body(header: Header, body: memoryview) -> Frame:
    """Cut the bytes after a header into JSON and blocks.

    Raises:
        ProtocolError: the JSON is none.
    """
    meta = _strict_json(bytes(body[: header.meta_bytes])) if header.meta_bytes else None
    first, second, third = header.blocks
    start = header.meta_bytes
    second_start, third_start = start + first, start + first + second
    blocks = (body[start:second_start], body[second_start:third_start], body[third_start : third_start + third])
    return Frame(header, meta, blocks, body)


def pack_row(row: int, x: bytes, y: bytes) -> bytes:
    """The third block of a call: the row of x and y that is another in this call than in the data."""
    return ROW.pack(row) + x + y


def due_blocks(due: Due, itemsize: int) -> tuple[int, int, int]:
    """The bytes of w, b and losses that a right answer has; a block is that long, or empty."""
    return (
        _count(due.w) * itemsize,
        _count(due.b) * itemsize if due.b is not None else 0,
        _count(due.losses) * itemsize,
    )


def json_bytes(value: object) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def pack_reply(reply: RawReply, sequence: int, own_ns: int = 0) -> tuple[bytes, list[bytes]]:
    """The worker's answer to a call: header with JSON, and the blocks that follow it.

    Args:
        reply: what came of the call.
        sequence: the number of the request.
        own_ns: how long it took by the worker's own clock, which the judge has no need to believe.
    """
    if reply.trouble is not None:
        return pack(Kind.TROUBLE, sequence, json_bytes({"trouble": reply.trouble.value, "text": reply.text})), []
    arrays = (reply.w, reply.b, reply.losses)
    blocks = [array.data if array is not None else b"" for array in arrays]
    facts = tuple(array.facts if array is not None else None for array in arrays)
    meta = _answer_json(facts, reply.changed)
    if reply.device is not None:
        said = json_bytes({"version": DEVICE_VERSION, **asdict(reply.device)})
        meta = meta[:-1] + b',"device":' + said + b"}"
    return pack(Kind.ANSWER, sequence, meta, blocks, n_iters=own_ns), blocks


def read_reply(frame: Frame, due: Due, dtype: Dtype, device: str, watch: Watch = Watch.NOTHING) -> RawReply:
    """The judge's reading of a worker's answer.

    Args:
        frame: the answer.
        due: the shapes that were due.
        dtype: the format that was due.
        device: where the arrays were to be.
        watch: what the worker was asked to look at; unasked it may say nothing of its device.

    Raises:
        ProtocolError: a block has not the length that its facts ask for, or the JSON is not that of an answer.
    """
    if frame.header.kind == Kind.TROUBLE:
        trouble, text = read_trouble(frame)
        return RawReply(trouble=trouble, text=text)
    if frame.header.kind != Kind.ANSWER:
        raise ProtocolError(f"is of kind {frame.header.kind}, not an answer")
    meta = frame.meta
    wanted_keys = {"arrays", "changed", "device"} if watch else {"arrays", "changed"}
    if not isinstance(meta, dict) or set(meta) != wanted_keys:
        raise ProtocolError("has JSON that is not an answer's")
    listed, changed = meta["arrays"], meta["changed"]
    if not isinstance(listed, list) or len(listed) != 3 or not _is_subset(changed, INPUTS):
        raise ProtocolError("has JSON that is not an answer's")
    shapes = (due.w, due.b, due.losses)
    arrays: list[RawArray | None] = []
    for one, block, shape, length in zip(listed, frame.blocks, shapes, due_blocks(due, dtype.itemsize), strict=True):
        facts = None if one is None else _facts(one)
        wanted = length if is_due(facts, shape, dtype, device) else 0
        if len(block) != wanted:
            raise ProtocolError(f"has a block of {len(block)} bytes where {wanted} were due")
        arrays.append(None if facts is None else RawArray(facts, bytes(block)))
    said = read_report(meta["device"]) if watch else None
    return RawReply(arrays[0], arrays[1], arrays[2], tuple(changed), device=said)


def read_report(said: object) -> DeviceReport:
    """What a worker says of its device: whole numbers from 0 on, or nothing.

    Raises:
        ProtocolError: it is anything else, or of another version.
    """
    names = [field.name for field in fields(DeviceReport)]
    if not isinstance(said, dict) or set(said) != {"version", *names} or said["version"] != DEVICE_VERSION:
        raise ProtocolError("has JSON that is no report of a device")
    numbers = [said[name] for name in names]
    if not all(each is None or (type(each) is int and 0 <= each < REPORT_LIMIT) for each in numbers):
        raise ProtocolError("has JSON that is no report of a device")
    return DeviceReport(*numbers)


def is_due(facts: ArrayFacts | None, shape: tuple[int, ...] | None, dtype: Dtype, device: str) -> bool:
    """Whether an array is as it should be: only then do its numbers travel."""
    return facts is not None and (facts.shape, facts.dtype, facts.device) == (shape, dtype.name, device)


def read_trouble(frame: Frame) -> tuple[Trouble, str]:
    """What a worker says went wrong, as one printable line of bounded length.

    Raises:
        ProtocolError: it names no trouble of the closed list.
    """
    meta = frame.meta
    if not isinstance(meta, dict) or meta.get("trouble") not in list(Trouble) or not isinstance(meta.get("text"), str):
        raise ProtocolError("has JSON that names no known trouble")
    return Trouble(meta["trouble"]), one_line(meta["text"])


def one_line(text: str, limit: int = 400) -> str:
    r"""Text from a worker, made fit for a table: one line, printable, not endless.

    >>> one_line("two\nlines, \x1b[31mred\x1b[0m")
    'two lines, \\x1b[31mred\\x1b[0m'
    """
    joined = " ".join(text[: 4 * limit].split())
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in joined)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


# One call is like the next: the same text is sent again and again.
@lru_cache(maxsize=64)
def _answer_json(facts: tuple[ArrayFacts | None, ...], changed: tuple[str, ...]) -> bytes:
    arrays = [None if one is None else [list(one.shape), one.dtype, one.device] for one in facts]
    return json_bytes({"arrays": arrays, "changed": list(changed)})


def _facts(listed: object) -> ArrayFacts:
    match listed:
        case [list(shape), str(dtype), str(device)] if len(shape) <= 64 and all(type(n) is int for n in shape):
            return ArrayFacts(tuple(shape), one_line(dtype, 40), one_line(device, 40))
        case _:
            raise ProtocolError("has JSON that describes no array")


def _is_subset(names: object, allowed: tuple[str, ...]) -> bool:
    return isinstance(names, list) and len(names) <= len(allowed) and all(name in allowed for name in names)


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for extent in shape:
        count *= extent
    return count


def _strict_json(data: bytes) -> Any:
    def refuse(text: str) -> None:
        raise ProtocolError(f"has JSON with the constant {text}")

    try:
        return json.loads(data, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"has text that is no JSON: {error}") from error
