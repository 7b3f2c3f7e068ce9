"""Running the corpus through the harness that users have: all of it proved, and what is proved timed."""

import contextlib
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

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
from bench.selftest.corpus import USUAL_PROBLEM, Attack, Outcome, control
from bench.selftest.picture import MARK
from bench.selftest.rows import Row
from bench.timing.estimate import Estimate
from bench.timing.pingpong import ArmFailedError, PingPong
from bench.timing.plan import Budget, Plan
from bench.timing.ratio import log_ratio, parts
from bench.timing.record import Rejected, Timing, Void
from bench.variants.contract import Variant

LEAST_RATIO = 0.9
"""An attack is timed at its true cost when it does not come out cheaper than this share of its honest twin."""

LAUNCH_NS, MOST_LAUNCHES = 300_000_000, 6
"""Of an attack beside its twin: until the interval of their ratio lies on one side of that."""

PART, FEWEST_PARTS, FEWEST_CHEAP = 6, 6, 24
"""The interval is over parts of launches, of so many rounds: processes differ by far less than a tenth."""

OPTIONS = Options(
    limits=WorkerLimits(call_seconds=1.5, memory_bytes=1 << 30),
    launches=3,
    measures_limits=False,
    budget=Budget(
        sampling_ns=5_000_000, longest_ns=30_000_000, stretch=1, fewest_samples=5, total_seconds=8.0, width=math.inf
    ),
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
    honest = [control(name) for name in controls if is_here(control(name))]
    cells = [*map(attack_cell, attacks), *map(control_cell, honest)]
    overdue = {one.name for one in attacks if one.waits and not one.timed}
    with Harness(options) as harness, Harness(options) as apart, ThreadPoolExecutor(1) as aside:
        presence = harness.presence()
        harness.expect(cells)
        # What only waits for its deadline waits beside the others; nothing is timed meanwhile.
        waiting = [cell for cell in cells if cell.variant.name in overdue]
        waited = aside.submit(lambda: [Seen(apart.prove(cell), "") for cell in waiting])
        proofs: dict[str, Seen] = {}
        for cell in (cell for cell in cells if cell.variant.name not in overdue):
            if on_row is not None:
                on_row(cell.variant.name)
            proofs[cell.variant.name] = _prove(harness, cell)
        proofs |= dict(zip((cell.variant.name for cell in waiting), waited.result(), strict=True))
        due = [one for one in attacks if one.timed and proofs[one.name].proved.verdict.proved]
        # That no machine is so fast shows in the longest calls only, which a session makes and an honest twin has not.
        too_fast = [one.name for one in due if one.caught_by is Mechanism.PHYSICAL_FLOOR]
        timed = _sessions(harness, proofs, [*too_fast, *(one.name for one in honest)])
        # What found no moment to cheat in must have cost what honest work costs.
        beside = _besides(harness, proofs, [one for one in due if one.name not in timed or _is_plain(timed[one.name])])
        rows = [
            attack_row(one, proofs[one.name], timed.get(one.name), beside.get(one.name), presence) for one in attacks
        ]
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


@dataclass(frozen=True, slots=True)
class Beside:
    """An attack that was compared with its honest twin.

    Attributes:
        ratio: its time an iteration over the twin's; ``None`` where the machine was too noisy to say.
        low: lower end of its 95 % interval.
        high: upper end.
        doubt: what is doubtful about it; empty for honest work.
        rejected: why there is no ratio; empty where there is one.
    """

    ratio: float | None
    low: float
    high: float
    doubt: str = ""
    rejected: str = ""

    @classmethod
    def of(cls, ratios: Sequence[float], doubt: str) -> Self:
        """From the logarithm of the ratio in each part."""
        if len(ratios) < FEWEST_PARTS:
            return cls(None, math.nan, math.nan, doubt)
        estimate = Estimate.of(ratios)
        mean, low, high = (math.exp(each) for each in (estimate.mean, estimate.low, estimate.high))
        return cls(mean, low, high, doubt)


def _sessions(harness: Harness, proofs: Mapping[str, Seen], names: Iterable[str]) -> dict[str, Timed]:
    """The timings of those that must be impossible, and of the controls."""
    found = {one.cell.variant.name: one for one in harness.time([proofs[name].proved for name in names])}
    clean()
    return found


def _besides(harness: Harness, proofs: Mapping[str, Seen], attacks: Sequence[Attack]) -> dict[str, Beside]:
    """Attacks, each timed in turns with its honest twin, so that both meet the same noise."""
    twins: dict[str, Proved] = {}
    plans: dict[str, Plan | None] = {}
    found = {}
    for one in attacks:
        twin = _twin_of(one)
        if twin not in twins:
            twins[twin] = proofs[twin].proved if twin in proofs else harness.prove(control_cell(control(one.twin)))
        if proofs[one.name].proved.verdict.proved and twins[twin].verdict.proved:
            arms = [harness.arm(twins[twin], "twin"), harness.arm(proofs[one.name].proved, "attack")]
            course = harness.course(proofs[one.name].proved)
            seed, mechanisms = harness.options.seed, harness.options.mechanisms
            game = PingPong(arms, course, seed, LAUNCH_NS, plans.get(twin), mechanisms=mechanisms)
            found[one.name] = _beside(game)
            plans[twin] = game.plan
            clean()
    return found


def _beside(game: PingPong) -> Beside:
    ratios: list[float] = []
    try:
        for _ in range(MOST_LAUNCHES):
            rounds = game.launch()
            made = [] if rounds is None else [log_ratio(part, 1, 0) for part in parts(rounds, PART)]
            ratios += [ratio for ratio in made if math.isfinite(ratio)]
            if _is_clear(ratios):
                break
    except ArmFailedError as error:
        return Beside(None, math.nan, math.nan, rejected=str(error))
    return Beside.of(ratios, game.doubts.get("attack", ""))


def _is_clear(ratios: Sequence[float]) -> bool:
    """Whether these parts tell cheap from dear."""
    if len(ratios) < FEWEST_PARTS:
        return False
    estimate = Estimate.of(ratios)
    # An interval over few parts is soon narrow by chance: cheap is said only over many.
    cheap = len(ratios) >= FEWEST_CHEAP and estimate.high < math.log(LEAST_RATIO)
    return cheap or estimate.low > math.log(LEAST_RATIO)


def _twin_of(one: Attack) -> str:
    return control(one.twin).name


def _is_plain(timed: Timed) -> bool:
    return isinstance(timed.outcome, Timing) and not timed.outcome.flags


def attack_row(one: Attack, seen: Seen, timed: Timed | None, beside: Beside | None, presence: Mapping[str, str]) -> Row:
    """What an attack came to, beside what it must come to."""
    finding, ratio = seen.proved.verdict.finding, None
    evidence = finding.evidence
    if finding.status is not Status.PROVED:
        came = Outcome.REJECTED.value
        expected = finding.status in one.verdicts
        evidence = f"{finding.status}{f' ({finding.cause})' if finding.cause else ''}: {evidence}"
    elif beside is not None:
        came, expected, evidence = _cost_of(one, beside)
        ratio = beside.ratio
    elif timed is not None:
        came, expected, evidence = _timing_of(timed)
    else:
        came, expected = "passed", False
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


def _timing_of(timed: Timed) -> tuple[str, bool, str]:
    outcome = timed.outcome
    if isinstance(outcome, Void):
        # Whoever is given no number has gained nothing.
        return "no number", True, outcome.reason
    if isinstance(outcome, Timing):
        # A flagged number is one that a reader is told not to believe.
        return (Outcome.FLAGGED.value, True, outcome.doubt) if outcome.flags else ("passed", False, outcome.note)
    reason = outcome.reason if isinstance(outcome, Rejected) else f"{outcome.status}: {outcome.message}"
    return Outcome.REJECTED_WHEN_TIMED.value, True, reason


def _cost_of(one: Attack, beside: Beside) -> tuple[str, bool, str]:
    if beside.rejected:
        return Outcome.REJECTED_WHEN_TIMED.value, True, beside.rejected
    if beside.doubt:
        return Outcome.FLAGGED.value, True, beside.doubt
    if beside.ratio is None or beside.low < LEAST_RATIO < beside.high:
        return "no number", True, "the machine is too noisy to hold it against its honest twin"
    twin = one.twin.replace("_", " ")
    evidence = f"{beside.ratio:.2f} times the cost of its honest twin, {twin} ({beside.low:.2f} to {beside.high:.2f})"
    return (Outcome.TRUE_COST.value, True, evidence) if beside.low >= LEAST_RATIO else ("passed", False, evidence)


def control_row(variant: Variant, seen: Seen, timed: Timed | None) -> Row:
    """What a control came to: proved and unflagged, or not."""
    verdict, outcome = seen.proved.verdict, None if timed is None else timed.outcome
    came, expected, evidence = verdict.finding.status.value, verdict.proved, verdict.finding.evidence
    if verdict.proved and isinstance(outcome, Timing) and outcome.flags:
        came, expected, evidence = Outcome.FLAGGED.value, False, outcome.doubt
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
    """Whether a process is one of an attack's, and not of another self-test beside this one."""
    mark = f"{MARK}={os.environ.get(MARK, '')}".encode()
    with contextlib.suppress(OSError):
        if comm.read_bytes().strip() == DAEMON and comm.stat().st_uid == os.getuid():
            return MARK not in os.environ or mark in (comm.parent / "environ").read_bytes().split(b"\0")
    return False


def clean() -> None:
    """Remove what attacks leave in the temporary folder where nothing stops them."""
    for entry in Path(tempfile.gettempdir()).glob("gdbench-selftest-*"):
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
