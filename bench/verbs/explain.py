"""``gdbench explain``: the story of a verdict."""

import sys
from collections.abc import Iterator
from pathlib import Path

from bench.arguments import Arguments, options_of, request_of
from bench.dtypes import dtype_named
from bench.errors import UsageError
from bench.exit_codes import OK
from bench.harness import Harness
from bench.plan import Cell, Request
from bench.proof.story import Story, tell, untold
from bench.proof.verdict import Status, Verdict
from bench.report.explanation import explanation
from bench.report.picture import require_kind, write_picture
from bench.report.text import complain, encodable


def main(arguments: Arguments) -> int:
    """``gdbench explain``."""
    request, options = request_of(arguments), options_of(arguments)
    if not request.targets and not request.variants:
        raise UsageError("explain needs a TARGET, such as numpy-dot-mean or path/to/file.py:function.")
    picture = None if arguments.picture is None else Path(arguments.picture)
    if picture is not None:
        require_kind(picture)
    with Harness(options) as harness:
        for story in _stories(harness, request):
            print(encodable(explanation(story), sys.stdout.encoding))
            if picture is not None and write_picture(story, picture):
                print(f"\nThe picture is in {picture}.")
                picture = None
    if picture is not None:
        complain("there is no picture: nothing was seen of the variant that could be drawn")
    return OK


def _stories(harness: Harness, request: Request) -> Iterator[Story]:
    """Each variant's verdict retold: on the first problem that it does not decline, or on all that are named."""
    told: set[str] = set()
    cells = harness.plan(request, complain)
    last = {cell.variant.name: cell for cell in cells}
    for cell in cells:
        if cell.variant.name in told:
            continue
        proved = harness.prove(cell)
        if proved.verdict.finding.status is Status.UNSUPPORTED and last[cell.variant.name] is not cell:
            continue
        if not request.problems:
            told.add(cell.variant.name)
        yield _story(harness, cell, proved.verdict)


def _story(harness: Harness, cell: Cell, verdict: Verdict) -> Story:
    if cell.data is None or verdict.finding.status not in (Status.PROVED, Status.WRONG):
        return untold(verdict)
    with harness.subject(cell) as subject:
        return tell(subject, cell.data, dtype_named(cell.dtype), verdict)
