"""``gdbench list``: the variants and the problems."""

from dataclasses import asdict

from bench.arguments import Arguments, request_of
from bench.dtypes import dtype_named
from bench.exit_codes import OK
from bench.plan import chosen_variants, named_problems
from bench.problems.catalogue import CATALOGUE
from bench.problems.named import Entry, NamedProblem
from bench.report.terminal import problem_table, variant_table
from bench.report.text import complain
from bench.verbs.shown import console_of, write_json


def main(arguments: Arguments) -> int:
    """``gdbench list``."""
    request = request_of(arguments)
    for name in request.dtypes:
        dtype_named(name)
    variants = chosen_variants(request, complain=complain)
    tables, entries = named_problems(request)
    problems = [*map(_listed, tables), *(entries if request.problems else CATALOGUE)]
    if arguments.json:
        described = [{"name": p.name, "default": p.default, "summary": p.summary, "source": p.source} for p in problems]
        document = {"schema": "gdbench/list/1", "variants": [asdict(v) for v in variants], "problems": described}
        write_json(arguments.json, document)
    console = console_of(arguments)
    if not arguments.quiet:
        variant_table(console, variants)
        problem_table(console, problems)
    return OK


def _listed(table: NamedProblem) -> Entry:
    """A table, as a problem of the catalogue is listed."""
    return Entry(table.name, table.summary, table.source, default=False, load=lambda: table)
