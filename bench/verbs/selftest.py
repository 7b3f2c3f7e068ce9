"""``gdbench selftest``: this harness under attack."""

from importlib import import_module
from time import monotonic

from bench.arguments import Arguments
from bench.exit_codes import NOT_AS_EXPECTED, OK
from bench.recording import run_environment
from bench.report.terminal import progress, selftest_table
from bench.selftest import corpus
from bench.selftest.picture import left_behind, marked, picture
from bench.selftest.rows import Row, document, left_line, summary_line
from bench.selftest.run import OPTIONS, selftest
from bench.verbs.shown import console_of, write_json


def main(arguments: Arguments) -> int:
    """``gdbench selftest``."""
    began = monotonic()
    # On its first import it sets a variable of this process, which no attack has done.
    import_module("threadpoolctl")
    with marked():
        before = picture()
        rows, presence = _attacked(arguments)
        left = left_behind(before, picture())
    if arguments.json:
        write_json(arguments.json, document(run_environment(OPTIONS), presence, rows, left))
    if not arguments.quiet:
        console = console_of(arguments)
        selftest_table(console, rows)
        console.print(summary_line(rows, monotonic() - began), highlight=False, soft_wrap=True)
        console.print(left_line(left), highlight=False, soft_wrap=True, markup=False)
    return OK if all(row.as_expected for row in rows) and not left else NOT_AS_EXPECTED


def _attacked(arguments: Arguments) -> tuple[list[Row], dict[str, str]]:
    with progress(len(corpus.ATTACKS) + len(corpus.CONTROLS), quiet=arguments.quiet) as shown:

        def on_row(name: str) -> None:
            shown.finish()
            shown.begin(name)

        return selftest(OPTIONS, corpus.ATTACKS, corpus.CONTROLS, on_row)
