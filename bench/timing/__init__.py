"""Timing: how long one iteration of a proved cell takes, with an interval over launches."""
