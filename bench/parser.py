"""The command line as a grammar: verbs, options, help. Nothing heavy is imported here."""

import argparse
from difflib import get_close_matches
from typing import Any, NoReturn

from bench import __version__
from bench.errors import UsageError

DESCRIPTION = """\
Prove, name, time and gate implementations of gradient descent.

  gdbench run                              prove and time every variant, leave a report under results/
  gdbench verify descent.py:fit            is my function gradient descent, and if not, what is it?
  gdbench explain numpy-dot-mean           the story behind a verdict, with this machine's numbers
"""
EPILOG = """\
Exit codes: 0 all well, 1 a cell is not as expected, 2 usage, 3 the harness itself failed, 130 interrupted.
"""
FORMATS = ("terminal", "markdown", "html", "junit", "github", "github-action-benchmark", "bencher")
"""What `gdbench report` can write."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. See `{self.prog} --help`.")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, except that targets may also stand behind options, and that the rest is refused here."""
        found, left = super().parse_known_args(args, namespace)
        options = [word for word in left if word.startswith("-")]
        if options:
            near = get_close_matches(options[0].partition("=")[0], self._option_string_actions, n=3)
            hint = f"Nearest: {', '.join(near)}. " if near else ""
            raise UsageError(f"{self.prog} has no option {options[0]!r}. {hint}See `{self.prog} --help`.")
        if any(action.dest == "targets" for action in self._actions):
            found.targets = [*found.targets, *left]
        elif left:
            raise UsageError(f"{self.prog} takes no {left[0]!r} here. See `{self.prog} --help`.")
        return found, []


def build_parser() -> argparse.ArgumentParser:  # noqa: PLR0915 - a list of the verbs
    """The whole command line."""
    parser = _Parser(
        prog="gdbench",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"gdbench {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")

    listing = _verb(verbs, "list", "show the variants and the problems")
    _selection(listing, targets=False)
    _output(listing)

    verify = _verb(verbs, "verify", "prove cells, or say why not")
    _selection(verify)
    _proof(verify)
    verify.add_argument("--in-process", action="store_true", help="run variants in the judge's process, to debug them")
    _output(verify)
    _junit(verify)

    timing = _verb(verbs, "time", "prove cells, then time the proved ones")
    _selection(timing)
    _proof(timing)
    _timing(timing)
    _output(timing)

    run = _verb(verbs, "run", "prove, time and keep: leaves a run folder with tables and a page")
    _selection(run)
    _proof(run)
    _timing(run)
    _output(run)
    _junit(run)
    run.add_argument("-o", "--results", metavar="DIR", default="results", help="where runs go (default: results)")
    run.add_argument("--resume", metavar="RUN", help="finish an interrupted run: only what is missing is done")

    gate = _verb(verbs, "gate", "prove what [tool.gdbench.gate] asks for; exit 1 unless every cell is as expected")
    gate.add_argument(
        "--config", metavar="FILE", default="pyproject.toml", help="where the gate is written (default: pyproject.toml)"
    )
    _selection(gate, targets=False)
    _proof(gate)
    _output(gate)
    gate.add_argument(
        "--speed", action="store_true", help="also compare speeds: max_slowdown, faster_than, within_of_limit"
    )
    _lanes(gate)
    _junit(gate)

    compare = _verb(verbs, "compare", "which of two is faster: two variants, two revisions, or two runs (advisory)")
    _selection(compare)
    _proof(compare)
    _lanes(compare)
    _junit(compare)
    _output(compare)

    explain = _verb(verbs, "explain", "tell the story of a verdict, with this machine's own numbers")
    _selection(explain)
    _proof(explain)
    explain.add_argument(
        "--picture", metavar="FILE", help="draw the first cell's iterates beside the exact ones: FILE.svg or FILE.png"
    )

    report = _verb(verbs, "report", "show a run again, or write it for a page or a CI service")
    report.add_argument("run", nargs="?", metavar="RUN", help="a run folder (default: the latest under results/)")
    report.add_argument(
        "--rejudge",
        action="store_true",
        help="judge it again from what its workers sent; runs no variant; exits with 1 if a verdict differs",
    )
    report.add_argument(
        "--history",
        nargs="?",
        const="",
        metavar="DIR",
        help="each cell over the runs in DIR (default: where runs are), with its steps; advisory",
    )
    report.add_argument("--format", choices=FORMATS, default="terminal", help="what to write")
    report.add_argument("--output", metavar="FILE", help="where to write it (default: standard output)")
    report.add_argument("-o", "--results", metavar="DIR", default="results", help="where runs are (default: results)")
    _output(report)

    attacks = _verb(verbs, "selftest", "attack this harness on this machine; exit 1 unless each attack is stopped")
    _output(attacks)

    doctor = _verb(verbs, "doctor", "what this machine offers: backends, devices, isolation, clocks")
    _output(doctor)
    return parser


