"""A run judged again from what its workers sent, byte by byte: no variant is run, and nothing in the run is changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.dtypes import dtype_named
from bench.errors import UsageError
from bench.judge.exchange import Exchange, Replay, UnrecordedError, read_exchange
from bench.proof.prove import prove
from bench.proof.verdict import Finding, Status, as_expected
from bench.runs.exchanges import EXCHANGES_NAME, Exchanges
from bench.runs.journal import JOURNAL_NAME, read_journal
from bench.runs.records import CELL_FIELDS, cell_of, finding_fields
from bench.runs.strict_json import plain

NOT_KEPT = "nothing is kept of it: it was never launched, or what it sent was too large"


@dataclass(frozen=True, slots=True)
class Rejudged:
    """One cell, judged again.

    Attributes:
        before: its verdict row in the run.
        row: the same row with today's finding; as it was where there is none.
        obstacle: why there is no finding; empty where there is one.
        unused: recorded answers that the proof did not ask for this time.
    """

    before: dict[str, Any]
    row: dict[str, Any]
    obstacle: str = ""
    unused: int = 0

    @property
    def changed(self) -> tuple[str, ...]:
        """The fields of the verdict that are not what they were."""
        return tuple(name for name in self.row if self.row[name] != self.before.get(name))

    @property
    def stands(self) -> bool:
        """Whether the verdict is what it was, to the last digit, or was never one that an exchange led to."""
        return not self.changed and self.obstacle in ("", NOT_KEPT)


def rejudge(run: Path) -> Iterator[Rejudged]:
    """Judge every cell of a run again, in the order of its journal.

    Raises:
        UsageError: the run keeps no exchanges, or they are damaged; the message names the cell.
    """
    cells = read_journal(run / JOURNAL_NAME)
    if not (run / EXCHANGES_NAME).is_file():
        raise UsageError(
            f"{run} cannot be judged again: it has no {EXCHANGES_NAME}. An earlier gdbench made it, or the file was "
            f"removed. Run again."
        )
    kept = Exchanges(run / EXCHANGES_NAME)
    for row in cells.verdicts:
        digest = cells.exchanges.get(cell_of(row))
        if digest is None:
            yield Rejudged(row, row, NOT_KEPT)
            continue
        where = " · ".join(map(str, cell_of(row)))
        try:
            exchange = read_exchange(kept.read(digest), kept.read, f"the exchange of {where}")
        except UsageError as error:
            raise UsageError(f"{where} cannot be judged again. {error}") from error
        yield _judged(row, exchange)


def _judged(row: dict[str, Any], exchange: Exchange) -> Rejudged:
    replay = Replay(exchange)
    try:
        proof = prove(
            replay,
            exchange.problem,
            dtype_named(exchange.dtype),
            computes_in=exchange.computes_in,
            iterations=exchange.iterations,
        )
    except UnrecordedError as error:
        return Rejudged(row, row, f"today's proof asks what was not asked then: {error}. Prove the cell again.")
    return Rejudged(row, row | _fields(proof.finding, row), unused=replay.unused)


def _fields(finding: Finding, row: Mapping[str, Any]) -> dict[str, Any]:
    expect = None if row["expected"] == Status.PROVED.value else str(row["expected"])
    # An exchange was made, so that nothing was lacking.
    expected = as_expected(finding, expect, required=True)
    fields: dict[str, Any] = plain(finding_fields(finding))
    return fields | {"as_expected": expected}


def summary(again: Sequence[Rejudged]) -> list[str]:
    """What came of it, in lines: how many verdicts stand, then those that do not, with what changed."""
    launched = [one for one in again if one.obstacle != NOT_KEPT]
    standing = sum(one.stands for one in launched)
    lines = [f"judged again from the record: {standing} of {len(launched)} verdicts stand, to the last digit"]
    if len(launched) < len(again):
        lines.append(f"{len(again) - len(launched)} more are as they were: {NOT_KEPT}")
    for one in launched:
        if one.stands:
            continue
        fields = (f"{name} was {one.before.get(name)}, is {one.row[name]}" for name in one.changed)
        lines.append(f"{' · '.join(map(str, cell_of(one.row)))}: {one.obstacle or '; '.join(fields)}")
    return lines


def rejudged_document(again: Sequence[Rejudged]) -> dict[str, object]:
    """What ``gdbench report --rejudge --json`` adds to the run: the cells whose verdict does not stand."""
    return {
        "rejudged": [
            {name: one.row[name] for name in CELL_FIELDS}
            | {"obstacle": one.obstacle or None, "before": {name: one.before.get(name) for name in one.changed}}
            for one in again
            if not one.stands
        ]
    }
