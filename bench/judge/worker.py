"""The worker: the process in which a variant is loaded and run. It reads requests and writes replies, as raw bytes.

``python -m bench.judge.worker MECHANISMS`` is the spawned kind; the fork server calls `main` in a forked child.
"""

import faulthandler
import importlib
import os
import random
import socket
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace

from bench.backends import backend_named
from bench.dtypes import dtype_named
from bench.errors import UnavailableError
from bench.judge.accelerator import accelerator_of
from bench.judge.channel import WorkerChannel
from bench.judge.confinement import limit_memory
from bench.judge.later import used_later
from bench.judge.loading import LoadError, described, extend_path, load_function, registered_by
from bench.judge.mechanisms import Mechanism, Mechanisms
from bench.judge.output import cap_output
from bench.judge.protocol import HAS_BIAS, Frame, Kind, json_bytes, pack, pack_reply
from bench.judge.running import Data, Runner, Start
from bench.judge.segment import mapped
from bench.judge.strangers import refuse_strangers
from bench.proof.contract import RawReply, Trouble
from bench.proof.subject import Watch
from bench.variants.contract import VariantFunction

REQUESTS_DESCRIPTOR = 3
REPLIES_DESCRIPTOR = 4
SEGMENTS_DESCRIPTOR = 5
_SAID_LETTERS = 500
Around = Callable[[VariantFunction], VariantFunction]


class Worker:
    """What a worker knows between two requests."""

    def __init__(self, segments: socket.socket, around: Around | None = None) -> None:
        self._segments = segments
        self._around = around
        self._runner: Runner | None = None
        self._data: Data | None = None
        self._padding: list[bytearray] = []

    def answer(self, frame: Frame) -> tuple[bytes, list[bytes]]:
        """The reply to one request: a head, and the blocks that follow it."""
        sequence = frame.header.sequence
        try:
            if frame.header.kind == Kind.CALL:
                began_ns = time.perf_counter_ns()
                reply = self._call(frame)
                return pack_reply(reply, sequence, time.perf_counter_ns() - began_ns)
            return pack(Kind.DONE, sequence, json_bytes(self._requests[Kind(frame.header.kind)](self, frame))), []
        except LoadError as error:
            return pack_reply(RawReply(trouble=error.trouble, text=error.text), sequence)
        except UnavailableError as error:
            return pack_reply(RawReply(trouble=Trouble.UNAVAILABLE, text=str(error)), sequence)

    def _load(self, frame: Frame) -> object:
        meta = frame.meta
        backend = backend_named(meta["backend"])
        if meta["device"] != "cpu" and meta["device"] not in backend.devices():
            raise UnavailableError(
                f"{meta['backend']} has no device {meta['device']!r} here; it has {', '.join(backend.devices())}"
            )
        limited = meta["memory_bytes"] is not None and limit_memory(meta["memory_bytes"])
        self._padding = _padded(meta["padding"])
        extend_path(meta["path"], meta["first"])
        before = list(sys.modules)
        loaded = load_function(meta["target"])
        refuse_strangers(loaded, before, meta["trees"])
        if self._around is not None:
            loaded = replace(loaded, function=self._around(loaded.function))
        self._runner = Runner(loaded, backend, meta["device"])
        return {
            "file": loaded.file[-1000:],
            "memory_limited": limited,
            "device_id": self._runner.device_id,
            "uses": used_later(before, loaded.file),
        }

    def _hold(self, frame: Frame) -> object:
        meta, (x, y, _) = frame.meta, frame.blocks
        if meta["sealed"] is not None:
            _, descriptors, _, _ = socket.recv_fds(self._segments, 1, 1)
            x, y = mapped(descriptors[0], meta["sealed"])
            os.close(descriptors[0])
        self._data = Data(x, y, tuple(meta["x"]), tuple(meta["y"]), dtype_named(meta["dtype"]))
        return None

    def _describe(self, frame: Frame) -> object:
        extend_path(frame.meta["path"])
        return [asdict(variant) for variant in registered_by(frame.meta["target"])]

    def _devices(self, frame: Frame) -> object:
        with warnings.catch_warnings(record=True) as said:
            # A CUDA that does not start is no error: torch warns of the reason and has no device.
            warnings.simplefilter("always")
            try:
                importlib.import_module(frame.meta["backend"])
            except Exception as error:
                raise UnavailableError(f"{frame.meta['backend']} does not import: {described(error)}") from error
            names = backend_named(frame.meta["backend"]).devices()
        told = dict.fromkeys(str(one.message) for one in said if issubclass(one.category, UserWarning))
        return {"devices": names, "said": "; ".join(told)[:_SAID_LETTERS]}

    def _memory(self, frame: Frame) -> object:  # noqa: ARG002 - an answer like the others
        return None if self._runner is None else self._runner.peak_device_bytes()

    def _latencies(self, frame: Frame) -> object:
        accelerator = accelerator_of(frame.meta["backend"], frame.meta["device"])
        return None if accelerator is None else accelerator.latencies()

    def _identity(self, frame: Frame) -> object:
        accelerator = accelerator_of(frame.meta["backend"], frame.meta["device"])
        return None if accelerator is None else accelerator.identity()

    def _call(self, frame: Frame) -> RawReply:
        if self._runner is None or self._data is None:
            raise RuntimeError("the judge asked for a call before it had sent a target and data")
        header, (w0, b0, row) = frame.header, frame.blocks
        watch = Watch(header.flags & ~HAS_BIAS)
        start = Start(w0, b0 if header.flags & HAS_BIAS else None, header.lr, header.n_iters, row or None, watch)
        return self._runner.run(self._data, start)

    _requests: dict[Kind, Callable[["Worker", Frame], object]] = {  # noqa: RUF012 - a table, never written to
        Kind.LOAD: _load,
        Kind.DATA: _hold,
        Kind.DESCRIBE: _describe,
        Kind.DEVICES: _devices,
        Kind.MEMORY: _memory,
        Kind.LATENCIES: _latencies,
        Kind.IDENTITY: _identity,
    }


def _padded(seed: int) -> list[bytearray]:
    """Memory of a random extent, so that no two launches have the variant's objects in the same places."""
    chance = random.Random(seed)  # noqa: S311 - a layout that can be repeated, not a secret
    return [bytearray(chance.randrange(16, 8192)) for _ in range(chance.randrange(64))]


def settings_of(on: Mechanisms) -> str:
    """The mechanisms that are switched on, for a command line."""
    return ",".join(mechanism.name for mechanism in Mechanism if mechanism in on)


def serve(settings: str, around: Around | None = None) -> None:
    """Answer requests until the judge closes its end.

    Args:
        settings: the mechanisms that are switched on, as `settings_of` writes them.
        around: what to make of the variant's function before it is called.
    """
    sys.dont_write_bytecode = True
    if Mechanism.CAPPED_OUTPUT.name in settings.split(","):
        cap_output()
    faulthandler.enable()
    channel = WorkerChannel(REQUESTS_DESCRIPTOR, REPLIES_DESCRIPTOR)
    worker = Worker(socket.socket(fileno=SEGMENTS_DESCRIPTOR), around)
    while (frame := channel.receive()) is not None:
        channel.send(*worker.answer(frame))


def main(settings: str, around: Around | None = None) -> None:
    """Serve, and leave without the libraries' slow farewell."""
    serve(settings, around)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
