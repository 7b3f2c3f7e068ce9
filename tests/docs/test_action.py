"""The composite action: its steps do what they say when GitHub's shell runs them, with stubs for pip and gdbench."""

import os
import re
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from bench.parser import build_parser

ACTION = Path(__file__).parents[2] / "action.yml"
STUB = """\
#!/bin/bash
printf '%s\\n' "${0##*/}" "$@" > "$CALLED"
exit "${STUB_CODE:-0}"
"""
LIKE_GITHUB = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")


def scripts() -> dict[str, str]:
    """The shell lines of each step, by its name."""
    pattern = r"^    - name: (?P<name>.+)\n(?:^      .*\n)*?^      run: \|\n(?P<lines>(?:^        .*\n|^\n)+)"
    return {
        match["name"]: textwrap.dedent(match["lines"])
        for match in re.finditer(pattern, ACTION.read_text(encoding="utf-8"), re.MULTILINE)
    }


@pytest.fixture
def step(tmp_path: Path) -> "Step":
    if shutil.which("bash") is None:
        pytest.skip("the action's steps are for bash")
    for name in ("python", "gdbench"):
        (tmp_path / name).write_text(STUB)
        (tmp_path / name).chmod(0o755)
    return Step(tmp_path)


class Step:
    """Runs one step, and gives its exit code and what it called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, **environment: str) -> tuple[int, list[str]]:
        called = self.folder / "called"
        path = os.pathsep.join([str(self.folder), os.environ["PATH"]])
        done = subprocess.run(
            [*LIKE_GITHUB, scripts()[name]],
            env=os.environ | {"PATH": path, "CALLED": str(called)} | environment,
            cwd=self.folder,
            check=False,
            timeout=60,
        )
        return done.returncode, called.read_text().splitlines()


def test_a_package_is_installed(step: Step) -> None:
    code, called = step("Install gdbench", PACKAGE="a folder/gdbench")
    assert (code, called) == (0, ["python", "-m", "pip", "install", "--quiet", "a folder/gdbench"])


@pytest.mark.parametrize("code", [0, 1, 3])
def test_gdbench_gets_the_words_and_its_code_is_the_steps(step: Step, code: int) -> None:
    files = {"JUNIT": "a junit.xml", "RECORDS": "records.json"}
    words = "gate -v numpy-*\n  -t float64 $(id) ;id"
    given = ["-v", "numpy-*", "-t", "float64", "$(id)", ";id"]
    files_asked_for = ["--junit", "a junit.xml", "--json", "records.json"]
    assert step("Run gdbench", ARGUMENTS=words, STUB_CODE=str(code), **files) == (
        code,
        ["gdbench", "gate", *given, *files_asked_for],
    )


@pytest.mark.parametrize("verb", ["gate", "verify", "run"])
def test_the_verbs_of_the_action_take_its_options(verb: str) -> None:
    options = build_parser().parse_args([verb, "--junit", "junit.xml", "--json", "records.json"])
    assert (options.junit, options.json) == ("junit.xml", "records.json")


def test_every_input_is_declared_described_and_used() -> None:
    text = ACTION.read_text(encoding="utf-8")
    assert "\t" not in text
    declared, _, runs = text.partition("\nruns:\n")
    inputs = re.findall(r"^  ([a-z-]+):\n    description: .+\n    default: .+$", declared, re.MULTILINE)
    assert set(inputs) == set(re.findall(r"inputs\.([a-z-]+)", runs))
    assert len(inputs) == len(re.findall(r"^  [a-z-]+:$", declared, re.MULTILINE))
    assert list(scripts()) == ["Install gdbench", "Run gdbench"]
    assert runs.count("shell: bash") == runs.count("run: |") == 2
    # An input inside a script would be run as a part of it.
    assert not [lines for lines in scripts().values() if "${{" in lines]
    page = (ACTION.parent / "docs" / "how-to-gate.md").read_text(encoding="utf-8")
    assert not [name for name in inputs if f"`{name}`" not in page]
