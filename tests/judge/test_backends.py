"""What is installed, and arrays made of bytes and read back."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.backends import BACKENDS, KNOWN, NUMPY, NotAnArrayError, backend_named
from bench.dtypes import DTYPES, encode
from bench.errors import UnavailableError


def test_importing_the_judge_starts_no_array_library() -> None:
    program = (
        "import sys, bench.judge.workshop, bench.judge.inprocess;"
        "print(sorted({'torch', 'pandas', 'scipy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_missing_library_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.backends.find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r"^torch is not installed: pip install 'gdbench\[torch\]'$"):
        backend_named("torch")


def test_every_backend_says_what_it_computes_in() -> None:
    assert set(BACKENDS) <= set(KNOWN)
    for backend in BACKENDS.values():
        assert set(backend.dtypes) <= set(DTYPES)


def test_without_a_device_node_there_is_no_accelerator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bench.backends._DEVICE_NODES", tmp_path)
    assert not BACKENDS["torch"].may_have_accelerator()
    (tmp_path / "nvidiactl").touch()
    assert BACKENDS["torch"].may_have_accelerator()
    assert not NUMPY.may_have_accelerator()


@pytest.mark.parametrize("dtype", NUMPY.dtypes)
def test_numpy_array_is_read_only_fresh_and_compared_bit_by_bit(dtype: str) -> None:
    data = encode([[0.0, 1.0, 2.0]], DTYPES[dtype])
    first, second = (NUMPY.place(data, (1, 3), DTYPES[dtype], "cpu") for _ in range(2))
    assert not np.shares_memory(first, second)
    with pytest.raises(ValueError, match="read-only"):
        first += 1
    assert NUMPY.read(first) == data
    assert NUMPY.holds(first, data)
    first.flags.writeable = True
    first[0, 0] = -0.0
    assert not NUMPY.holds(first, data)


def test_large_array_is_compared_to_its_end() -> None:
    values = np.arange(500_000.0)
    data = memoryview(encode(values, DTYPES["float64"]))
    array = NUMPY.place(data, (500, 1000), DTYPES["float64"], "cpu")
    assert NUMPY.holds(array, data)
    array.flags.writeable = True
    array[-1, -1] += 1
    assert not NUMPY.holds(array, data)
    assert not NUMPY.holds(array[:, :-1], data)


def test_numpy_computes_on_the_cpu_only() -> None:
    with pytest.raises(UnavailableError, match="not on 'cuda'"):
        NUMPY.place(b"", (0,), DTYPES["float64"], "cuda")


@pytest.mark.parametrize(
    ("value", "what"), [([1.0], "a list"), (1, "an int"), (None, "None"), (np.float32(1), "a numpy.float32")]
)
def test_what_is_no_array_is_named(value: object, what: str) -> None:
    with pytest.raises(NotAnArrayError, match=f"^w is {what}, not a numpy.ndarray$"):
        NUMPY.facts("w", value)
