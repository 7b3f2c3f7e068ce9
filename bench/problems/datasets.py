"""Data sets that scikit-learn ships, read from there."""

from importlib import import_module
from typing import Any

import numpy as np

from bench.errors import UnavailableError
from bench.problems import learning_rate
from bench.problems.named import Loaded
from bench.problems.problem import Problem

_LOADERS = {"diabetes": "load_diabetes", "linnerud": "load_linnerud"}


def load(name: str) -> Loaded:
    """One data set as scikit-learn ships it by default, from a start at zero, with the automatic learning rate.

    Args:
        name: ``diabetes`` (its features scaled, 442 x 10 -> 1) or ``linnerud`` (unscaled, 20 x 3 -> 3).

    Raises:
        UnavailableError: scikit-learn cannot be imported.
    """
    try:
        module: Any = import_module("sklearn.datasets")
    except ImportError as error:
        raise UnavailableError(
            f"the problem {name!r} is read from scikit-learn, which cannot be imported here ({error}). "
            "Install it: pip install 'gdbench[datasets]', or pip install scikit-learn."
        ) from error
    bunch = getattr(module, _LOADERS[name])()
    x = np.ascontiguousarray(bunch.data, dtype=np.float64)
    y = np.ascontiguousarray(bunch.target, dtype=np.float64).reshape(len(x), -1)
    n_outputs = y.shape[1]
    lr = learning_rate.resolved("auto", x, n_outputs=n_outputs, bias=True)
    return Problem(x, y, np.zeros((n_outputs, x.shape[1])), np.zeros(n_outputs), lr), None
