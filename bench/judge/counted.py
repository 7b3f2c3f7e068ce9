"""A worker under callgrind, which counts the instructions of each call of the variant's function but the first.

Callgrind listens to marks in the program that it runs: four rotations that change nothing, and an exchange of a
register with itself. No library of Python's has them; a page with these few bytes of machine code spares a compiler.
The judge starts it by `command`. The harness's own modules are the judge's; everything else is its interpreter's.
"""

import ctypes
import mmap
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import bench
from bench.judge.worker import main as serve_and_leave
from bench.problems.problem import Problem
from bench.variants.contract import Descent, VariantFunction

COUNTS = "counts"
"""Callgrind writes ``counts.1`` after the second call, ``counts.2`` after the third, into the worker's directory."""

LINK = "lane"
"""The lane's folder by a name of one length, in the worker's directory."""

_PATH_BYTES = 512
"""Paths are filled up with slashes to a multiple of this. Where arrays lie decides how many numbers of them are dealt
with one by one, and it moves with the length of what a process is started with."""

MACHINE = "x86_64"
"""What the machine code is for."""

_MARK = bytes.fromhex(
    "4889f8"  # mov rax, rdi: where the request is
    "4831d2"  # xor rdx, rdx: the answer where nobody listens
    "48c1c703 48c1c70d 48c1c73d 48c1c733"  # rol rdi by 3, 13, 61, 51: by 128 in all
    "4887db"  # xchg rbx, rbx
    "4889d0 c3"  # mov rax, rdx; ret
)
"""``VALGRIND_DO_CLIENT_REQUEST_EXPR`` of valgrind.h for amd64, as a C function of one pointer."""

_LISTENING = 0x1001
_TOOL = ord("C") << 24 | ord("T") << 16
_DUMP, _ZERO, _START = _TOOL, _TOOL + 1, _TOOL + 4
"""Requests by their numbers in valgrind.h and callgrind.h."""

_ARGUMENTS = ctypes.c_uint64 * 6

_PROGRAM = """\
import sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("bench", sys.argv[1])
sys.modules["bench"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["bench"])
from bench.judge.counted import main
main(*sys.argv[2:])
"""
"""Loads the judge's ``bench`` by its file: on the import path, its folder would give all that lies beside it, too."""


def command(valgrind: str, interpreter: str, source: Path) -> Sequence[str]:
    """What starts a counted worker; the names of the mechanisms are to follow.

    Args:
        valgrind: its path.
        interpreter: the path of a Python with NumPy and the variant's library.
        source: the folder that comes first on its import path.
    """
    filled = str(source) + "/" * (_PATH_BYTES - len(str(source)) % _PATH_BYTES)
    # vgdb would put pipes into /tmp; without instrumentation an import is several times faster.
    options = ["--tool=callgrind", "--instr-atstart=no", "--vgdb=no", "--quiet", f"--callgrind-out-file={COUNTS}"]
    return [valgrind, *options, interpreter, "-P", "-c", _PROGRAM, str(Path(bench.__file__).resolve()), filled]


def main(source: str, settings: str) -> None:
    """Serve as a worker whose calls are counted.

    Args:
        source: the folder to put first on the import path.
        settings: the mechanisms that are switched on.
    """
    mark = _Marker()
    if not mark(_LISTENING):
        sys.exit("no valgrind is listening: the interpreter is started by another program; name the interpreter itself")
    os.symlink(source.rstrip("/"), LINK)
    sys.path.insert(0, os.path.abspath(LINK))

    def around(function: VariantFunction) -> VariantFunction:
        counting = False

        def counted(problem: Problem, n_iters: int) -> Descent:
            nonlocal counting
            mark(_ZERO)
            try:
                return function(problem, n_iters)
            finally:
                # The first call imports what is imported late, at a speed that only an uncounted call has.
                mark(_DUMP if counting else _START)
                counting = True

        return counted

    serve_and_leave(settings, around)


class _Marker:
    """Speaks to the valgrind that runs this process."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._page.write(_MARK)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        self._call = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(address)

    def __call__(self, request: int) -> int:
        """What it answers; 0 where none is there."""
        arguments = _ARGUMENTS(request)
        return int(self._call(ctypes.addressof(arguments)))
