"""gdbench: prove, name, time and gate implementations of gradient descent.

The public names are resolved on first use, so that ``import bench`` alone starts no array library.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.api import run as run
    from bench.api import time as time
    from bench.api import verify as verify
    from bench.problems.problem import Problem as Problem
    from bench.runs.frames import load as load
    from bench.variants.contract import Descent as Descent
    from bench.variants.contract import Unsupported as Unsupported
    from bench.variants.contract import Variant as Variant
    from bench.variants.contract import variant as variant

__version__ = "0.1.0"

_HOMES = {
    "variant": "bench.variants.contract",
    "Variant": "bench.variants.contract",
    "Descent": "bench.variants.contract",
    "Unsupported": "bench.variants.contract",
    "Problem": "bench.problems.problem",
    "verify": "bench.api",
    "time": "bench.api",
    "run": "bench.api",
    "load": "bench.runs.frames",
}
__all__ = ["Descent", "Problem", "Unsupported", "Variant", "load", "run", "time", "variant", "verify"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'bench' has no attribute {name!r}; its public names are {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
