"""Which devices a backend has: what is said of those it could not use, and who waits for one that is used."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.backends import BACKENDS, NumpyBackend
from bench.errors import UnavailableError
from bench.judge import device_lock
from bench.judge import devices as module
from bench.judge.devices import NO_MEMORY_NODE, Asked, Devices
from bench.judge.protocol import Kind
from bench.judge.workshop import WorkerLimits, Workshop
from bench.plan import Request, plan
from bench.proof.subject import Failure
from bench.proof.verdict import Status

FOUND = {"devices": ["cpu", "cuda"], "said": ""}
LATE = Failure(Status.TIMEOUT, None, "no answer within 120 s during look for devices; killed")
OLD_DRIVER = "The NVIDIA driver on your system is too old"


@pytest.fixture(autouse=True)
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose kernel shows a GPU; its device files are in a folder of the test's."""
    monkeypatch.setattr(NumpyBackend, "may_have_accelerator", lambda _: True)
    monkeypatch.setattr(module, "_DRIVER", tmp_path / "nvidiactl")
    monkeypatch.setattr(module, "_ITS_MEMORY", tmp_path / "nvidia-uvm")
    return tmp_path


def devices_that_say(replies: Mapping[Kind, object], asked: list[Kind] | None = None) -> Devices:
    @contextmanager
    def alone(backend: str) -> Iterator[Asked | Failure]:
        def ask(kind: Kind, meta: Mapping[str, object], during: str) -> Any:
            if asked is not None:
                asked.append(kind)
            reply = replies[kind]
            return reply() if callable(reply) else reply

        yield ask

    return Devices(alone)


def test_they_are_asked_for_once() -> None:
    asked: list[Kind] = []
    found = devices_that_say({Kind.DEVICES: FOUND}, asked)
    assert [found.of("numpy"), found.of("numpy"), found.why_no_more("numpy")] == [["cpu", "cuda"], ["cpu", "cuda"], ""]
    assert asked == [Kind.DEVICES]


def test_a_driver_that_does_not_answer_leaves_the_cpu() -> None:
    found = devices_that_say({Kind.DEVICES: LATE})
    assert found.of("numpy") == ["cpu"]
    assert found.why_no_more("numpy").endswith(LATE.message)


def test_what_torch_warns_of_stands_beside_the_device_that_is_missing() -> None:
    found = devices_that_say({Kind.DEVICES: {"devices": ["cpu"], "said": OLD_DRIVER}})
    request = Request(variants=("torch-manual",), problems=("line-4",), devices=("cuda",), dtypes=("float32",))
    (cell,) = plan(request, devices_of=lambda _: found.of("numpy"), why_no_more=lambda _: found.why_no_more("numpy"))
    assert cell.obstacle is not None
    assert cell.obstacle.evidence == f"torch sees no device 'cuda' here; it sees cpu; {OLD_DRIVER}"


def test_a_worker_tells_what_its_backend_warns_of(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.judge.worker import Worker

    class Frame:
        meta = {"backend": "numpy"}  # noqa: RUF012 - a stand-in

    def warn(_: object) -> list[str]:
        import warnings

        warnings.warn("pynvml is deprecated", FutureWarning, stacklevel=1)
        warnings.warn(OLD_DRIVER, stacklevel=1)
        return ["cpu"]

    monkeypatch.setattr(NumpyBackend, "devices", warn)
    assert Worker._devices(None, Frame()) == {"devices": ["cpu"], "said": OLD_DRIVER}  # type: ignore[arg-type]


def test_a_library_that_does_not_import_has_no_device() -> None:
    broken = devices_that_say({Kind.DEVICES: Failure(Status.UNAVAILABLE, None, "torch does not import: no libcudart")})
    with pytest.raises(UnavailableError, match="no libcudart"):
        broken.of("numpy")


@pytest.mark.parametrize(
    ("made", "said"), [((), ""), (("nvidiactl",), NO_MEMORY_NODE), (("nvidiactl", "nvidia-uvm"), "")]
)
def test_a_device_file_that_is_missing_is_named(nodes: Path, made: tuple[str, ...], said: str) -> None:
    for name in made:
        (nodes / name).touch()
    assert devices_that_say({Kind.DEVICES: {"devices": ["cpu"], "said": ""}}).why_no_more("numpy") == said


def test_latencies_are_measured_while_nobody_else_uses_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    held: list[bool] = []

    def measured() -> dict[str, float | None]:
        held.append(device_lock.lock_file("cuda", "GPU-7") in device_lock._held)
        return {"launch_ns": 4e3, "replay_ns": None, "graph_kernel_ns": 0.0}

    replies = {Kind.DEVICES: FOUND, Kind.IDENTITY: "GPU-7", Kind.LATENCIES: measured}
    assert devices_that_say(replies).latencies("numpy", "cuda:0") == {"launch_ns": 4e3}
    assert held == [True]
    assert not device_lock._held
    assert devices_that_say(replies).latencies("numpy", "cpu") == {}


@pytest.mark.parametrize("kind", [Kind.IDENTITY, Kind.LATENCIES])
def test_latencies_that_fail_say_why(kind: Kind) -> None:
    replies = {Kind.DEVICES: FOUND, Kind.IDENTITY: None, Kind.LATENCIES: None} | {kind: LATE}
    assert devices_that_say(replies).latencies("numpy", "cuda") == LATE
    refused = devices_that_say({Kind.DEVICES: LATE}).latencies("numpy", "cuda")
    assert isinstance(refused, Failure)
    assert refused.status is Status.UNAVAILABLE
    assert LATE.message in refused.message


def test_a_spawned_worker_has_time_to_import_its_library(variant_at: Callable[..., Any]) -> None:
    # Far too short for an interpreter to start, were it not for the time that a library is given.
    with Workshop(WorkerLimits(start_seconds=0.001)) as workshop:
        assert workshop.devices._ask("numpy").names == BACKENDS["numpy"].devices()
