"""A share of the random honest cells: not one may be called wrong. All of them: ``tox -e honest``."""

from collections import Counter

from bench.proof.verdict import Status
from scripts.honest_cells import HONEST, honest_variants, prove_all, random_cells


def test_no_random_honest_cell_is_called_wrong() -> None:
    rows = prove_all(random_cells(honest_variants(), 160, seed=2))
    assert [row for row in rows if row["status"] not in HONEST] == []
    counts = Counter(row["status"] for row in rows)
    assert counts[Status.PROVED] > 0.9 * len(rows)
    assert len({row["dtype"] for row in rows}) >= 3
