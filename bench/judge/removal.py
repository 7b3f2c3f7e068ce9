"""Removing what a worker may have written: folders nested without end, without permissions, or full of links."""

import contextlib
import os
import secrets
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_FOLDERS = 200_000
"""What has more of them than that stays, as anything does that cannot be removed: it would hold up the run."""


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, as far as that is possible; no link is followed.

    `shutil.rmtree` goes down by recursion, with an open descriptor a level: a thousand levels end it and the judge.
    Here a folder in a folder is moved up first, so that neither depth nor the length of a path matters.
    """
    with contextlib.suppress(OSError):
        top = os.open(folder, _FOLDER)
        try:
            waiting = _emptied_of_files(top)
            for _ in range(_MOST_FOLDERS):
                if not waiting:
                    break
                waiting += _flattened(top, waiting.pop())
        finally:
            os.close(top)
        folder.rmdir()


def _flattened(top: int, name: str) -> list[str]:
    """Remove one folder of the topmost one; the folders that were in it, which are now beside it."""
    moved: list[str] = []
    with contextlib.suppress(OSError):
        _permit(top, name)
        inner = os.open(name, _FOLDER, dir_fd=top)
        try:
            for below in _emptied_of_files(inner):
                _permit(inner, below)
                moved.append(secrets.token_hex(16))
                os.rename(below, moved[-1], src_dir_fd=inner, dst_dir_fd=top)
        finally:
            os.close(inner)
        os.rmdir(name, dir_fd=top)
    return moved


def _emptied_of_files(descriptor: int) -> list[str]:
    """Remove everything from a folder but the folders in it, whose names are returned."""
    with os.scandir(descriptor) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        if not is_folder:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=descriptor)
    return [name for name, is_folder in found if is_folder]


def _permit(parent: int, name: str) -> None:
    """Let its owner read and change a folder."""
    if os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode & 0o700 != 0o700:
        os.chmod(name, 0o700, dir_fd=parent)
