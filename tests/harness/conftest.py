"""The targets are for workers to import, not for pytest; and a clock that says the same on every machine."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest

from bench.proof.subject import Answer
from bench.timing.record import Timing
from bench.timing.session import Job

collect_ignore_glob = ["targets/*"]
MADE_UP = partial(
    Timing,
    ns_per_iter=1000.0,
    ci_low=990.0,
    ci_high=1010.0,
    setup_ns=500.0,
    first_call_ns=2000.0,
    launches=5,
    samples=100,
    discarded=0,
    queue_share=0.0,
    dispersion=0.01,
    setup_share=0.05,
    n_small=10,
    n_large=100,
    threads=1,
)


@pytest.fixture
def quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timed cells are launched, called and checked as ever; only what the clock says is made up."""

    def timed(
        jobs: Sequence[Job], on_launch: Callable[[Job, int], None] | None = None, **options: object
    ) -> Iterator[tuple[Job, Timing]]:
        for job in jobs:
            with job.launcher() as subject:
                problem = job.course.fresh(0)
                answer = subject.call(problem, 5, job.course.dtype)
            assert isinstance(answer, Answer)
            assert job.course.check(problem, 5, answer) is None
            if on_launch is not None:
                on_launch(job, 1)
            yield job, MADE_UP(verdict=job.verdict)

    monkeypatch.setattr("bench.harness.time_cells", timed)
