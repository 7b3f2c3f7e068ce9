"""Running a variant by name, in this process: for tests of the variants themselves, without the judge."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from bench.problems.problem import Problem
from bench.variants.contract import Descent
from bench.variants.discovery import scan

VARIANTS = {variant.name: variant for variant in scan(["gd_impls"]).variants}


def run_in_numpy(function: Any, problem: Problem, n_iters: int, dtype: str) -> Descent:
    def place(array: Any) -> Any:
        copy = np.array(array, dtype)
        copy.flags.writeable = False
        return copy

    b0 = None if problem.b0 is None else place(problem.b0)
    given = Problem(place(problem.x), place(problem.y), place(problem.w0), b0, problem.lr)
    descent: Descent = function(given, n_iters)

    def read(part: Any) -> Any:
        assert part.dtype == dtype
        assert not any(np.shares_memory(part, array) for array in (given.x, given.y, given.w0, given.b0))
        return part.astype(np.float64)

    return Descent(read(descent.w), None if descent.b is None else read(descent.b), read(descent.losses))


def run_in_torch(function: Any, problem: Problem, n_iters: int, dtype: str, device: str) -> Descent:
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("this machine has no CUDA device")
    kind = getattr(torch, dtype)

    def place(array: Any) -> Any:
        return torch.tensor(array, dtype=kind, device=device)

    b0 = None if problem.b0 is None else place(problem.b0)
    given = Problem(place(problem.x), place(problem.y), place(problem.w0), b0, problem.lr)
    descent: Descent = function(given, n_iters)
    for array, original in zip(
        (given.x, given.y, given.w0, given.b0), (problem.x, problem.y, problem.w0, problem.b0), strict=True
    ):
        if array is not None:
            assert torch.equal(array, place(original))
            assert not array.requires_grad

    def read(part: Any) -> Any:
        assert (part.dtype, part.device.type, part.requires_grad) == (kind, device, False)
        return part.double().cpu().numpy()

    return Descent(read(descent.w), None if descent.b is None else read(descent.b), read(descent.losses))


Descend = Callable[..., Any]


@pytest.fixture
def descend() -> Descend:
    """``descend(name, problem, n_iters, dtype, device)``: float64 arrays of what the variant of that name returns.

    The problem's arrays are read-only for NumPy, compared afterwards for torch, and results must be of their kind.
    """

    def descend(name: str, problem: Problem, n_iters: int, dtype: str = "float32", device: str = "cpu") -> Descent:
        module, _, function = VARIANTS[name].target.partition(":")
        if VARIANTS[name].backend == "torch":
            pytest.importorskip("torch", reason="the variants for torch need torch")
            return run_in_torch(getattr(import_module(module), function), problem, n_iters, dtype, device)
        return run_in_numpy(getattr(import_module(module), function), problem, n_iters, dtype)

    return descend
