"""The suite for pytest-benchmark: ``pytest bench/suite --benchmark-only``, or ``pytest --pyargs bench.suite``."""
