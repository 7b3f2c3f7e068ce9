"""A variant run in the judge's own process, for debugging: breakpoints work, and nothing is kept apart or stopped."""

import time
from types import TracebackType
from typing import Self

from bench.backends import Backend, backend_named, canonical_device
from bench.dtypes import Dtype, encode
from bench.errors import UnavailableError
from bench.judge.loading import LoadError, absolute_target, load_function
from bench.judge.running import Data, Runner, Start
from bench.problems.problem import Problem
from bench.proof.contract import judge_reply, trouble_failure
from bench.proof.subject import Answer, Failure
from bench.proof.verdict import Status
from bench.variants.contract import Variant


class InProcess:
    """The same running and the same checks as a worker's, without a worker: no deadline, no limit, no isolation."""

    isolation = "in-process (unproved)"

    def __init__(self, runner: Runner, backend: Backend, device: str) -> None:
        self._runner = runner
        self._backend = backend
        self._device = device

    @classmethod
    def load(cls, variant: Variant, device: str) -> "InProcess | Failure":
        """Import the variant into this process, or say why it cannot be."""
        device = canonical_device(device)
        try:
            backend = backend_named(variant.backend)
            if device != "cpu" and device not in backend.devices():
                here = ", ".join(backend.devices())
                raise UnavailableError(f"{backend.name} has no device {device!r} here; it has {here}")
            loaded = load_function(absolute_target(variant.target))
            # The user's own Ctrl-C is not the variant's doing.
            return cls(Runner(loaded, backend, device, (Exception, SystemExit)), backend, device)
        except LoadError as error:
            return trouble_failure(error.trouble, error.text)
        except UnavailableError as error:
            return Failure(Status.UNAVAILABLE, None, str(error))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to end."""

    def call(self, problem: Problem, n_iters: int, dtype: Dtype) -> Answer | Failure:
        """Run ``n_iters`` iterations in ``dtype``, here and now; see `bench.proof.subject.Subject`."""
        if dtype.name not in self._backend.computes_in(self._device):
            return Failure(Status.UNSUPPORTED, None, f"{self._backend.name} does not compute in {dtype.name}")
        data = Data(encode(problem.x, dtype), encode(problem.y, dtype), problem.x.shape, problem.y.shape, dtype)
        b0 = None if problem.b0 is None else encode(problem.b0, dtype)
        start = Start(encode(problem.w0, dtype), b0, float(problem.lr), n_iters)
        before_ns, cpu_before_ns = time.perf_counter_ns(), time.process_time_ns()
        raw = self._runner.run(data, start)
        elapsed_ns, cpu_ns = time.perf_counter_ns() - before_ns, time.process_time_ns() - cpu_before_ns
        return judge_reply(raw.timed(elapsed_ns, cpu_ns, 0), problem, n_iters, dtype, self._device)
