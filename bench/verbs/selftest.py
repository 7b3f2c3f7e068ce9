"""``gdbench selftest``: this harness under attack."""

from time import monotonic

from bench.arguments import Arguments
from bench.exit_codes import NOT_AS_EXPECTED, OK
from bench.recording import run_environment
from bench.report.terminal import progress, selftest_table
from bench.selftest.corpus import ATTACKS, CONTROLS
from bench.selftest.rows import document, summary_line
from bench.selftest.run import OPTIONS, selftest
from bench.verbs.shown import console_of, write_json


def main(arguments: Arguments) -> int:
    """``gdbench selftest``."""
    began = monotonic()
    with progress(len(ATTACKS) + len(CONTROLS), quiet=arguments.quiet) as shown:

        def on_row(name: str) -> None:
            shown.finish()
            shown.begin(name)

        rows, presence = selftest(OPTIONS, ATTACKS, CONTROLS, on_row)
    if arguments.json:
        write_json(arguments.json, document(run_environment(OPTIONS), presence, rows))
    if not arguments.quiet:
        console = console_of(arguments)
        selftest_table(console, rows)
        console.print(summary_line(rows, monotonic() - began), highlight=False, soft_wrap=True)
    return OK if all(row.as_expected for row in rows) else NOT_AS_EXPECTED
