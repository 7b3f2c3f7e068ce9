"""A workshop for all the tests of the judge, and the problems that they send through it."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bench.dtypes import DTYPES, rounded
from bench.judge.workshop import WorkerLimits, Workshop
from bench.problems.problem import Problem
from bench.variants.contract import Variant

collect_ignore_glob = ["targets/*"]
"""The targets are for workers to import, not for pytest."""

TARGETS = Path(__file__).parent / "targets"


@pytest.fixture(autouse=True)
def torch_where_it_is_needed(request: pytest.FixtureRequest) -> None:
    if "torch" in request.node.name and find_spec("torch") is None:
        pytest.skip("torch is not installed")


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    with Workshop(WorkerLimits(call_seconds=20.0)) as shop:
        yield shop


@pytest.fixture
def variant_at() -> Callable[..., Variant]:
    """Makes a variant of ``file.py:function`` among the targets, or of an absolute path."""

    def make(target: str, backend: str = "numpy") -> Variant:
        return Variant("test", backend, "test", str(TARGETS / target))

    return make


@pytest.fixture
def problem() -> Problem:
    """Five samples, three features, two outputs, with a bias; representable in every dtype."""
    random = np.random.default_rng(7)
    coarse = DTYPES["bfloat16"]
    x, y, w0, b0 = (rounded(random.normal(size=shape), coarse) for shape in ((5, 3), (5, 2), (2, 3), (2,)))
    return Problem(x, y, w0, b0, 0.125)
