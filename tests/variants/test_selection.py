"""Globs select by name, in the order of what is known, and say so when they match nothing."""

import pytest

from bench.errors import UsageError
from bench.variants.contract import Variant
from bench.variants.selection import select_variants

NAMES = ("numpy-analytic", "torch-manual", "torch-optim", "numpy-matmul", "torch-optim-tensor")
KNOWN = tuple(Variant(name, name.partition("-")[0], "", f"m:{name}") for name in NAMES)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ([], NAMES),
        (["torch-optim"], ("torch-optim",)),
        (["torch-*"], ("torch-manual", "torch-optim", "torch-optim-tensor")),
        (
            ["*-optim*", "numpy-*", "torch-optim"],
            ("numpy-analytic", "torch-optim", "numpy-matmul", "torch-optim-tensor"),
        ),
        (["?umpy-[am]*"], ("numpy-analytic", "numpy-matmul")),
    ],
)
def test_globs_keep_the_order_of_what_is_known_and_repeat_nothing(
    patterns: list[str], expected: tuple[str, ...]
) -> None:
    assert tuple(variant.name for variant in select_variants(KNOWN, patterns)) == expected


def test_a_pattern_that_matches_nothing_is_an_error_with_the_nearest_names_even_beside_one_that_does() -> None:
    with pytest.raises(UsageError, match=r"'torch-optin'.*Nearest: torch-optim\b"):
        select_variants(KNOWN, ["numpy-*", "torch-optin"])


def test_names_are_compared_with_their_case() -> None:
    with pytest.raises(UsageError, match="'NUMPY-analytic'"):
        select_variants(KNOWN, ["NUMPY-analytic"])


@pytest.mark.parametrize("patterns", [[], ["*"]])
def test_nothing_to_select_from_is_an_error(patterns: list[str]) -> None:
    with pytest.raises(UsageError, match="no variant to select from"):
        select_variants([], patterns)
