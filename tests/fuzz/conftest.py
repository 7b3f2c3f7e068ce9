"""The fuzzer beside the tests is none."""

collect_ignore = ["fuzz.py", "corpus"]
