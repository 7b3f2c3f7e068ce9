"""From the words of the command line to a request and to options, refused where they make no sense."""

import argparse
import csv
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UsageError
from bench.parser import build_parser
from bench.plan import Request, known_backend
from bench.runs.layout import is_run, read_run_file

if TYPE_CHECKING:
    from bench.harness import Options

Arguments = argparse.Namespace

_LIMITS = {
    "deadline": (0.001, 86_400, " of seconds"),
    "memory": (0.001, 1_000_000, " of GiB"),
    "threads": (1, 1024, ""),
    "iterations": (1, 1_000_000, ""),
    "launches": (2, 1000, ""),
    "budget": (0, 86_400, " of seconds"),
    "seed": (0, 2**63 - 1, ""),
}
"""The least and the most that each number on the command line may be, and its unit."""


def request_of(arguments: Arguments) -> Request:
    """Which cells the command line means.

    Raises:
        UsageError: a backend or a number is none.
    """

    def names(values: Iterable[str]) -> tuple[str, ...]:
        # A column's name may have a comma, in quotes as in the file.
        return tuple(name.strip() for row in csv.reader(values, skipinitialspace=True) for name in row if name.strip())

    return Request(
        targets=tuple(arguments.targets),
        variants=tuple(arguments.variant),
        problems=tuple(arguments.problem),
        devices=tuple(arguments.device),
        dtypes=tuple(arguments.dtype),
        backend=None if arguments.backend is None else known_backend(arguments.backend),
        features=names(arguments.features),
        outputs=names(arguments.outputs),
        lr="auto" if arguments.lr == "auto" else _number(arguments.lr, "--lr"),
        bias=not arguments.no_bias,
    )


def options_of(arguments: Arguments) -> "Options":
    """How cells are to be proved and timed.

    Raises:
        UsageError: a number is out of its range.
    """
    # `gdbench list` needs neither.
    from bench.harness import Options  # noqa: PLC0415
    from bench.judge.workshop import WorkerLimits  # noqa: PLC0415
    from bench.timing.plan import Budget  # noqa: PLC0415

    for name, (least, most, unit) in _LIMITS.items():
        value = getattr(arguments, name, None)
        if value is not None and not least <= value <= most:
            why = "; one launch gives no interval" if name == "launches" else ""
            raise UsageError(f"--{name} is {value}{why}. Give a number{unit} from {least} to {most}.")
    limits = WorkerLimits(
        call_seconds=arguments.deadline,
        memory_bytes=None if arguments.memory is None else int(arguments.memory * 2**30),
        threads=arguments.threads,
    )
    options = Options(
        limits=limits,
        seed=arguments.seed,
        iterations=arguments.iterations,
        in_process=getattr(arguments, "in_process", False),
    )
    if not hasattr(arguments, "launches"):
        return options
    return replace(options, launches=arguments.launches, budget=Budget(total_seconds=arguments.budget))


def as_started(arguments: Arguments) -> Arguments:
    """The command line that a run was started with: resuming it means the same cells.

    Raises:
        UsageError: ``--resume`` names no run, or one of another making, or stands beside other options.
    """
    plain = build_parser().parse_args(["run", "--resume", arguments.resume])
    plain.quiet, plain.json, plain.junit = arguments.quiet, arguments.json, arguments.junit
    if arguments != plain:
        raise UsageError(
            "--resume takes the cells and the options from the run itself. Leave the others out, or start a new run."
        )
    folder = run_at(arguments.resume)
    command = read_run_file(folder)["command"]
    if command[:2] != ["gdbench", "run"]:
        raise UsageError(
            f"{folder} was not made by `gdbench run`, but by `{' '.join(command)}`, which knows its cells. "
            "Start a new run."
        )
    if {"-h", "--help", "--version"} & set(command):
        raise UsageError(f"{folder} has the command {' '.join(command)!r}, which starts no run. Start a new run.")
    started = build_parser().parse_args(command[1:])
    started.quiet, started.json, started.junit = arguments.quiet, arguments.json, arguments.junit
    return started


def run_at(place: str) -> Path:
    """The run folder at a place.

    Raises:
        UsageError: there is none.
    """
    if not place:
        raise UsageError("the name of a run is empty, as that of a variable that is not set. Name its folder.")
    folder = Path(place)
    if not is_run(folder):
        what = "is no run folder" if folder.exists() else "is not there"
        raise UsageError(f"{place} {what}. Give the folder of one run, such as results/20260131T120000Z-1a2b.")
    return folder


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{option} is {text!r}, not a number. Give one such as 0.01, or auto.") from None


def refuse_useless_places(arguments: Arguments) -> None:
    """Before the work rather than after it, when its results would be lost.

    Raises:
        UsageError: there is no place for a file that is to be written, two have the same, or a name is empty.
    """
    for option in ("results", "config"):
        if getattr(arguments, option, None) == "":
            raise UsageError(f"--{option} is empty, as a variable that is not set. Name a place, or leave it out.")
    places: dict[Path, str] = {}
    for option in ("json", "junit", "output", "picture"):
        target = getattr(arguments, option, None)
        if target is None or (target == "-" and option == "json"):
            continue
        path = Path(target)
        if target in ("", "-"):
            raise UsageError(f"--{option} is for a file, and {target!r} names none. Name one, or leave it out.")
        if path.is_dir() or not path.parent.is_dir():
            what = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
            raise UsageError(f"{target} cannot be written: {what}. Name a file in a folder that is there.")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise UsageError(f"{target} cannot be written: it is not permitted. Name another file.")
        other = places.setdefault(path.resolve(), option)
        # A device, such as /dev/null, takes both.
        if other != option and (path.is_file() or not path.exists()):
            raise UsageError(f"--{other} and --{option} are one file, {target}. Name two.")
