"""What the package shares."""

STEPS = 0.0
