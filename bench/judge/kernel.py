"""Calls to the kernel that Python has no function for. Each raises `OSError`; ENOSYS where the system lacks it."""

import ctypes
import errno
import os
from functools import cache

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
ADDR_NO_RANDOMIZE = 0x0004_0000
PERSONALITY_ASKED = 0xFFFF_FFFF
_CAP_SYS_ADMIN = 21


def prctl(option: int, value: int) -> None:
    """Change something about this process."""
    _call("prctl", option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))


def unshare(flags: int) -> None:
    """Give this process, or its future children, namespaces of their own."""
    _call("unshare", flags)


def setns(descriptor: int, flags: int) -> None:
    """Put this process, or its future children, into the namespace that a descriptor stands for."""
    _call("setns", descriptor, flags)


def mount(kind: str, target: str, flags: int, options: str = "") -> None:
    """Mount a file system of some kind, or change how one is mounted where the kind is ``none``."""
    _call("mount", kind.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())


def personality(flags: int) -> int:
    """Set the execution domain of this process and what it starts; what it was. `PERSONALITY_ASKED` changes nothing."""
    return _call("personality", ctypes.c_ulong(flags))


def system_call(number: int, *arguments: object) -> int:
    """A system call by its number."""
    return _call("syscall", ctypes.c_long(number), *arguments)


def may_administer() -> bool:
    """Whether this process has the privilege (CAP_SYS_ADMIN) to make namespaces.

    >>> isinstance(may_administer(), bool)
    True
    """
    try:
        with open("/proc/self/status", "rb") as file:
            held = next((line for line in file if line.startswith(b"CapEff:")), b"CapEff: 0")
    except OSError:
        return False
    return bool(int(held.split()[1], 16) >> _CAP_SYS_ADMIN & 1)


def _call(name: str, *arguments: object) -> int:
    try:
        function = getattr(_library(), name)
    except AttributeError as error:
        raise OSError(errno.ENOSYS, f"this system has no {name}") from error
    result = int(function(*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
