"""What notebook 001 shows of autograd, as facts that hold for every backend whose variants rely on it.

Another backend is one class more in ``BACKENDS``: gradients belong to leaves, and ``backward`` adds to them.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pytest

Array = Any
"""An array of the backend; ``+``, ``-``, ``*`` and ``**`` with others and with numbers are recorded."""

Numbers = npt.NDArray[np.float64]


class Autograd(Protocol):
    """The least that the facts need."""

    def leaf(self, values: npt.ArrayLike) -> Array:
        """A float32 array whose gradient is wanted."""
        ...

    def total(self, array: Array) -> Array:
        """The sum of its elements, recorded."""
        ...

    def mean(self, array: Array) -> Array:
        """The mean of its elements, recorded."""
        ...

    def backward(self, array: Array, seed: npt.ArrayLike | None = None) -> None:
        """Add to the gradient of each leaf; a seed weighs the elements of an array that is not one number."""
        ...

    def gradient(self, leaf: Array) -> Numbers | None:
        """What ``backward`` added up; ``None`` before the first."""
        ...

    def zero(self, leaf: Array) -> None:
        """Set the gradient to zero in place."""
        ...

    def freeze(self, leaf: Array) -> None:
        """Want its gradient no more."""
        ...

    def detached(self, array: Array) -> Array:
        """The same numbers without their history."""
        ...

    def unrecorded(self) -> AbstractContextManager[Any]:
        """Inside it nothing is recorded."""
        ...

    def recorded(self, array: Array) -> bool:
        """Whether ``backward`` would go through it."""
        ...

    def numbers(self, array: Array) -> Numbers:
        """Its values."""
        ...


class TorchAutograd:
    """PyTorch's."""

    def __init__(self) -> None:
        self.torch: Any = import_module("torch")

    def leaf(self, values: npt.ArrayLike) -> Array:
        return self.torch.tensor(values, dtype=self.torch.float32, requires_grad=True)

    def total(self, array: Array) -> Array:
        return array.sum()

    def mean(self, array: Array) -> Array:
        return array.mean()

    def backward(self, array: Array, seed: npt.ArrayLike | None = None) -> None:
        array.backward(None if seed is None else self.torch.tensor(seed))

    def gradient(self, leaf: Array) -> Numbers | None:
        return None if leaf.grad is None else self.numbers(leaf.grad)

    def zero(self, leaf: Array) -> None:
        leaf.grad.zero_()

    def freeze(self, leaf: Array) -> None:
        leaf.requires_grad_(False)

    def detached(self, array: Array) -> Array:
        return array.detach()

    def unrecorded(self) -> AbstractContextManager[Any]:
        context: AbstractContextManager[Any] = self.torch.no_grad()
        return context

    def recorded(self, array: Array) -> bool:
        return bool(array.requires_grad)

    def numbers(self, array: Array) -> Numbers:
        values: Numbers = array.detach().double().numpy().copy()
        return values


def gradients_add_up(autograd: Autograd) -> None:
    weights = autograd.leaf([1.0] * 4)
    assert autograd.gradient(weights) is None
    for expected in (3, 6, 9):
        output = autograd.total(weights * 3)
        assert autograd.numbers(output) == 12
        autograd.backward(output)
        assert np.array_equal(held(autograd, weights), [expected] * 4)


def zeroed_gradients_do_not(autograd: Autograd) -> None:
    weights = autograd.leaf([1.0] * 4)
    for _ in range(3):
        autograd.backward(autograd.total(weights * 3))
        assert np.array_equal(held(autograd, weights), [3] * 4)
        autograd.zero(weights)
        assert np.array_equal(held(autograd, weights), [0] * 4)


def a_vector_needs_a_seed(autograd: Autograd) -> None:
    x = autograd.leaf([0.8152, 0.0337, 0.0456])
    autograd.backward(x + 2, seed=[1.0] * 3)
    assert np.array_equal(held(autograd, x), [1] * 3)


