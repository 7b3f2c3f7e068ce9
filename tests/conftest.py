"""What every test may rely on, wherever it is run: a desk's terminal, a CI job or none."""

import pytest


@pytest.fixture(autouse=True)
def terminal_of_no_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the terminal nor the CI service that the tests run under decides how output looks."""
    for name in (
        "NO_COLOR",
        "FORCE_COLOR",
        "TTY_COMPATIBLE",
        "TTY_INTERACTIVE",
        "COLUMNS",
        "LINES",
        "CI",
        "BUILD_NUMBER",
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
        "GITHUB_WORKSPACE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
