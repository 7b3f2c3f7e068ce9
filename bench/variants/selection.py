"""Selecting variants by name, with globs."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from bench.errors import UsageError
from bench.variants.contract import Variant


def select_variants(known: Sequence[Variant], patterns: Sequence[str]) -> list[Variant]:
    """The variants whose name matches any of the patterns; all of them where no pattern is given.

    Args:
        known: the variants to choose from.
        patterns: names or globs (``*``, ``?``, ``[...]``), as typed.

    Returns:
        The chosen variants, once each, in the order of ``known``.

    Raises:
        UsageError: a pattern matches nothing (the message has the nearest names), or there is nothing to choose from.

    >>> known = [Variant("numpy-a", "numpy", "", "m:a"), Variant("torch-a", "torch", "", "m:b")]
    >>> [chosen.name for chosen in select_variants(known, ["torch-*"])]
    ['torch-a']
    """
    if not known:
        raise UsageError(
            "There is no variant to select from: no installed package registers any, and gd_impls is not beside bench. "
            "Name a file instead: gdbench verify path/to/file.py:function."
        )
    names = [variant.name for variant in known]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UsageError(
                f"No variant matches {pattern!r}. {nearest_names(pattern.strip('*?[]!'), names)} "
                "'gdbench list' shows every variant."
            )
    if not patterns:
        return list(known)
    return [variant for variant in known if any(fnmatchcase(variant.name, pattern) for pattern in patterns)]


def nearest_names(wanted: str, names: Iterable[str]) -> str:
    """A sentence with the names most like the wanted one, or with the first few where none is alike.

    >>> nearest_names("numpy-analitic", ["numpy-analytic", "torch-bmm"])
    'Nearest: numpy-analytic.'
    >>> nearest_names("x", ["numpy-analytic", "torch-bmm"])
    'There are numpy-analytic, torch-bmm.'
    >>> nearest_names("x", [])
    'There are none.'
    """
    known = list(dict.fromkeys(names))
    close = get_close_matches(wanted, known, n=3, cutoff=0.6)
    if close:
        return f"Nearest: {', '.join(close)}."
    if not known:
        return "There are none."
    return f"There are {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}."
