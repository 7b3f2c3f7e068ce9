"""Running the corpus through the harness that users have: all of it proved, and what is proved timed."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.backends import backend_named
from bench.errors import UnavailableError
from bench.harness import Harness, Options, Proved, Timed
from bench.judge.mechanisms import Mechanism
from bench.judge.workshop import WorkerLimits
from bench.plan import Cell
from bench.problems.catalogue import find
from bench.proof.subject import Failure
from bench.proof.verdict import Status
from bench.selftest.attacks.violence import CANARY, DAEMON
from bench.selftest.corpus import CONTROLS, USUAL_PROBLEM, Attack, Outcome, control
from bench.selftest.rows import Row
from bench.timing.plan import Budget
from bench.timing.record import Rejected, Timing, Void
from bench.variants.contract import Variant

LEAST_RATIO = 0.9
"""An attack is timed at its true cost when it does not come out cheaper than this share of its honest twin."""

CONFIRMATIONS = 4
"""How often what came out too cheap is timed again, beside its twin."""

OPTIONS = Options(
    limits=WorkerLimits(call_seconds=1.5, memory_bytes=1 << 30),
    launches=3,
    budget=Budget(sampling_ns=10_000_000, longest_ns=60_000_000, total_seconds=20.0),
)
"""Short deadlines and few launches: what is to be told apart differs by far more than a tenth."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A cell after its proof, and what it did to the machine; empty where nothing."""

    proved: Proved
    harm: str


def selftest(
    options: Options,
    attacks: Sequence[Attack],
    controls: Sequence[str],
    on_row: Callable[[str], None] | None = None,
) -> tuple[list[Row], dict[str, str]]:
    """Prove and time the corpus.

    Args:
        options: how.
        attacks: the rows of the table that are to be tried.
        controls: the honest ones.
        on_row: called with the name of each before it is proved.

    Returns:
        A row for each, attacks first, without those whose backend is not here; and each mechanism with whether this
        machine has it.
    """
    attacks = [one for one in attacks if is_here(one.variant)]
    honest = [variant for variant in map(control, controls) if is_here(variant)]
    with Harness(options) as harness:
        presence = harness.presence()
        proofs: dict[str, Seen] = {}
        for cell in [*(attack_cell(one) for one in attacks), *(control_cell(one) for one in honest)]:
            if on_row is not None:
                on_row(cell.variant.name)
            proofs[cell.variant.name] = _prove(harness, cell)
        timed = _timed(harness, [proofs[one.name].proved for one in attacks if one.timed], proofs, honest, attacks)
        rows = [attack_row(one, proofs[one.name], timed, presence) for one in attacks]
        rows += [control_row(variant, proofs[variant.name], timed.get(variant.name)) for variant in honest]
    return rows, presence


def attack_cell(one: Attack) -> Cell:
    """Where an attack is tried."""
    return Cell(one.variant, one.problem, find(one.problem).problem, "cpu", one.dtype)


def control_cell(variant: Variant) -> Cell:
    """Where a control is, and an attack's honest twin."""
    return Cell(variant, USUAL_PROBLEM, find(USUAL_PROBLEM).problem, "cpu", "float64")


def is_here(variant: Variant) -> bool:
    """Whether the backend of an attack or a control is installed."""
    try:
        backend_named(variant.backend)
    except UnavailableError:
        return False
    return True


def _prove(harness: Harness, cell: Cell) -> Seen:
    clean()
    proved = harness.prove(cell)
    return Seen(proved, harm())


def _timed(
    harness: Harness,
    proved: Sequence[Proved],
    proofs: Mapping[str, Seen],
    honest: Sequence[Variant],
    attacks: Sequence[Attack],
) -> dict[str, Timed]:
    """The timings of attacks, controls and twins in one session, so that they meet the same noise."""
    names = {one.cell.variant.name for one in proved}
    twins = {_twin_of(one) for one in attacks if one.timed}
    beside = [proofs[one.name].proved for one in honest if one.name not in names]
    missing = twins - {one.cell.variant.name for one in beside}
    beside += [
        _prove(harness, control_cell(control(name))).proved for name in CONTROLS if control(name).name in missing
    ]
    found = {one.cell.variant.name: one for one in harness.time([*proved, *beside])}
    proved_by_name = {one.cell.variant.name: one for one in [*proved, *beside]}
    for _ in range(CONFIRMATIONS):
        cheap = [one for one in attacks if one.timed and _is_cheaper(found.get(one.name), found.get(_twin_of(one)))]
        if not cheap:
            break
        # A processor has slow spells, and the honest twin may have met one: both once more, and the quicker counts.
        once_more = dict.fromkeys([*(one.name for one in cheap), *(_twin_of(one) for one in cheap)])
        for again in harness.time([proved_by_name[name] for name in once_more]):
            name = again.cell.variant.name
            found[name] = _weightier(found[name], again)
    clean()
    return found


def _twin_of(one: Attack) -> str:
    return control(one.twin).name


def _is_cheaper(attack: Timed | None, twin: Timed | None) -> bool:
    """Whether an attack has a number that nothing warns of, below its honest twin's."""
    if attack is None or twin is None:
        return False
    mine, honest = attack.outcome, twin.outcome
    if not (isinstance(mine, Timing) and isinstance(honest, Timing)) or mine.flags:
        return False
    return mine.ns_per_iter < LEAST_RATIO * honest.ns_per_iter


