"""``gdbench explain``: the story of a verdict."""

from pathlib import Path

from bench.arguments import Arguments, options_of, request_of
from bench.errors import UsageError
from bench.exit_codes import OK
from bench.harness import Harness
from bench.report.explanation import explanation
from bench.report.picture import require_kind, write_picture
from bench.report.text import complain


def main(arguments: Arguments) -> int:
    """``gdbench explain``."""
    request, options = request_of(arguments), options_of(arguments)
    if not request.targets and not request.variants:
        raise UsageError("explain needs a TARGET, such as numpy-dot-mean or path/to/file.py:function.")
    picture = None if arguments.picture is None else Path(arguments.picture)
    if picture is not None:
        require_kind(picture)
    with Harness(options) as harness:
        for story in harness.stories(request, complain):
            print(explanation(story))
            if picture is not None and write_picture(story, picture):
                print(f"\nThe picture is in {picture}.")
                picture = None
    if picture is not None:
        complain("there is no picture: nothing was seen of the variant that could be drawn")
    return OK
