"""Making lanes: a git revision's source tree, or another interpreter."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.errors import UsageError
from bench.judge.lane import OWN, Lane
from bench.variants.contract import Variant
from bench.variants.discovery import file_of
from bench.variants.source import SourceError, names_bound_in

_GIT_SECONDS = 600
_PYTHON_SECONDS = 60


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
    if revision == "":
        raise UsageError("--base is empty, as a variable that is not set. Name a revision, such as origin/main.")
    interpreter = None if python is None else _interpreter(python)
    if revision is None:
        yield OWN if interpreter is None else Lane(interpreter, interpreter)
        return
    top = Path(_git("rev-parse", "--show-toplevel")).resolve()
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", revision=revision)
    with tempfile.TemporaryDirectory(prefix="gdbench-lane-") as place:
        root = Path(place).resolve()
        _unpack(commit, top, root)
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


def lacks(lane: Lane, variant: Variant) -> bool:
    """Whether a revision's lane has no file, or no function in it, where the working tree has a variant."""
    file = file_of(variant.target)
    if lane.root is None or file is None:
        return False
    try:
        names = names_bound_in(Path(lane.moved(str(file))))
    except SourceError:
        return True
    return names.isdisjoint({variant.target.rpartition(":")[2].partition(".")[0], "*"})


def _unpack(commit: str, top: Path, root: Path) -> None:
    """Write the files of a commit, all of them: an archive would leave out what releases leave out."""
    index = {"GIT_INDEX_FILE": str(root.parent / f"{root.name}.index")}
    try:
        for words in (("read-tree", commit), ("checkout-index", "--all", "--quiet", f"--prefix={root}{os.sep}")):
            done = _asked(*words, folder=top, more=index)
            if done.returncode != 0:
                said = _last_line(done.stderr)
                raise UsageError(
                    f"the files of {commit[:12]} cannot be written to {root.parent}: {said}. If it has no room, set "
                    "TMPDIR to a folder that has."
                )
    finally:
        Path(index["GIT_INDEX_FILE"]).unlink(missing_ok=True)


def _git(*words: str, revision: str = "") -> str:
    done = _asked(*words)
    said = _last_line(done.stderr)
    if done.returncode == 0:
        return os.fsdecode(done.stdout).removesuffix("\n")
    if revision:
        raise UsageError(
            f"--base {revision}: git knows no such revision here. In CI, fetch it first: a shallow clone has one "
            f"commit alone.{said and f' git says: {said}'}"
        )
    if "dubious ownership" in os.fsdecode(done.stderr):
        raise UsageError(
            "--base: git does not read this repository, for its folder belongs to another user. Run "
            f"`git config --global --add safe.directory {os.getcwd()}`, with the folder that has .git."
        )
    raise UsageError(f"--base is a git revision, and the working directory is in no git repository: {said}")


def _asked(
    *words: str, folder: Path | None = None, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *words],  # noqa: S607
            capture_output=True,
            check=False,
            timeout=_GIT_SECONDS,
            cwd=folder,
            env={**os.environ, **(more or {})},
        )
    except FileNotFoundError:
        raise UsageError(
            "git is not installed, so there is no revision to be had. Install it, or leave --base out."
        ) from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"git {words[0]} took more than {_GIT_SECONDS} s. See what it does when you run it.") from None


def _last_line(said: bytes) -> str:
    return os.fsdecode(said).strip().rpartition("\n")[2]


def _interpreter(python: str) -> str:
    found = shutil.which(python)
    if found is None:
        raise UsageError(f"--base-python {python}: there is no such program. Give the path of a Python interpreter.")
    try:
        done = subprocess.run(
            [found, "-c", "import numpy; print(numpy.__name__)"],
            capture_output=True,
            check=False,
            timeout=_PYTHON_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"--base-python {python} does not run: {error}. Give a Python interpreter.") from None
    if done.stdout.strip() != b"numpy":
        raise UsageError(
            f"--base-python {python} does not import NumPy, which the harness needs there: "
            f"{_last_line(done.stderr) or 'it says nothing'}. Install numpy for it, or give another interpreter."
        )
    return str(Path(found).absolute())
