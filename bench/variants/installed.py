"""What is installed, and so nobody's own source: Python's modules and the packages of any environment."""

import sysconfig
from pathlib import Path

_PACKAGES = frozenset({"site-packages", "dist-packages"})
_LIBRARY = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
_PYTHON = {*_LIBRARY, *(folder.resolve() for folder in _LIBRARY)}


def is_installed(file: Path) -> bool:
    """Whether a file belongs to Python, or to an installed package of any environment.

    By its path alone: an environment often lies inside a source tree, or a source tree inside an environment, and a
    worker has two environments on its import path.

    >>> is_installed(Path(".venv/lib/site-packages/numpy/linalg.py")), is_installed(Path("numpy/linalg.py"))
    (True, False)
    >>> is_installed(Path(sysconfig.__file__))
    True
    """
    return not _PACKAGES.isdisjoint(file.parts) or any(file.is_relative_to(folder) for folder in _PYTHON)
