"""Where a variant is written, for those who show it beside its code."""

import os
from pathlib import Path

from bench.errors import UsageError
from bench.variants.contract import Variant
from bench.variants.discovery import module_files


def place_of(variant: Variant) -> tuple[Path, int] | None:
    """The source file of a variant and its line there, found without importing or parsing anything.

    Returns:
        The file and the line; ``None`` where the variant's own words do not lead to one, as with a function that was
        made elsewhere than in the module that registers it.

    >>> from bench.variants.discovery import resolve
    >>> [variant] = resolve("gd_impls.numpy_analytic:numpy_analytic")
    >>> path, line = place_of(variant)
    >>> path.name, path.read_text().splitlines()[line - 1][:8]
    ('numpy_analytic.py', '@variant')
    """
    module = variant.target.rpartition(":")[0]
    name, _, line = variant.origin.rpartition(":")
    if not name or not line.isdecimal():
        return None
    if module.endswith(".py") or os.sep in module:
        path: Path | None = Path(module)
    else:
        try:
            path = dict(module_files(module)).get(module)
        except UsageError:
            return None
    return (path, int(line)) if path is not None and path.name == name else None
