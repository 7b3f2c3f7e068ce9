"""What is installed, and so nobody's own source: Python's modules and the packages of any environment."""

import sys
import sysconfig
from pathlib import Path

_PACKAGES = frozenset({"site-packages", "dist-packages"})
_PYTHON = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]
_ENVIRONMENT = [Path(sys.prefix).resolve()] if sys.prefix != sys.base_prefix else []


def is_installed(file: Path) -> bool:
    """Whether a file belongs to Python, to this virtual environment, or to an installed package of any other.

    By its path alone: an environment often lies inside a source tree, and a worker has two of them on its import path.

    >>> is_installed(Path("/home/me/.venv/lib/site-packages/numpy/linalg.py")), is_installed(Path("/home/me/numpy.py"))
    (True, False)
    >>> is_installed(Path(sysconfig.__file__))
    True
    """
    resolved = file.resolve()
    in_packages = not _PACKAGES.isdisjoint((*file.parts, *resolved.parts))
    return in_packages or any(resolved.is_relative_to(folder) for folder in (*_PYTHON, *_ENVIRONMENT))
