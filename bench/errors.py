"""The errors that gdbench raises on purpose. Each message says the fact, the likely cause and the next action."""


class GdbenchError(Exception):
    """Anything gdbench reports without a traceback."""


class UsageError(GdbenchError):
    """The request cannot be carried out as it was written; the command line exits with 2."""


class DiskError(GdbenchError):
    """The disk did not take what was found; the command line exits with 3, and what is in the journal stays there."""


class UnavailableError(GdbenchError):
    """A backend, a device or a data set is not here; the cell becomes a row with status ``unavailable``."""
