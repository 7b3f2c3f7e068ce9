"""Doctests import the modules that they stand in; those that need torch are left out where it is not installed."""

from importlib.util import find_spec
from pathlib import Path

collect_ignore = [
    str(path)
    for path in Path(__file__).parent.glob("gd_impls/**/*.py")
    if not find_spec("torch") and "\nimport torch" in path.read_text(encoding="utf-8")
]