def _verb(verbs: "argparse._SubParsersAction[_Parser]", name: str, summary: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    parser.set_defaults(verb=name)
    return parser


def _selection(parser: argparse.ArgumentParser, *, targets: bool = True) -> None:
    group = parser.add_argument_group("selection (repeatable; * ? [] are wildcards)")
    if targets:
        parser.add_argument(
            "targets",
            nargs="*",
            metavar="TARGET",
            help="a variant's name, file.py, file.py:function, package.module or package.module:function",
        )
    else:
        parser.set_defaults(targets=[])
    group.add_argument("-v", "--variant", action="append", default=[], metavar="NAME", help="registered variants")
    group.add_argument(
        "-p",
        "--problem",
        action="append",
        default=[],
        metavar="NAME",
        help="problems: a name, a spec, a table's path",
    )
    group.add_argument("-d", "--device", action="append", default=[], metavar="NAME", help="cpu, cuda, cuda:1, mps ...")
    group.add_argument("-t", "--dtype", action="append", default=[], metavar="NAME", help="float64, float32 ...")
    parser.add_argument("--backend", metavar="NAME", help="the array library of an unregistered function")
    table = parser.add_argument_group("a problem from a CSV or Parquet file (-p table.csv)")
    table.add_argument("--features", action="append", default=[], metavar="A,B", help="its feature columns")
    table.add_argument("--target", action="append", default=[], metavar="Y", dest="outputs", help="its target columns")
    table.add_argument("--lr", default="auto", metavar="NUMBER", help="the learning rate (auto: half of 2/lambda_max)")
    table.add_argument("--no-bias", action="store_true", help="a model without bias")


def _proof(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("proof")
    group.add_argument("--deadline", type=float, default=10.0, metavar="SECONDS", help="for one call (default: 10)")
    group.add_argument(
        "--memory",
        type=float,
        metavar="GIB",
        help="of a worker on the CPU, beyond its libraries (default: half of what is free, 16 at most)",
    )
    group.add_argument("--threads", type=int, default=1, metavar="N", help="of the array library (default: 1)")
    group.add_argument("--iterations", type=int, metavar="N", help="watch at least N iterations of each problem")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of orders and fresh starts (default: 0)")


def _timing(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("timing")
    group.add_argument("--launches", type=int, default=5, metavar="N", help="of each cell's worker (default: 5)")
    group.add_argument(
        "--budget",
        type=float,
        default=40.0,
        metavar="SECONDS",
        help="shared by the launches, which look for quiet moments in it; after it no cell gets more (default: 40)",
    )


def _lanes(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what the working tree is compared with")
    group.add_argument("--base", metavar="REVISION", help="a git revision, such as origin/main")
    group.add_argument("--base-python", metavar="PATH", help="another interpreter, with its own libraries")
    group.add_argument(
        "--instructions", action="store_true", help="count instructions too (valgrind): they decide where clocks cannot"
    )


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", metavar="FILE", help="write the records as one strict JSON object; - is stdout")
    parser.add_argument("-q", "--quiet", action="store_true", help="no tables, no progress")


def _junit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--junit", metavar="FILE", help="write the verdicts as JUnit XML, for a CI service")