def the_mean_of_squares_has_the_printed_gradient(autograd: Autograd) -> None:
    # y = x + 2 and z = 2 y^2 were printed as these numbers; d mean(z) / dx is 4 y / 3.
    printed_z, printed_mean, printed_gradient = [12.3585, 12.4411, 16.0932], 13.6309, [3.3144, 3.3255, 3.7822]
    start = np.sqrt(np.array(printed_z) / 2) - 2
    x = autograd.leaf(start)
    y = x + 2
    z = y * y * 2
    assert autograd.numbers(z) == pytest.approx(printed_z, abs=0.5e-4)
    autograd.backward(autograd.mean(z))
    assert autograd.numbers(autograd.mean(z)) == pytest.approx(printed_mean, abs=0.5e-4)
    assert held(autograd, x) == pytest.approx(printed_gradient, abs=0.6e-4)
    # A second backward from y adds its ones to that.
    autograd.backward(x + 2, seed=[1.0] * 3)
    assert held(autograd, x) == pytest.approx(np.array(printed_gradient) + 1, abs=0.6e-4)


def the_chain_rule(autograd: Autograd) -> None:
    w = autograd.leaf(1.5)
    loss = (w * 1.0 - 2.0) ** 2
    assert autograd.numbers(loss) == 0.25
    autograd.backward(loss)
    assert held(autograd, w) == -1  # 2 (w x - y) x


def what_is_frozen_detached_or_unrecorded_has_no_history(autograd: Autograd) -> None:
    values = [0.25, 0.75, 0.5]
    x = autograd.leaf(values)
    assert autograd.recorded(x)
    assert autograd.recorded(x + 2)
    copy = autograd.detached(x)
    assert not autograd.recorded(copy)
    assert np.array_equal(autograd.numbers(copy), values)
    with autograd.unrecorded():
        y = x + 2
    assert not autograd.recorded(y)
    assert np.array_equal(autograd.numbers(y), np.array(values) + 2)
    # An update of the leaf belongs there as well: it is no part of the function to be differentiated.
    with autograd.unrecorded():
        x -= 1
    assert np.array_equal(autograd.numbers(x), np.array(values) - 1)
    assert autograd.recorded(x)
    autograd.freeze(x)
    assert not autograd.recorded(x + 2)


def held(autograd: Autograd, leaf: Array) -> Numbers:
    gradient = autograd.gradient(leaf)
    assert gradient is not None
    return gradient


BACKENDS: dict[str, Callable[[], Autograd]] = {"torch": TorchAutograd}
FACTS: tuple[Callable[[Autograd], None], ...] = (
    gradients_add_up,
    zeroed_gradients_do_not,
    a_vector_needs_a_seed,
    the_mean_of_squares_has_the_printed_gradient,
    the_chain_rule,
    what_is_frozen_detached_or_unrecorded_has_no_history,
)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_the_backend_keeps_the_fact(backend: str, fact: Callable[[Autograd], None]) -> None:
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    fact(BACKENDS[backend]())


def test_a_backend_that_overwrites_its_gradients_is_found_out() -> None:
    pytest.importorskip("torch", reason="the control is made of torch")

    class Overwriting(TorchAutograd):
        def __init__(self) -> None:
            super().__init__()
            self.leaves: list[Array] = []

        def leaf(self, values: npt.ArrayLike) -> Array:
            self.leaves.append(super().leaf(values))
            return self.leaves[-1]

        def backward(self, array: Array, seed: npt.ArrayLike | None = None) -> None:
            for leaf in self.leaves:
                leaf.grad = None
            super().backward(array, seed)

    zeroed_gradients_do_not(Overwriting())
    with pytest.raises(AssertionError):
        gradients_add_up(Overwriting())
    with pytest.raises(AssertionError):
        the_mean_of_squares_has_the_printed_gradient(Overwriting())
