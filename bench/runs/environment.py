"""What a run is measured on: versions, processor, memory, threads, GPUs and source tree. Never the host's name."""

import contextlib
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import bench

PACKAGES = ("numpy", "torch", "pandas", "scipy", "pyarrow")
OTHER_PACKAGES = ("jax", "jaxlib", "numba", "triton", "cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x")
"""Recorded where they are installed; their absence is no news."""

_PROCESSOR_FACTS = Path("/proc/cpuinfo")
_GIT_SECONDS = 10
_PROGRAM_SECONDS = 20
_ASKED_OF_PROGRAM = ("name", "memory.total", "compute_cap", "driver_version")


class _Absent(Exception):  # noqa: N818 - an answer, not an error
    """A fact that cannot be had here, and why."""


def environment(threads: Mapping[str, Any] | None = None, tree: Path | None = None) -> dict[str, Any]:
    """What this machine and this installation are, in JSON's own types.

    Nothing is imported that computes: versions come from the packages' metadata.

    Args:
        threads: the thread settings that workers get, such as ``{"OMP_NUM_THREADS": 1}``.
        tree: the source tree whose commit is recorded; the one that gdbench runs from where left out.

    Returns:
        The facts by name. One that cannot be had is ``None``, or an empty list, and ``missing`` says why.
    """
    missing: dict[str, str] = {}
    facts: dict[str, Any] = {
        "gdbench": bench.__version__,
        "python": platform.python_version(),
        "python_implementation": platform.python_implementation(),
    }
    for package in (*PACKAGES, *OTHER_PACKAGES):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            if package in PACKAGES:
                facts[package] = None
                missing[package] = "not installed"
    facts["platform"] = platform.platform()
    facts["machine"] = platform.machine()
    sources: dict[str, Callable[[], Any]] = {
        "cpu": _processor,
        "affinity": _affinity,
        "memory_bytes": _memory_bytes,
        "gpus": _gpus,
        "git": lambda: _git(tree or Path(bench.__file__).resolve().parent.parent),
    }
    for name, source in sources.items():
        try:
            facts[name] = source()
        except _Absent as reason:
            facts[name] = [] if name == "gpus" else None
            missing[name] = str(reason)
    facts["logical_cores"] = os.cpu_count()
    facts["threads"] = dict(threads or {})
    facts["missing"] = missing
    return facts


def _processor() -> str:
    try:
        lines = _PROCESSOR_FACTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    fields = ((name.strip(), fact.strip()) for name, _, fact in (line.partition(":") for line in lines))
    # "Model" is what a Raspberry Pi's kernel calls it; most other ARM kernels give no name at all.
    named = next((fact for name, fact in fields if name in ("model name", "Model") and fact), "")
    model = named or platform.processor()
    if not model:
        raise _Absent(f"neither {_PROCESSOR_FACTS} nor platform.processor() names it")
    return model


def _affinity() -> list[int]:
    try:
        return sorted(os.sched_getaffinity(0))
    except (AttributeError, OSError) as error:
        raise _Absent(f"the system does not tell which cores a process may use: {error}") from None


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError) as error:
        raise _Absent(f"the system does not tell how much memory there is: {error}") from None


def _gpus() -> list[dict[str, Any]]:
    try:
        nvml: Any = import_module("pynvml")
    except Exception as error:  # noqa: BLE001 - an old pynvml warns or fails in its own ways, and the run goes on
        return _gpus_by_program(f"pynvml cannot be imported ({error})")
    try:
        nvml.nvmlInit()
    except Exception as error:  # noqa: BLE001 - whatever the driver does, the run goes on
        raise _Absent(f"NVML does not start: {error}") from None
    try:
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        return [_gpu(nvml, handle) for handle in handles]
    except Exception as error:  # noqa: BLE001 - whatever the driver does, the run goes on
        raise _Absent(f"NVML starts and then fails: {error}") from None
    finally:
        with contextlib.suppress(Exception):
            nvml.nvmlShutdown()


def _gpus_by_program(why: str) -> list[dict[str, Any]]:
    """The same from the program that the driver brings along."""
    program = shutil.which("nvidia-smi")
    if program is None:
        raise _Absent(f"{why}, and there is no nvidia-smi; install gdbench[cuda] to have GPUs recorded")
    asked = [program, f"--query-gpu={','.join(_ASKED_OF_PROGRAM)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            asked, capture_output=True, text=True, errors="replace", timeout=_PROGRAM_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise _Absent(f"{why}, and nvidia-smi gives no answer: {type(error).__name__}") from None
    rows = [[fact.strip() for fact in line.split(",")] for line in done.stdout.splitlines() if line.strip()]
    return [
        {
            "name": name,
            "memory_bytes": int(mebibytes) << 20 if mebibytes.isdecimal() else None,
            "compute_capability": capability if capability[:1].isdecimal() else None,
            "driver": driver,
        }
        for name, mebibytes, capability, driver in (row for row in rows if len(row) == len(_ASKED_OF_PROGRAM))
    ]


def _gpu(nvml: Any, handle: Any) -> dict[str, Any]:
    """What NVML says of one; it does not know everything of every device, the memory of those that share it say."""
    facts: dict[str, Callable[[], Any]] = {
        "name": lambda: _text(nvml.nvmlDeviceGetName(handle)),
        "memory_bytes": lambda: int(nvml.nvmlDeviceGetMemoryInfo(handle).total),
        "compute_capability": lambda: ".".join(map(str, nvml.nvmlDeviceGetCudaComputeCapability(handle))),
        "driver": lambda: _text(nvml.nvmlSystemGetDriverVersion()),
    }
    known: dict[str, Any] = dict.fromkeys(facts)
    for name, ask in facts.items():
        with contextlib.suppress(Exception):
            known[name] = ask()
    return known


def _text(name: str | bytes) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def _git(tree: Path) -> dict[str, Any]:
    program = shutil.which("git")
    if program is None:
        raise _Absent("git is not installed")
    # A virtual environment often lies inside a repository that has nothing to do with gdbench.
    _ask_git(program, tree, "ls-files", "--error-unmatch", "--", "bench/__init__.py")
    changed = _ask_git(program, tree, "status", "--porcelain", "--", "bench", "gd_impls")
    return {"commit": _ask_git(program, tree, "rev-parse", "HEAD"), "dirty": bool(changed)}


def _ask_git(program: str, tree: Path, *question: str) -> str:
    # Inside a git hook these variables point at another repository.
    settings = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        answer = subprocess.run(
            [program, "--no-optional-locks", "-C", str(tree), *question],
            env=settings,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _Absent(f"git {question[0]} gave no answer: {type(error).__name__}") from None
    if answer.returncode:
        complaint = (answer.stderr.strip() or f"exit status {answer.returncode}").partition("\n")[0]
        raise _Absent(f"the source tree is no checkout that git can read: {complaint.replace(str(tree), '.')}")
    return answer.stdout.strip()
