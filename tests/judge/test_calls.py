"""What an honest variant is given and what comes back: exact bytes, in every dtype, through every kind of worker."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.dtypes import DTYPES, FloatArray, rounded
from bench.errors import UsageError
from bench.judge.inprocess import InProcess
from bench.judge.protocol import Kind
from bench.judge.subject import Worker
from bench.judge.workshop import Workshop
from bench.problems.problem import Problem
from bench.proof.subject import Answer, Failure, Subject
from bench.proof.verdict import Status
from bench.variants.contract import Variant

VariantAt = Callable[..., Variant]
FLOAT64 = DTYPES["float64"]


def launched(workshop: Workshop, variant: Variant) -> Worker:
    worker = workshop.launch(variant, "cpu")
    assert isinstance(worker, Worker), worker
    return worker


def answer(subject: Subject, problem: Problem, n_iters: int = 4, dtype: str = "float64") -> Answer:
    reply = subject.call(problem, n_iters, DTYPES[dtype])
    assert isinstance(reply, Answer), reply
    return reply


def descended(problem: Problem, n_iters: int) -> tuple[FloatArray, FloatArray]:
    w, b = problem.w0, np.asarray(problem.b0)
    for _ in range(n_iters):
        residual = problem.x @ w.T + b - problem.y
        w = w - problem.lr * 2 / residual.size * residual.T @ problem.x
        b = b - problem.lr * 2 / residual.size * residual.sum(axis=0)
    return w, b


@pytest.mark.parametrize(("target", "backend"), [("honest.py:honest", "numpy"), ("honest_torch.py:honest", "torch")])
def test_honest_variant_descends(
    workshop: Workshop, variant_at: VariantAt, problem: Problem, target: str, backend: str
) -> None:
    w, b = descended(problem, 6)
    with launched(workshop, variant_at(target, backend)) as worker:
        assert worker.isolation.startswith("fork; ")
        reply = answer(worker, problem, 6)
        np.testing.assert_allclose(reply.w, w, rtol=1e-13)
        assert reply.b is not None
        np.testing.assert_allclose(reply.b, b, rtol=1e-13)
        assert reply.losses is not None
        assert reply.losses.shape == (6,)
        assert reply.losses[0] == pytest.approx(np.mean((problem.x @ problem.w0.T + problem.b0 - problem.y) ** 2))
        assert reply.elapsed_ns > 0
        assert reply.cpu_ns > 0
        assert reply.queue_ns >= 0


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_torch_round_trip_is_exact(workshop: Workshop, variant_at: VariantAt, dtype: str) -> None:
    values = rounded([[0.1, -1e-7, 6.1e-5], [3.0, -0.0, 65000.0]], DTYPES[dtype])
    problem = Problem(np.ones((1, 3)), np.ones((1, 2)), values, values[:, 2], 0.1)
    with launched(workshop, variant_at("honest_torch.py:start", "torch")) as worker:
        reply = answer(worker, problem, 0, dtype)
    assert reply.w.tobytes() == values.tobytes()
    assert reply.b is not None
    assert reply.b.tobytes() == values[:, 2].tobytes()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_numpy_round_trip_is_exact(workshop: Workshop, variant_at: VariantAt, dtype: str) -> None:
    values = rounded([[0.1, -1e-7, 6.1e-5], [3.0, -0.0, 65000.0]], DTYPES[dtype])
    problem = Problem(np.ones((1, 3)), np.ones((1, 2)), values, values[:, 2], 0.1)
    with launched(workshop, variant_at("honest.py:unregistered")) as worker:
        assert answer(worker, problem, 0, dtype).w.tobytes() == values.tobytes()


def test_computes_in_the_dtype_that_was_asked_for(workshop: Workshop, variant_at: VariantAt, problem: Problem) -> None:
    pytest.importorskip("torch")
    with launched(workshop, variant_at("honest_torch.py:honest", "torch")) as worker:
        replies = [
            answer(worker, problem, 3, dtype) for dtype in ("float64", "float32", "float16", "bfloat16", "float64")
        ]
    errors = [np.abs(reply.w - replies[0].w).max() for reply in replies]
    assert 0 < errors[1] < 1e-6 < errors[2] < 1e-2
    assert errors[2] < errors[3] < 0.1
    assert errors[4] == 0


def test_data_follow_the_problem(workshop: Workshop, variant_at: VariantAt, problem: Problem) -> None:
    other = replace(problem, x=problem.x * 2, y=problem.y + 1)
    with launched(workshop, variant_at("honest.py:honest")) as worker:
        seen = [answer(worker, one, 5).w for one in (problem, other, problem, replace(problem, lr=0.0625), problem)]
    assert np.array_equal(seen[0], seen[2])
    assert np.array_equal(seen[0], seen[4])
    assert not np.allclose(seen[0], seen[1])
    assert not np.allclose(seen[0], seen[3])


def test_data_are_sent_once(
    monkeypatch: pytest.MonkeyPatch, workshop: Workshop, variant_at: VariantAt, problem: Problem
) -> None:
    asked: list[Kind] = []

    def counted(kind: Kind, *arguments: Any) -> Any:
        asked.append(kind)
        return ask(kind, *arguments)

    with launched(workshop, variant_at("honest.py:honest")) as worker:
        ask = worker._process.ask
        monkeypatch.setattr(worker._process, "ask", counted)
        for n_iters in (0, 1, 2):
            answer(worker, replace(problem, lr=0.1 * n_iters), n_iters)
        assert asked == [Kind.DATA]
        answer(worker, problem, 1, "float32")
        assert asked == [Kind.DATA, Kind.DATA]


def test_batches_and_problems_without_bias(workshop: Workshop, variant_at: VariantAt) -> None:
    random = np.random.default_rng(3)
    x, y, w0 = (random.normal(size=shape) for shape in ((7, 5, 3), (7, 5, 2), (7, 2, 3)))
    batch = Problem(x, y, w0, None, 0.1)
    with launched(workshop, variant_at("honest.py:unregistered")) as worker:
        reply = answer(worker, batch)
        assert reply.w.shape == (7, 2, 3)
        assert reply.b is None
        assert reply.losses is None
    with launched(workshop, variant_at("faulty.py:needless_b")) as worker:
        failure = worker.call(replace(batch, x=batch.x[0], y=batch.y[0], w0=batch.w0[0]), 1, FLOAT64)
    assert failure == Failure(
        Status.BROKEN, "contract.shape", "b has shape (2,) where None was due: the problem has no bias"
    )


def test_large_data_and_answers_travel_whole(workshop: Workshop, variant_at: VariantAt) -> None:
    random = np.random.default_rng(5)
    x = random.normal(size=(40, 20_000))
    problem = Problem(x, random.normal(size=(40, 2)), random.normal(size=(2, 20_000)), None, 0.1)
    with launched(workshop, variant_at("honest.py:unregistered")) as worker:
        assert np.array_equal(answer(worker, problem).w, problem.w0)


@pytest.mark.parametrize("function", ["deceiving_w", "big_endian_w", "transposed_w"])
def test_numpy_arrays_are_read_as_what_they_are(
    workshop: Workshop, variant_at: VariantAt, problem: Problem, function: str
) -> None:
    with launched(workshop, variant_at(f"faulty.py:{function}")) as worker:
        assert np.array_equal(answer(worker, problem).w, problem.w0)


@pytest.mark.parametrize("function", ["deceiving_w", "parameter_w"])
def test_tensors_are_read_as_what_they_are(
    workshop: Workshop, variant_at: VariantAt, problem: Problem, function: str
) -> None:
    pytest.importorskip("torch")
    with launched(workshop, variant_at(f"faulty_torch.py:{function}", "torch")) as worker:
        assert np.array_equal(answer(worker, problem).w, problem.w0)


def test_worker_holds_its_own_descriptors_and_no_judge(
    workshop: Workshop, variant_at: VariantAt, problem: Problem
) -> None:
    with launched(workshop, variant_at("faulty.py:looks_around")) as worker:
        reply = answer(worker, problem)
    # Its six, and the one that the mapping of the segment keeps.
    assert (reply.w == 7).all()
    assert reply.b is not None
    assert (reply.b == 0).all()


def test_launches_do_not_share_random_numbers(workshop: Workshop, variant_at: VariantAt, problem: Problem) -> None:
    drawn = []
    for _ in range(2):
        with launched(workshop, variant_at("faulty.py:draws")) as worker:
            drawn.append(answer(worker, problem).w)
    assert not np.array_equal(drawn[0], drawn[1])


def test_targets_may_be_modules_relative_files_and_parts_of_packages(
    monkeypatch: pytest.MonkeyPatch, workshop: Workshop, variant_at: VariantAt, problem: Problem
) -> None:
    folder = Path(variant_at("honest.py").target).parent
    monkeypatch.chdir(folder.parent)
    monkeypatch.syspath_prepend(str(folder))
    for target in (
        "honest:honest",
        "targets/honest.py:honest",
        "package.inside:inside",
        "targets/package/inside.py:inside",
    ):
        with launched(workshop, Variant("test", "numpy", "test", target)) as worker:
            answer(worker, problem)


def test_spawned_worker_does_the_same(
    monkeypatch: pytest.MonkeyPatch, workshop: Workshop, variant_at: VariantAt, problem: Problem
) -> None:
    with launched(workshop, variant_at("honest.py:honest")) as forked:
        expected = answer(forked, problem)
    monkeypatch.setattr("bench.judge.workshop._FORKED", ())
    with launched(workshop, variant_at("honest.py:honest")) as spawned:
        assert spawned.isolation.startswith("spawn; ")
        assert np.array_equal(answer(spawned, problem).w, expected.w)
    with launched(workshop, variant_at("faulty.py:exit_3")) as spawned:
        failure = spawned.call(problem, 1, FLOAT64)
    assert isinstance(failure, Failure)
    assert failure.message.startswith("exited with code 3 during call of 1 iterations")


def test_start_that_does_not_fit_is_the_callers_error(
    workshop: Workshop, variant_at: VariantAt, problem: Problem
) -> None:
    with launched(workshop, variant_at("honest.py:honest")) as worker:
        with pytest.raises(UsageError, match=r"w0 \(3, 2\)"):
            worker.call(replace(problem, w0=problem.w0.T), 1, FLOAT64)
        with pytest.raises(UsageError, match="n_iters -1"):
            worker.call(problem, -1, FLOAT64)
        answer(worker, problem)


def test_in_process_gives_the_same_answers(workshop: Workshop, variant_at: VariantAt, problem: Problem) -> None:
    with launched(workshop, variant_at("honest.py:honest")) as worker:
        expected = answer(worker, problem)
    subject = InProcess.load(variant_at("honest.py:honest"), "cpu")
    assert isinstance(subject, InProcess)
    reply = answer(subject, problem)
    assert np.array_equal(reply.w, expected.w)
    assert np.array_equal(reply.losses, expected.losses)  # type: ignore[arg-type]
    assert subject.isolation == "in-process (unproved)"


def test_in_process_names_the_same_faults(variant_at: VariantAt, problem: Problem, tmp_path: Path) -> None:
    subject = InProcess.load(variant_at("faulty.py:raises"), "cpu")
    assert isinstance(subject, InProcess)
    failure = subject.call(problem, 1, FLOAT64)
    assert isinstance(failure, Failure)
    assert failure.cause == "contract.raised"
    assert InProcess.load(variant_at("absent.py:f"), "cpu") == Failure(
        Status.BROKEN, "contract.raised", f"does not import: there is no file {variant_at('absent.py').target}"
    )
    absent = InProcess.load(variant_at("honest.py:honest"), "cuda")
    assert isinstance(absent, Failure)
    assert absent.status is Status.UNAVAILABLE
