"""The contract of a variant: a plain function from a problem and a number of iterations to a descent."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bench.problems.problem import Array, Problem

VariantFunction = Callable[[Problem, int], "Descent"]
F = TypeVar("F", bound=Callable[..., Any])


class Unsupported(Exception):  # noqa: N818 - a variant's polite refusal, not an error
    """Raised by a variant that cannot do a problem; the reason reaches the user's table.

    >>> raise Unsupported("one feature and one output only")
    Traceback (most recent call last):
        ...
    bench.variants.contract.Unsupported: one feature and one output only
    """


@dataclass(frozen=True, slots=True)
class Descent:
    """What gradient descent found.

    Attributes:
        w: the weights after ``n_iters`` updates, (M, D) or (B, M, D).
        b: the bias, (M,) or (B, M); ``None`` where the problem has none.
        losses: ``losses[k]`` is the objective at iterate k, before update k, (n_iters,) or (n_iters, B);
            ``None`` where the variant does not report them.
    """

    w: Array
    b: Array | None = None
    losses: Array | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """One registered implementation of gradient descent, as the judge knows it: by name, never by import.

    Attributes:
        name: unique among the registered variants.
        backend: the array library that it is written for.
        family: variants that work the same way share one.
        target: where the function is: ``package.module:function`` or ``path/to/file.py:function``.
        expect: the cause that a known-wrong variant must get; ``None`` for a variant meant to be right.
        summary: the first line of its docstring.
        origin: ``file:line`` of the definition, for messages.
    """

    name: str
    backend: str
    family: str
    target: str
    expect: str | None = None
    summary: str = ""
    origin: str = ""


REGISTERED: list[Variant] = []
"""What the modules imported in this process have registered. Only workers import variants."""


def variant(name: str, *, backend: str, family: str = "", expect: str | None = None) -> Callable[[F], F]:
    """Register a function as a variant; the function itself is returned unchanged.

    Args:
        name: how the variant is selected and shown.
        backend: ``numpy``, ``torch``, ``jax`` or ``cupy``.
        family: a word for variants that work alike; the backend's name where it is left out.
        expect: the cause that this known-wrong variant must be given by the proof.

    >>> from bench import Descent, Problem, variant
    >>> @variant("stay", backend="numpy", expect="update.never")
    ... def stay(problem: Problem, n_iters: int) -> Descent:
    ...     return Descent(problem.w0, problem.b0)
    """

    def register(function: F) -> F:
        code = function.__code__
        REGISTERED.append(
            Variant(
                name=name,
                backend=backend,
                family=family or backend,
                target=f"{function.__module__}:{function.__qualname__}",
                expect=expect,
                summary=(function.__doc__ or "").strip().partition("\n")[0],
                origin=f"{Path(code.co_filename).name}:{code.co_firstlineno}",
            )
        )
        return function

    return register
