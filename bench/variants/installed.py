"""What is installed, and so nobody's own source: Python's modules and the packages of any environment."""

import sysconfig
from pathlib import Path

_PACKAGES = frozenset({"site-packages", "dist-packages"})
_PYTHON = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]


def is_installed(file: Path) -> bool:
    """Whether a file belongs to Python, or to an installed package of any environment.

    By its path alone: an environment often lies inside a source tree, or a source tree inside an environment, and a
    worker has two environments on its import path.

    >>> is_installed(Path("/home/me/.venv/lib/site-packages/numpy/linalg.py")), is_installed(Path("/home/me/numpy.py"))
    (True, False)
    >>> is_installed(Path(sysconfig.__file__))
    True
    """
    resolved = file.resolve()
    in_packages = not _PACKAGES.isdisjoint((*file.parts, *resolved.parts))
    return in_packages or any(resolved.is_relative_to(folder) for folder in _PYTHON)
