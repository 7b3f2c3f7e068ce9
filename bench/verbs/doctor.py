"""``gdbench doctor``: what this machine offers."""

from bench.arguments import Arguments
from bench.doctor import examine
from bench.exit_codes import OK
from bench.report.terminal import facts_table
from bench.verbs.shown import console_of, write_json


def main(arguments: Arguments) -> int:
    """``gdbench doctor``."""
    facts = examine()
    if arguments.json:
        write_json(arguments.json, {"schema": "gdbench/doctor/1", **facts})
    if not arguments.quiet:
        facts_table(console_of(arguments), facts)
    return OK
