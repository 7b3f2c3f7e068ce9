"""What a forked process gives up before it becomes a worker, each part a mechanism that it reports or does without."""

import contextlib
import fcntl
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path

from bench.judge import landlock
from bench.judge.kernel import PR_SET_PDEATHSIG, prctl
from bench.judge.mechanisms import Mechanism, Mechanisms
from bench.judge.namespace import MOST_PROCESSES, has_own_process_count, see_own_processes

FILE_LIMIT_BYTES = 1 << 28
"""No file that a worker writes grows beyond this: far above what compilers cache, far below a full disk."""

MOST_DESCRIPTORS = 1024

WORKER_DESCRIPTORS = 6
"""Nothing, its log twice, requests, replies, and the socket that segments come through."""

_CACHES = (
    ("TMPDIR", ""),
    ("XDG_CACHE_HOME", "cache"),
    ("NUMBA_CACHE_DIR", "numba"),
    ("TORCHINDUCTOR_CACHE_DIR", "inductor"),
    ("TRITON_CACHE_DIR", "triton"),
    ("CUDA_CACHE_PATH", "cuda"),
    ("CUPY_CACHE_DIR", "cupy"),
    ("MPLCONFIGDIR", "matplotlib"),
)
"""Where libraries put what they keep: in the worker's own folder, the only one that it may write to."""

_WRITABLE_DEVICES = (Path("/dev/null"), Path("/dev/zero"), Path("/dev/full"), Path("/dev/tty"))
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - its own, or not written to
"""Where semaphores of multiprocessing are."""

_FOR_ACCELERATORS = (Path("/dev"), Path("/proc"))
"""A driver opens its devices for writing, and names its threads under /proc."""


def take_descriptors(descriptors: list[int], *, close_others: bool) -> None:
    """Make these descriptors numbers 1 to 5 of this process, with nothing to read at 0.

    Args:
        descriptors: requests, replies, log, segments.
        close_others: whether every other one is closed.
    """
    requests, replies, log, segments = descriptors
    nothing = os.open(os.devnull, os.O_RDONLY)
    # Moved out of the way first: the kernel may have given them the very numbers they are going to have.
    wanted = (nothing, log, log, requests, replies, segments)
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 16) for descriptor in wanted]
    for target, descriptor in enumerate(moved):
        os.dup2(descriptor, target, inheritable=True)
    if close_others:
        os.closerange(WORKER_DESCRIPTORS, os.sysconf("SC_OPEN_MAX"))


def confine(
    directory: str, on: Mechanisms, *, accelerator: bool, own_processes: bool, own_users: bool
) -> dict[str, str]:
    """Give up what a worker does not need.

    Args:
        directory: its own, in which it runs.
        on: the mechanisms that are switched on.
        accelerator: whether it is to reach devices other than the CPU.
        own_processes: whether it lives in a PID namespace.
        own_users: whether it lives in a user namespace, where a limit on processes counts these alone.

    Returns:
        The names of those that are at work, each with what there is to say of it.
    """
    # Before the folder is entered: what is mounted later would not be seen from inside it.
    own_shared = own_processes and see_own_processes()
    os.chdir(directory)
    for variable, folder in _CACHES:
        os.environ[variable] = os.path.join(directory, folder)
    # What the server's libraries have asked for already is remembered there.
    tempfile.tempdir = None
    at_work: dict[str, str] = {}
    if Mechanism.FILE_LIMITS in on:
        _at_most(resource.RLIMIT_CORE, 0)
        _at_most(resource.RLIMIT_FSIZE, FILE_LIMIT_BYTES)
        _at_most(resource.RLIMIT_NOFILE, MOST_DESCRIPTORS)
        at_work[Mechanism.FILE_LIMITS.name] = ""
    if Mechanism.PROCESS_LIMIT in on and own_users and has_own_process_count():
        _at_most(resource.RLIMIT_NPROC, MOST_PROCESSES)
        at_work[Mechanism.PROCESS_LIMIT.name] = f"{MOST_PROCESSES} at once"
    if Mechanism.LANDLOCK in on:
        shared = (_SHARED_MEMORY,) if own_shared else ()
        folders = [Path(directory), *shared, *(_FOR_ACCELERATORS if accelerator else ())]
        with contextlib.suppress(OSError):
            at_work[Mechanism.LANDLOCK.name] = str(landlock.restrict(folders, _WRITABLE_DEVICES))
    return at_work


def die_with_parent() -> bool:
    """Have the kernel kill this process when its parent dies; false where it cannot."""
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except OSError:
        return False
    return True


def limit_memory(memory_bytes: int) -> bool:
    """Allow this much private memory beyond what is held already, and as much address space and some more.

    The address space bounds what is mapped shared, which the first limit does not count. Allocators reserve much more
    of it than they use.

    Returns:
        Whether there is such a limit here.
    """
    try:
        with open("/proc/self/statm", "rb") as file:
            pages = [int(field) for field in file.read().split()]
    except OSError:
        return False
    page = resource.getpagesize()
    _at_most(resource.RLIMIT_DATA, pages[5] * page + memory_bytes)
    _at_most(resource.RLIMIT_AS, pages[0] * page + memory_bytes + _RESERVED_BYTES)
    return True


_RESERVED_BYTES = 8 << 30


def renew_random_state() -> None:
    """Give each forked worker its own NumPy seed, as a fresh interpreter has; a shared one would hide randomness."""
    random = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()


def _at_most(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    least = limit if hard == resource.RLIM_INFINITY else min(hard, limit)
    # macOS refuses some of these.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (least, least))
