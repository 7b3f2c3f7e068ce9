"""A share of the random honest cells: not one may be called wrong. All of them: ``tox -e honest``."""

from importlib.util import find_spec

from bench.proof.verdict import Status
from scripts.honest_cells import DECLINED, Prover, is_alarm

SHARE, AT_A_TIME = 500, 50
SEED = 2


def test_no_random_honest_cell_is_called_wrong() -> None:
    with Prover(SEED, small=True) as prover:
        rows = [row for begin in range(0, SHARE, AT_A_TIME) for row in prover.rows(range(begin, begin + AT_A_TIME))]
    assert [row for row in rows if is_alarm(row)] == []
    assert sum(row["status"] == Status.PROVED for row in rows) > 0.9 * SHARE
    assert sum(row["status"] in DECLINED for row in rows) < 0.1 * SHARE
    # The sample reaches the corners that it is meant to reach; that of other loops, without torch, has no long one.
    longest = {10_000} if find_spec("torch") else set()
    assert {row["n"] for row in rows} >= {1, 2} | longest
    assert max(int(str(row["d"])) for row in rows) == max(int(str(row["m"])) for row in rows) == 32
    assert any(row["batch"] is not None for row in rows)
    assert len({row["dtype"] for row in rows}) >= 3
