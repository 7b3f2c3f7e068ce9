"""Making lanes: a git revision's source tree, or another interpreter."""

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import UsageError
from bench.judge.lane import OWN, Lane
from bench.variants.contract import Variant
from bench.variants.discovery import file_of

_GIT_SECONDS = 120


@contextmanager
def base_lane(revision: str | None, python: str | None) -> Iterator[Lane]:
    """The lane that the working tree is compared with, as long as the block lasts.

    The revision's files are unpacked into a temporary folder; nothing in the repository is touched.

    Args:
        revision: of the git repository that the working directory is in; ``None`` for the working tree.
        python: path of an interpreter that has the variants' libraries; ``None`` for this one.

    Raises:
        UsageError: there is no git, no repository or no such revision, or no such interpreter.
    """
    interpreter = None if python is None else _interpreter(python)
    if revision is None:
        yield OWN if interpreter is None else Lane(interpreter, interpreter)
        return
    top = Path(_git("rev-parse", "--show-toplevel").strip()).resolve()
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", revision=revision)
    with tempfile.TemporaryDirectory(prefix="gdbench-lane-") as place:
        root = Path(place).resolve()
        _unpack(commit.strip(), top, root)
        yield Lane(revision if interpreter is None else f"{revision} with {interpreter}", interpreter, root, top)


def require_own(variants: Iterable[Variant], lane: Lane) -> None:
    """Do nothing where a lane has these variants from a tree of its own, or has no tree.

    Raises:
        UsageError: it would have the very file that the working tree has.
    """
    for variant in dict.fromkeys(variants):
        file = file_of(variant.target)
        if lane.root is not None and file is not None and lane.moved(str(file)) == str(file):
            raise UsageError(
                f"{variant.name} is not a file of this repository, so that --base {lane.name} would compare it with "
                "itself. Install your project with `pip install -e .`, or name the variant's file: path/to/file.py."
            )


def _unpack(commit: str, top: Path, root: Path) -> None:
    with subprocess.Popen(["git", "archive", "--format=tar", commit], cwd=top, stdout=subprocess.PIPE) as git:  # noqa: S607
        assert git.stdout is not None
        with tarfile.open(fileobj=git.stdout, mode="r|") as files:
            files.extractall(root, filter="data")
    if git.returncode != 0:
        raise UsageError(f"git archive {commit} failed in {top}. See what it says when you run it there.")


def _git(*words: str, revision: str = "") -> str:
    try:
        done = subprocess.run(
            ["git", *words],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
            timeout=_GIT_SECONDS,
        )
    except FileNotFoundError:
        raise UsageError(
            "git is not installed, so there is no revision to be had. Install it, or leave --base out."
        ) from None
    if done.returncode != 0:
        if revision:
            raise UsageError(
                f"--base {revision}: git knows no such revision here. In CI, fetch it first: a shallow clone has one "
                "commit alone."
            )
        raise UsageError("--base is a git revision, and the working directory is in no git repository.")
    return done.stdout


def _interpreter(python: str) -> str:
    found = shutil.which(python)
    if found is None:
        raise UsageError(f"--base-python {python}: there is no such program. Give the path of a Python interpreter.")
    return str(Path(found).absolute())
