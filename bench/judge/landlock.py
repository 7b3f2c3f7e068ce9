"""Landlock: a process gives up writing outside some folders, TCP, and signals and sockets to those outside.

The kernel's documentation: Documentation/userspace-api/landlock.rst.
"""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

from bench.judge.kernel import PR_SET_NO_NEW_PRIVS, prctl, system_call

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1

_WRITE_FILE = 1 << 1
_CHANGES = 0b1_1111_1111 << 4
"""Removing and making files and folders of every kind."""
_REFER = 1 << 13
_TRUNCATE = 1 << 14
_TCP = 0b11
_SCOPES = 0b11
"""Abstract UNIX sockets, and signals."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """The version of Landlock that this kernel has; 0 where it has none, or it is switched off.

    >>> version() >= 0
    True
    """
    try:
        return system_call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))
    except OSError:
        return 0


def restrict(folders: Sequence[Path], files: Sequence[Path]) -> int:
    """Let this process and all that it starts write nowhere but there, for good.

    What is open already stays open. Reading and executing are not restricted. From version 4 on no TCP port can be
    bound or connected to; from version 6 on no process outside gets a signal, nor can an abstract socket of one be
    connected to.

    Args:
        folders: everything in them may be written, made and removed.
        files: these may be written; those that are not there are left out.

    Returns:
        The version of Landlock that is at work.

    Raises:
        OSError: this kernel has none, or refuses.
    """
    found = version()
    changes = _WRITE_FILE | _CHANGES
    writes = _WRITE_FILE
    if found >= 2:
        changes |= _REFER
    if found >= 3:
        changes |= _TRUNCATE
        writes |= _TRUNCATE
    attributes = _Ruleset(changes, _TCP if found >= 4 else 0, _SCOPES if found >= 6 else 0)
    # An older kernel takes a longer structure when what it does not know is zero.
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    ruleset = system_call(_CREATE_RULESET, ctypes.byref(attributes), size, ctypes.c_uint32(0))
    try:
        for path, allowed in [*((folder, changes) for folder in folders), *((file, writes) for file in files)]:
            _allow(ruleset, path, allowed)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        system_call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)
    return found


def _allow(ruleset: int, path: Path, allowed: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rule = _PathBeneath(allowed, parent)
        system_call(
            _ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0)
        )
    finally:
        os.close(parent)
