"""The story of a verdict in plain words."""

import textwrap
from collections.abc import Iterator

from bench.proof.story import ROWS, Story, Watched
from bench.proof.verdict import Status
from bench.report.text import printable

WIDTH = 96


def explanation(story: Story) -> str:
    """Everything `gdbench explain` says about one cell, as plain text."""
    return "\n".join(_lines(story))


def _lines(story: Story) -> Iterator[str]:
    verdict, finding = story.verdict, story.verdict.finding
    cause = f": {finding.cause}" if finding.cause else ""
    note = "" if verdict.as_expected is False or finding.status is Status.PROVED else ", as expected"
    name, problem = printable(verdict.variant), printable(verdict.problem)
    yield f"{name} on {problem} ({verdict.device}, {verdict.dtype}) is {finding.status}{cause}{note}"
    yield ""
    if story.cause is not None:
        yield from _paragraph(f"What is wrong: {story.cause.title}.")
    yield from _paragraph(f"Evidence: {printable(finding.evidence)}.")
    if finding.alternatives:
        yield from _paragraph(f"No trajectory can tell it from: {', '.join(finding.alternatives)}.")
    if story.watched is not None:
        yield ""
        yield "What it does here:"
        for consequence in _consequences(story.watched, proved=verdict.proved):
            yield from _paragraph(consequence, indent="  ")
        yield ""
        yield "  iteration    first weight           exact"
        for iterate in story.watched.path[: ROWS + 1]:
            yield f"  {iterate.n_iters:9d}  {iterate.observed.flat[0]:14.8g}  {iterate.exact.flat[0]:14.8g}"
    if story.cause is not None:
        yield ""
        yield from _paragraph(f"What to look for: {story.cause.looks_like}.")
        yield f"    {story.cause.example}"
        yield from _paragraph(f"What to write: {story.cause.fix}.")


def _consequences(seen: Watched, *, proved: bool) -> Iterator[str]:
    goal = f"the optimum (first weight {seen.optimum.flat[0]:.6g}, distance at most {seen.near:.3g})"
    right = "never" if seen.right_in is None else f"{seen.right_in}"
    if seen.gain is not None:
        yield f"- its real learning rate is {seen.gain * seen.lr:.4g}, not the {seen.lr:.4g} that was asked for;"
    if seen.reached_in is None:
        yield f"- it was not seen to reach {goal}; gradient descent takes {right} iterations;"
    elif proved:
        yield f"- it reaches {goal} in {seen.reached_in} iterations; theory says {right};"
    else:
        yield f"- it reaches {goal} in {seen.reached_in} iterations, where gradient descent takes {right};"
    if seen.gain is not None and seen.right_in_at_gain is not None:
        yield (
            f"- gradient descent with the right gradient at learning rate {seen.gain * seen.lr:.4g} takes "
            f"{'the same ' if seen.right_in_at_gain == seen.reached_in else ''}{seen.right_in_at_gain};"
        )
    if seen.gain is None:
        yield f"- gradient descent is stable up to a learning rate of {seen.limit:.4g} here."
    else:
        yield (
            f"- it diverges above a learning rate of {seen.limit / seen.gain:.4f}, where gradient descent is stable to "
            f"{seen.limit:.4f};"
        )
    if seen.blowup is not None:
        far, right_far = seen.blowup.growth, seen.blowup.right_growth
        yield (
            f"- seen at {seen.blowup.lr:.4g}: {seen.blowup.n_iters} iterations took it {far:.3g} times as far from "
            "the optimum as it began, and gradient descent "
            + ("to the optimum itself." if right_far < 1e-9 else f"to {right_far:.2g} of that distance.")
        )


def _paragraph(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  " * text.startswith("-"))
