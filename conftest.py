"""Doctests import the modules that they stand in; those that need torch are left out where it is not installed."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["gd_impls/torch_*.py", "gd_impls/as_published/*torch*.py"]
