"""What the exit codes of ``gdbench`` mean."""

OK, NOT_AS_EXPECTED, USAGE, HARNESS_FAILED, INTERRUPTED = 0, 1, 2, 3, 130
