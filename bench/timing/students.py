"""Student's t, of every interval that gdbench gives."""


def students(freedom: int, missing: float = 0.05) -> float:
    """So many standard errors to each side miss the truth in that share of cases.

    >>> round(students(4), 3)
    2.776
    """
    # scipy.special holds the same quantile as scipy.stats and is imported in a third of the time.
    from scipy.special import stdtrit  # noqa: PLC0415

    return float(stdtrit(freedom, 1 - missing / 2))