def _weightier(before: Timed, again: Timed) -> Timed:
    """A rejection or a flag before a number, the quicker of two numbers, and no number last."""
    one, other = before.outcome, again.outcome
    if isinstance(other, Void) or (isinstance(one, Timing) and one.flags):
        return before
    if not (isinstance(one, Timing) and isinstance(other, Timing)) or other.flags:
        return again
    return again if other.ns_per_iter < one.ns_per_iter else before


def attack_row(one: Attack, seen: Seen, timed: Mapping[str, Timed], presence: Mapping[str, str]) -> Row:
    """What an attack came to, beside what it must come to."""
    finding, outcome, ratio = seen.proved.verdict.finding, timed.get(one.name), None
    evidence = finding.evidence
    if finding.status is not Status.PROVED:
        came = Outcome.REJECTED.value
        expected = one.outcome is Outcome.REJECTED and finding.status in one.statuses
        evidence = f"{finding.status}{f' ({finding.cause})' if finding.cause else ''}: {evidence}"
    elif outcome is None:
        came, expected = "passed", False
    else:
        came, expected, evidence, ratio = _timing_of(one, outcome, timed.get(_twin_of(one)))
    if seen.harm:
        came, expected, evidence = "passed", False, seen.harm
    if came == "passed" and isinstance(one.caught_by, Mechanism):
        lacking = presence.get(one.caught_by.value, "").partition("absent: ")[2]
        if lacking:
            expected, evidence = True, f"this machine cannot stop it: {lacking}"
    return Row(
        name=one.name,
        tries=one.tries,
        kind="attack",
        due=one.outcome.value,
        came=came,
        as_expected=expected,
        mechanism=one.caught_by.value,
        evidence=evidence,
        ratio=ratio,
        seconds=seen.proved.verdict.seconds,
    )


def _timing_of(one: Attack, timed: Timed, twin: Timed | None) -> tuple[str, bool, str, float | None]:
    outcome = timed.outcome
    if isinstance(outcome, Void):
        # Whoever is given no number has gained nothing.
        return "no number", True, outcome.reason, None
    if isinstance(outcome, Rejected | Failure):
        reason = outcome.reason if isinstance(outcome, Rejected) else f"{outcome.status}: {outcome.message}"
        return Outcome.REJECTED_WHEN_TIMED.value, one.outcome in _MAY_BE_REJECTED, reason, None
    honest = twin.outcome if twin is not None and isinstance(twin.outcome, Timing) else None
    ratio = None if honest is None else outcome.ns_per_iter / honest.ns_per_iter
    if outcome.flags:
        # Whatever it was due: a flagged number is one that a reader is told not to believe.
        return Outcome.FLAGGED.value, True, outcome.note, ratio
    # Also where a flag was due: one that found no moment to cheat in, and cost what honest work costs, gained nothing.
    if ratio is None or honest is None:
        return "no number", True, "its honest twin was not timed: the machine is too busy", None
    cheaper = ratio < LEAST_RATIO and outcome.ci_high < LEAST_RATIO * honest.ci_low
    evidence = f"{ratio:.2f} times the cost of its honest twin, {one.twin.replace('_', ' ')}"
    return ("passed" if cheaper else Outcome.TRUE_COST.value), not cheaper, evidence, ratio


_MAY_BE_REJECTED = (Outcome.REJECTED_WHEN_TIMED, Outcome.FLAGGED)


def control_row(variant: Variant, seen: Seen, timed: Timed | None) -> Row:
    """What a control came to: proved and unflagged, or not."""
    verdict, outcome = seen.proved.verdict, None if timed is None else timed.outcome
    came, expected, evidence = verdict.finding.status.value, verdict.proved, verdict.finding.evidence
    if verdict.proved and isinstance(outcome, Timing) and outcome.flags:
        came, expected, evidence = Outcome.FLAGGED.value, False, outcome.note
    elif verdict.proved and isinstance(outcome, Rejected | Failure):
        reason = outcome.reason if isinstance(outcome, Rejected) else outcome.message
        came, expected, evidence = Outcome.REJECTED_WHEN_TIMED.value, False, reason
    return Row(
        name=variant.name,
        tries="nothing: it is honest",
        kind="control",
        due=Status.PROVED.value,
        came=came,
        as_expected=expected,
        mechanism="",
        evidence=evidence,
        ratio=None,
        seconds=verdict.seconds,
    )


def harm() -> str:
    """What an attack left on the machine; empty where nothing."""
    left = [entry.name for entry in Path(tempfile.gettempdir()).glob(f"{CANARY}*")]
    if left:
        return f"wrote {left[0]} outside its own folder"
    if any(_is_daemon(entry) for entry in Path("/proc").glob("[0-9]*/comm")):
        return "left a process behind"
    return ""


def _is_daemon(comm: Path) -> bool:
    with contextlib.suppress(OSError):
        return comm.read_bytes().strip() == DAEMON and comm.stat().st_uid == os.getuid()
    return False


def clean() -> None:
    """Remove what attacks leave in the temporary folder where nothing stops them."""
    for entry in Path(tempfile.gettempdir()).glob("gdbench-selftest-*"):
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
