"""Print docs/reference-cli.md, as the command line itself is built: python scripts/cli_reference.py."""

import argparse
from collections.abc import Iterator

from bench.exit_codes import HARNESS_FAILED, INTERRUPTED, NOT_AS_EXPECTED, OK, USAGE
from bench.parser import build_parser

INTRODUCTION = f"""\
# Reference: the command line

`gdbench VERB [options]`; `python3 -m bench VERB [options]` is the same, also in a checkout that was never installed.
Tables and progress are for people. `--json -` puts one strict JSON object on standard output and the tables on standard
error. `NO_COLOR` is respected. Targets and options may stand in any order.

## Exit codes

| code | meaning |
|---|---|
| {OK} | all well: every cell is as expected |
| {NOT_AS_EXPECTED} | a cell is not as expected: not proved, or without the cause that it was registered or gated with |
| {USAGE} | the request makes no sense; the message on standard error says what to write instead |
| {HARNESS_FAILED} | the harness itself failed, or a proof had no power; never the variant's fault |
| {INTERRUPTED} | interrupted with Ctrl-C; what was finished is shown, and kept |

A cell that a variant declined (`unsupported`) is as expected, unless a gate asks for its status. One that is
`unavailable` is as expected only where neither its variant, nor its problem, nor a device was named.
"""
ARGUMENT_FORMS = """\
## Arguments

| argument | forms |
|---|---|
| TARGET | a variant's name or glob; `file.py` or `package.module`, for every variant registered there; \
`file.py:function` or `package.module:function`, for any function |
| `-p` | a name or glob of [the catalogue](reference-problems.md); a spec such as `gaussian:n=1000,d=20`; the path \
of a CSV or Parquet file |
| `-d` | `cpu`, `cuda`, `cuda:1`, `mps`; left out: every device that the backend has (for a gate: `cpu`) |
| `-t` | `float64`, `float32`, `float16`, `bfloat16`; left out: the first two |
"""
ONLY_PROBLEMS_CAN_FAIL = f"{OK}, {USAGE}, {HARNESS_FAILED}, {INTERRUPTED}"
ANY_CODE = f"{OK}, {NOT_AS_EXPECTED}, {USAGE}, {HARNESS_FAILED}, {INTERRUPTED}"
JUDGING_VERBS = ("verify", "time", "run", "gate", "compare", "report", "selftest")
ENDING = "`python scripts/cli_reference.py > docs/reference-cli.md` writes this page anew; a test compares the two."


def page() -> str:
    """The whole page."""
    verbs = _verbs()
    parts = [INTRODUCTION, _verb_table(verbs), ARGUMENT_FORMS, *_option_tables(verbs), ENDING]
    return "\n".join(parts) + "\n"


def _verbs() -> dict[str, tuple[str, argparse.ArgumentParser]]:
    """Each verb's summary and its parser."""
    (subparsers,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    summaries = {choice.dest: choice.help or "" for choice in subparsers._choices_actions}
    return {name: (summaries[name], parser) for name, parser in subparsers.choices.items()}


def _verb_table(verbs: dict[str, tuple[str, argparse.ArgumentParser]]) -> str:
    lines = ["## Verbs", "", "| verb | what it does | options | exit codes |", "|---|---|---|---|"]
    for name, (summary, parser) in verbs.items():
        arguments = [_metavar(action) for _, action in _actions(parser) if not action.option_strings]
        codes = ANY_CODE if name in JUDGING_VERBS else ONLY_PROBLEMS_CAN_FAIL
        lines.append(_row(f"`{' '.join([name, *arguments])}`", summary, _options(parser), codes))
    return "\n".join(lines) + "\n"


def _options(parser: argparse.ArgumentParser) -> str:
    """The groups that a verb takes, and its options that belong to none."""
    with_options = [(title, action) for title, action in _actions(parser) if action.option_strings]
    groups = dict.fromkeys(title.partition(" (")[0] for title, _ in with_options if title != "options")
    others = [f"`{action.option_strings[-1]}`" for title, action in with_options if title == "options"]
    return ", ".join([*groups, *others])


def _option_tables(verbs: dict[str, tuple[str, argparse.ArgumentParser]]) -> Iterator[str]:
    """One table a group; an option that verbs share stands there once, with the verbs that have it."""
    groups: dict[str, dict[tuple[str, str], list[str]]] = {}
    for name, (_, parser) in verbs.items():
        for title, action in _actions(parser):
            if action.option_strings:
                meaning = (_spelled(action), action.help or "")
                groups.setdefault(title, {}).setdefault(meaning, []).append(name)
    # What belongs to no group of its own comes last.
    for title in sorted(groups, key=lambda title: title == "options"):
        heading, note = _heading(title)
        lines = [f"## {heading}", "", *([note, ""] if note else []), "| option | meaning | of |", "|---|---|---|"]
        lines += [_row(spelled, meaning, ", ".join(names)) for (spelled, meaning), names in groups[title].items()]
        yield "\n".join(lines) + "\n"


def _heading(title: str) -> tuple[str, str]:
    """A group's title, and the remark that stands behind it in brackets."""
    name, _, remark = ("other options" if title == "options" else title).partition(" (")
    remark = remark.removesuffix(")").replace("*", "\\*")
    return name[0].upper() + name[1:], f"{remark[0].upper()}{remark[1:]}." if remark else ""


def _actions(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """The group's title and the action, for each but --help."""
    for group in parser._action_groups:
        for action in group._group_actions:
            if not isinstance(action, argparse._HelpAction):
                yield group.title or "options", action


def _spelled(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {_metavar(action)}"
    return ", ".join(f"`{option}{value}`" for option in action.option_strings)


def _metavar(action: argparse.Action) -> str:
    name = "|".join(action.choices) if action.choices else str(action.metavar or action.dest)
    return f"[{name} ...]" if action.nargs == "*" else f"[{name}]" if action.nargs == "?" else name


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    print(page(), end="")
