"""What the self-test found: one row an attack and a control, and the records that are made of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.judge.protocol import one_line

SCHEMA = "gdbench/selftest/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one attack or control.

    Attributes:
        name: of the attack.
        tries: what it tries, in one line.
        kind: ``attack`` or ``control``.
        due: what it must come to.
        came: what it came to: ``rejected``, ``rejected when timed``, ``flagged``, ``true cost``, ``proved``, ``no
            number`` where the machine was too busy to time it, ``passed`` where it was not stopped.
        as_expected: whether that is what it must come to.
        mechanism: what stops it.
        evidence: what the harness says of it.
        ratio: its time an iteration over that of an honest loop that does the same work; ``None`` where not timed.
        seconds: wall time of its proof.
    """

    name: str
    tries: str
    kind: str
    due: str
    came: str
    as_expected: bool
    mechanism: str
    evidence: str
    ratio: float | None
    seconds: float


def document(
    environment: dict[str, Any], presence: dict[str, str], rows: Sequence[Row], left: Sequence[str] = ()
) -> dict[str, Any]:
    """What ``gdbench selftest --json`` writes."""
    return {
        "schema": SCHEMA,
        "environment": environment,
        "isolation": presence,
        "summary": summary(rows),
        "left_behind": list(left),
        "rows": [asdict(row) for row in rows],
    }


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """How many came to what."""
    attacks = [row for row in rows if row.kind == "attack"]
    controls = [row for row in rows if row.kind == "control"]
    return {
        "attacks": len(attacks),
        "came": dict(Counter(row.came for row in attacks)),
        "controls": len(controls),
        "controls_proved": sum(row.as_expected for row in controls),
        "as_expected": all(row.as_expected for row in rows),
    }


def summary_line(rows: Sequence[Row], seconds: float) -> str:
    """The same in one line.

    >>> summary_line([], 0.0)
    '0 attacks: none; 0 of 0 honest controls proved and unflagged; 0 s'
    """
    found = summary(rows)
    came = ", ".join(f"{times} {what}" for what, times in found["came"].items()) or "none"
    return (
        f"{found['attacks']} attacks: {came}; {found['controls_proved']} of {found['controls']} honest controls "
        f"proved and unflagged; {seconds:.0f} s"
    )


def left_line(left: Sequence[str]) -> str:
    """What all the attacks together left behind, in one line.

    >>> left_line([])
    'left behind: nothing'
    >>> left_line(["file canary"])
    'left behind: file canary'
    """
    return f"left behind: {one_line('; '.join(left), 2000) if left else 'nothing'}"
