"""Whether a verdict is what the gate asks for."""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from bench.gate.config import Requirement
from bench.plan import Cell, Request
from bench.proof.verdict import Finding, Status, Verdict

INTERRUPTED = "interrupted before it was looked at"


def asked_for(cell: Cell, narrower: Request) -> bool:
    """Whether a cell of the gate is among those that the command line narrows it to.

    Args:
        cell: one that a requirement means.
        narrower: its variants and problems are names and globs; where it has none, every cell is asked for.
    """
    return _matches(cell.variant.name, narrower.variants) and _matches(cell.problem, narrower.problems)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def held_against(verdict: Verdict, requirement: Requirement) -> Verdict:
    """The verdict with ``expected`` and ``as_expected`` as the requirement has them, and the reason when it fails.

    A cell that its variant declines passes, unless a status was asked for: it was never promised.
    """
    finding = verdict.finding
    expected, fits = verdict.expected, verdict.as_expected
    if requirement.status is not None or requirement.cause is not None:
        expected = requirement.cause or str(requirement.status)
        fits = requirement.status in (None, finding.status) and requirement.cause in (None, finding.cause)
    evidence = finding.evidence
    if fits and requirement.within is not None and finding.status is Status.PROVED:
        slow = _too_slow(verdict, requirement.within)
        if slow is not None:
            expected, fits, evidence = f"{expected} within {requirement.within}", False, f"{slow}; {evidence}"
    if finding.status is Status.UNAVAILABLE and requirement.status is None:
        fits = False
    return replace(verdict, expected=expected, as_expected=fits, finding=replace(finding, evidence=evidence))


def unjudged(cell: Cell, requirement: Requirement | None = None) -> Verdict:
    """The verdict on a cell that nobody came to before an interrupt: no reader may take it for passed."""
    asked = None if requirement is None else requirement.cause or requirement.status
    expected = str(asked or cell.variant.expect or Status.PROVED)
    return cell.verdict(Finding(status=Status.VOID, evidence=INTERRUPTED), expected=expected, as_expected=False)


def _too_slow(verdict: Verdict, within: int) -> str | None:
    finding = verdict.finding
    if finding.converges_in is None:
        return f"this learning rate does not converge, and {within} iterations are allowed"
    if finding.converges_in > within:
        return f"it converges in {finding.converges_in} iterations, and {within} are allowed"
    if finding.checked_to is None or finding.checked_to < finding.converges_in:
        return f"it was watched for {finding.checked_to} iterations of the {finding.converges_in} that it takes"
    return None
