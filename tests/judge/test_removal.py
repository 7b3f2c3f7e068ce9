"""What a worker has written is removed, however deep, locked or crooked it is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.judge.removal import remove_tree

LEVELS = 3_000


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "own"
    place.mkdir()
    yield place
    # What is left of it would trouble pytest's own removal.
    remove_tree(place)


def dig(folder: Path, levels: int) -> None:
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("down", dir_fd=here)
        below = os.open("down", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_it_goes_deeper_than_recursion_and_paths_do(folder: Path) -> None:
    dig(folder, LEVELS)
    remove_tree(folder)
    assert not folder.exists()


def test_it_goes_into_folders_without_permissions(folder: Path) -> None:
    (folder / "one" / "two" / "three").mkdir(parents=True)
    (folder / "one" / "two" / "file").write_text("x")
    for closed in ("one/two/three", "one/two", "one"):
        (folder / closed).chmod(0)
    remove_tree(folder)
    assert not folder.exists()


def test_it_follows_no_link_and_opens_no_pipe(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o500)
    (folder / "to-a-folder").symlink_to(kept)
    (folder / "to-a-file").symlink_to(__file__)
    (folder / "in-circles").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    remove_tree(folder)
    assert not folder.exists()
    assert kept.stat().st_mode & 0o777 == 0o500
    assert Path(__file__).exists()


def test_what_is_not_there_or_no_folder_is_left_alone(tmp_path: Path) -> None:
    remove_tree(tmp_path / "absent")
    file = tmp_path / "file"
    file.touch()
    remove_tree(file)
    assert file.exists()
