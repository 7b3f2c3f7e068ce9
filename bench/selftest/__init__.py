"""The self-test: attacks on the harness and honest controls beside them, each with the verdict that it must get."""
