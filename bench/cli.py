"""The command ``gdbench``: one verb is carried out, and errors become a message and an exit code.

Nothing heavy is imported here, so that ``gdbench --help`` and completion answer at once.
"""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from bench.errors import GdbenchError, UnavailableError, UsageError
from bench.exit_codes import HARNESS_FAILED, INTERRUPTED, OK, USAGE
from bench.parser import build_parser
from bench.report.text import complain, drop

NEEDED = ("numpy", "scipy", "pandas", "pyarrow", "rich", "threadpoolctl")
"""What gdbench imports of its dependencies; the rest says itself where it is missing."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with one of the documented codes."""
    sys.exit(code_of(sys.argv[1:] if arguments is None else arguments))


def code_of(arguments: Sequence[str]) -> int:  # noqa: PLR0911 - one return an exit code
    """Carry out a command line; errors become a message on standard error and an exit code."""
    parser = build_parser()
    if "_ARGCOMPLETE" in os.environ:
        import_module("argcomplete").autocomplete(parser)
    try:
        options = parser.parse_args(arguments)
        if options.verb is None:
            parser.print_help()
            return OK
        import_module("bench.arguments").refuse_useless_places(options)
        code = int(import_module(f"bench.verbs.{options.verb}").main(options))
        # Here and not when Python ends: a verdict is not lost because its reader has left.
        try:
            # It is none where it was closed before.
            print(end="", flush=True)
        except BrokenPipeError:
            drop(sys.stdout)
        return code
    except (UsageError, UnavailableError) as error:
        return _complain(str(error), USAGE)
    except GdbenchError as error:
        return _complain(str(error), HARNESS_FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        drop(sys.stdout)
        return OK
    except Exception as error:  # noqa: BLE001 - the last resort: a defect of ours must not look like a verdict
        if isinstance(error, ModuleNotFoundError) and error.name in NEEDED:
            return _complain(
                f"{error.name} is not installed for this Python, {sys.executable}. What gdbench needs comes with "
                f"`{sys.executable} -m pip install gdbench`, or with `-e .` in a checkout.",
                USAGE,
            )
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            # Of a run's own files the run speaks.
            drop(sys.stdout)
            return _complain(f"there is no space left for what is to be written: {error}", HARNESS_FAILED)
        import_module("traceback").print_exc()
        return _complain(
            f"the harness itself failed: {type(error).__name__}: {error}. This is a defect.", HARNESS_FAILED
        )


def _complain(message: str, code: int) -> int:
    complain(message)
    return code
