"""Data sets read from scikit-learn."""

import sys

import numpy as np
import pytest

from bench.errors import UnavailableError
from bench.problems.catalogue import find


@pytest.mark.parametrize(("name", "n", "d", "m"), [("diabetes", 442, 10, 1), ("linnerud", 20, 3, 3)])
def test_shapes(name: str, n: int, d: int, m: int) -> None:
    pytest.importorskip("sklearn")
    problem = find(name).problem
    assert problem.b0 is not None
    assert (problem.x.shape, problem.y.shape, problem.w0.shape, problem.b0.shape) == ((n, d), (n, m), (m, d), (m,))


def test_diabetes_is_the_scaled_data_and_linnerud_the_raw() -> None:
    pytest.importorskip("sklearn")
    np.testing.assert_allclose(np.linalg.norm(find("diabetes").problem.x, axis=0), 1.0, rtol=1e-10)
    linnerud = find("linnerud").problem
    assert linnerud.x[0].tolist() == [5.0, 162.0, 60.0]
    assert linnerud.y[0].tolist() == [191.0, 36.0, 50.0]


@pytest.mark.parametrize("name", ["diabetes", "linnerud"])
def test_without_scikit_learn_the_problem_is_unavailable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(UnavailableError, match=rf"{name}.*cannot be imported here.*pip install 'gdbench\[datasets\]'"):
        find(name)
