"""Proofs that are made beside each other: the same as one by one, and given up without a trace."""

import time
from pathlib import Path

import pytest

from bench.backends import BACKENDS
from bench.harness import Harness, Options, Proved
from bench.judge.workshop import WorkerLimits, Workshop
from bench.plan import Cell, Request
from bench.proof.verdict import Status

HOSTILE = Path(__file__).parent / "targets" / "hostile.py"
AT_ONCE = 3


@pytest.fixture
def processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.harness.processors", lambda: AT_ONCE)


def request(*functions: str, dtypes: tuple[str, ...] = ("float64",)) -> Request:
    return Request(
        targets=tuple(f"{HOSTILE}:{function}" for function in functions), problems=("line-4", "norris"), dtypes=dtypes
    )


def findings(proofs: list[Proved]) -> list[tuple[object, ...]]:
    return [(one.cell.key, one.verdict.finding, len(one.exchange)) for one in proofs]


@pytest.fixture
def apart() -> None:
    with Workshop() as workshop:
        if not workshop.keeps_apart:
            pytest.skip("workers have no PID namespaces here")


@pytest.mark.usefixtures("processors")
def test_proofs_beside_each_other_are_those_made_one_by_one() -> None:
    with Harness() as harness:
        cells = harness.plan(
            request("honest", "declines", "not_finite", "raises", "crashes", dtypes=("float64", "float32"))
        )
        waited: list[Cell] = []
        recorded = {cell.key for cell in cells[::2]}
        at_once = list(harness.prove_all(cells, recorded=recorded, on_wait=waited.append))
        one_by_one = [harness.prove(cell, recorded=cell.key in recorded) for cell in cells]
    assert waited == cells
    assert findings(at_once) == findings(one_by_one)


@pytest.mark.usefixtures("processors")
def test_each_watches_the_iterations_that_it_was_asked_for() -> None:
    with Harness() as harness:
        cells = harness.plan(request("honest"))
        proofs = list(harness.prove_all(cells, iterations=[700, None]))
    assert proofs[0].verdict.finding.checked_to == 700


@pytest.mark.usefixtures("processors", "apart")
def test_what_a_neighbour_may_bring_about_is_proved_once_more_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    proved: list[str] = []
    prove = Harness.prove

    def counted(harness: Harness, cell: Cell, *rest: object, **options: object) -> Proved:
        proved.append(cell.variant.name)
        return prove(harness, cell, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Harness, "prove", counted)
    with Harness(Options(limits=WorkerLimits(call_seconds=2.0))) as harness:
        cells = harness.plan(request("honest", "crashes", "hangs"))
        proofs = list(harness.prove_all(cells))
    statuses = {one.cell.variant.name.partition(":")[2]: one.verdict.finding.status for one in proofs}
    assert statuses == {"honest": Status.PROVED, "crashes": Status.CRASHED, "hangs": Status.TIMEOUT}
    again = {name.partition(":")[2]: proved.count(name) - 2 for name in proved}
    # One each of the two problems; an honest one that had no time beside what hangs has it alone.
    assert again["crashes"] == 0
    assert again["hangs"] == 2


@pytest.mark.usefixtures("processors")
def test_proofs_that_nobody_waits_for_any_more_end_at_once_and_the_harness_goes_on() -> None:
    with Harness(Options(limits=WorkerLimits(call_seconds=120.0))) as harness:
        cells = harness.plan(request("honest", "hangs", "sleeps"))
        proofs = harness.prove_all(cells)
        assert next(proofs).verdict.proved
        began = time.monotonic()
        proofs.close()
        assert time.monotonic() - began < 30
        assert harness.prove(cells[0]).verdict.proved


@pytest.mark.usefixtures("processors")
def test_leaving_the_harness_gives_up_what_is_at_work() -> None:
    began = time.monotonic()
    with Harness(Options(limits=WorkerLimits(call_seconds=120.0))) as harness:
        proofs = harness.prove_all(harness.plan(request("honest", "hangs", "sleeps")))
        assert next(proofs).verdict.proved
    assert time.monotonic() - began < 60
    assert list(proofs) == []


@pytest.mark.usefixtures("processors")
def test_where_a_worker_could_reach_another_they_are_proved_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workshop, "keeps_apart", False)
    alive = most = 0
    launch = Workshop.launch

    def counted(*arguments: object, **options: object) -> object:
        nonlocal alive, most
        alive = sum(process.ended is None for process in arguments[0]._processes)  # type: ignore[attr-defined]
        most = max(most, alive)
        return launch(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Workshop, "launch", counted)
    with Harness() as harness:
        proofs = list(harness.prove_all(harness.plan(request("honest", "declines", "raises"))))
    assert proofs[0].verdict.finding.status is Status.PROVED
    assert most == 0


def test_a_backend_whose_server_never_was_started_keeps_nobody_waiting() -> None:
    with Workshop() as workshop:
        assert all(workshop.is_ready(backend) for backend in BACKENDS)
