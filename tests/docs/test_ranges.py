"""The least versions that the tests can be run with are those that pyproject.toml states."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {"nvidia-ml-py", "torch"}
"""Nothing of the first is called without a GPU; the second is tested in the release of constraints.txt alone."""


def test_the_least_versions_are_those_that_are_stated() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    every = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    stated = {name: least for one in every for name, _, least in [one.partition(">=")] if least}
    pinned = re.findall(
        r"^([\w-]+)==(.+)$", (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {name: least for name, least in pinned if name not in ELSEWHERE} == {
        name: least for name, least in stated.items() if name not in ELSEWHERE
    }
