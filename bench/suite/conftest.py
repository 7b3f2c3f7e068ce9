"""Loads the plugin where its entry point does not: in a checkout that was never installed."""

import warnings
from collections.abc import Generator

import pytest

# Its entry point has the same name, so that pytest registers it once.
pytest_plugins = ["bench.pytest_plugin"]


def pytest_configure(config: pytest.Config) -> None:
    """Say at once that the plugin is switched off."""
    if config.pluginmanager.is_blocked("bench.pytest_plugin"):
        raise pytest.UsageError(
            "bench/suite is nothing without its plugin, which is switched off. Leave out -p no:bench.pytest_plugin."
        )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish() -> Generator[None, None, None]:
    """Where every cell is skipped, pytest-benchmark warns that it saves nothing; as an error this hides the summary."""
    with warnings.catch_warnings():
        warnings.filterwarnings("default", "Not saving anything, no benchmarks have been run")
        return (yield)
