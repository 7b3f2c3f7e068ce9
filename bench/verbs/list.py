"""``gdbench list``: the variants and the problems."""

from dataclasses import asdict

from bench.arguments import Arguments, request_of
from bench.exit_codes import OK
from bench.plan import chosen_variants
from bench.problems.catalogue import CATALOGUE, select
from bench.report.terminal import problem_table, variant_table
from bench.report.text import complain
from bench.verbs.shown import console_of, write_json


def main(arguments: Arguments) -> int:
    """``gdbench list``."""
    variants = chosen_variants(request_of(arguments), complain=complain)
    problems = select(arguments.problem) if arguments.problem else list(CATALOGUE)
    if arguments.json:
        described = [{"name": p.name, "default": p.default, "summary": p.summary, "source": p.source} for p in problems]
        document = {"schema": "gdbench/list/1", "variants": [asdict(v) for v in variants], "problems": described}
        write_json(arguments.json, document)
    console = console_of(arguments)
    if not arguments.quiet:
        variant_table(console, variants)
        problem_table(console, problems)
    return OK
