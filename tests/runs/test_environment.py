import builtins
import os
import platform
import shutil
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import bench
from bench.runs import environment as environment_module
from bench.runs.environment import environment
from bench.runs.strict_json import from_json, to_json

GIT = shutil.which("git")


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Any:
    class Memory:
        total = 80 * 2**30

    module: Any = ModuleType("pynvml")
    module.nvmlInit = lambda: None
    module.nvmlShutdown = lambda: None
    module.nvmlSystemGetDriverVersion = lambda: b"570.1"
    module.nvmlDeviceGetCount = lambda: 2
    module.nvmlDeviceGetHandleByIndex = lambda index: index
    module.nvmlDeviceGetName = lambda handle: f"Card {handle}"
    module.nvmlDeviceGetMemoryInfo = lambda handle: Memory
    module.nvmlDeviceGetCudaComputeCapability = lambda handle: (9, 0)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return module


def test_it_is_strict_json_and_says_what_runs() -> None:
    found = environment({"OMP_NUM_THREADS": 1})
    assert from_json(to_json(found), "here") == found
    assert found["gdbench"] == bench.__version__
    assert found["python"] == platform.python_version()
    assert found["numpy"] == version("numpy")
    assert found["threads"] == {"OMP_NUM_THREADS": 1}
    assert found["logical_cores"] == os.cpu_count()
    assert set(found["missing"]) <= set(found)


def test_what_is_not_known_is_empty_and_says_why() -> None:
    found = environment()
    for name in ("numpy", "torch", "pandas", "scipy", "pyarrow", "cpu", "affinity", "memory_bytes", "gpus", "git"):
        assert bool(found[name]) != bool(found["missing"].get(name)), name


def test_the_host_name_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "a-very-private-host"
    uname = platform.uname()._replace(node=name)
    monkeypatch.setattr(platform, "uname", lambda: uname)
    monkeypatch.setattr(platform, "node", lambda: name)
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    assert name not in to_json(environment())


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(environment_module, "version", nothing)
    found = environment()
    assert found["torch"] is None
    assert found["missing"]["torch"] == "not installed"
    assert "jax" not in found
    assert "jax" not in found["missing"]


@pytest.mark.parametrize(
    ("facts", "fallback", "model"),
    [
        ("processor\t: 0\nmodel name\t: Abacus 3000 @ 2 Hz\nmodel name\t: other\n", "x", "Abacus 3000 @ 2 Hz"),
        ("Model\t\t: Raspberry Pi 4\n", "x", "Raspberry Pi 4"),
        ("model name\t:\nprocessor : 0\n", "arm", "arm"),
        (None, "arm", "arm"),
        (None, "", None),
    ],
)
def test_the_processor_is_named_by_the_kernel_or_by_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facts: str | None, fallback: str, model: str | None
) -> None:
    path = tmp_path / "cpuinfo"
    if facts is not None:
        path.write_text(facts)
    monkeypatch.setattr(environment_module, "_PROCESSOR_FACTS", path)
    monkeypatch.setattr(platform, "processor", lambda: fallback)
    found = environment()
    assert found["cpu"] == model
    assert ("cpu" in found["missing"]) == (model is None)


def test_a_system_that_tells_nothing_of_cores_and_memory_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> int:
        raise ValueError("unrecognized configuration name")

    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "sysconf", unknown)
    found = environment()
    assert found["affinity"] is None
    assert found["memory_bytes"] is None
    assert "unrecognized configuration name" in found["missing"]["memory_bytes"]
    assert "affinity" in found["missing"]


def test_gpus_are_described(nvml: Any) -> None:
    found = environment()
    card = {"memory_bytes": 80 * 2**30, "compute_capability": "9.0", "driver": "570.1"}
    assert found["gpus"] == [{"name": "Card 0", **card}, {"name": "Card 1", **card}]
    assert "gpus" not in found["missing"]


def test_what_nvml_does_not_know_of_a_gpu_leaves_the_rest(nvml: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Not Supported")

    monkeypatch.setattr(nvml, "nvmlDeviceGetMemoryInfo", fail)
    first, _ = environment()["gpus"]
    assert first == {"name": "Card 0", "memory_bytes": None, "compute_capability": "9.0", "driver": "570.1"}


@pytest.mark.parametrize(
    ("function", "reason"),
    [("nvmlInit", "NVML does not start: no driver"), ("nvmlDeviceGetCount", "NVML starts and then fails: no driver")],
)
def test_a_driver_that_fails_is_survived(
    nvml: Any, monkeypatch: pytest.MonkeyPatch, function: str, reason: str
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no driver")

    monkeypatch.setattr(nvml, function, fail)
    monkeypatch.setattr(nvml, "nvmlShutdown", fail)
    found = environment()
    assert found["gpus"] == []
    assert found["missing"]["gpus"] == reason


@pytest.mark.parametrize(
    ("printed", "gpus"),
    [
        (
            "NVIDIA H200, 143771, 9.0, 570.1\\nNVIDIA GB10, [N/A], 12.1, 580.9\\n",
            [
                {"name": "NVIDIA H200", "memory_bytes": 143771 << 20, "compute_capability": "9.0", "driver": "570.1"},
                {"name": "NVIDIA GB10", "memory_bytes": None, "compute_capability": "12.1", "driver": "580.9"},
            ],
        ),
        ("", []),
        (None, []),
    ],
)
def test_without_pynvml_the_drivers_program_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str | None, gpus: list[dict[str, Any]]
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\n" + ("exit 9\n" if printed is None else f"printf '{printed}'\n"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = environment()
    assert found["gpus"] == gpus
    assert ("nvidia-smi gives no answer" in found["missing"].get("gpus", "")) is (printed is None)


def test_no_pynvml_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setenv("PATH", "")
    found = environment()
    assert found["gpus"] == []
    assert "install gdbench[cuda]" in found["missing"]["gpus"]


def test_psutil_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert environment()["memory_bytes"] > 2**20


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if GIT is None:
        pytest.skip("git is not installed")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").write_text("")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for question in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "first"]):
        subprocess.run([GIT, "-C", str(tmp_path), *question], check=True)
    return tmp_path


def test_the_commit_of_the_source_tree_and_whether_it_was_changed(checkout: Path) -> None:
    clean = environment(tree=checkout)["git"]
    assert len(clean["commit"]) == 40
    assert clean["dirty"] is False
    (checkout / "results").mkdir()
    (checkout / "results" / "note").write_text("a run")
    assert environment(tree=checkout)["git"] == clean
    (checkout / "bench" / "__init__.py").write_text("changed = True\n")
    assert environment(tree=checkout)["git"] == clean | {"dirty": True}


def test_git_variables_of_a_hook_do_not_mislead(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clean = environment(tree=checkout)["git"]
    monkeypatch.setenv("GIT_DIR", str(checkout / "nowhere"))
    assert environment(tree=checkout)["git"] == clean


def test_a_repository_around_an_installed_gdbench_is_not_its_own(checkout: Path) -> None:
    installed = checkout / "venv" / "site-packages"
    (installed / "bench").mkdir(parents=True)
    (installed / "bench" / "__init__.py").write_text("")
    found = environment(tree=installed)
    assert found["git"] is None
    assert "no checkout that git can read" in found["missing"]["git"]
    assert str(checkout) not in to_json(found)


def test_a_tree_without_repository_and_a_machine_without_git_are_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if GIT is not None:
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
        assert "git" in environment(tree=tmp_path)["missing"]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = environment(tree=tmp_path)
    assert found["git"] is None
    assert found["missing"]["git"] == "git is not installed"


def test_a_git_that_hangs_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("git", 10)

    monkeypatch.setattr(shutil, "which", lambda name: "git")
    monkeypatch.setattr(subprocess, "run", hang)
    assert environment(tree=tmp_path)["missing"]["git"] == "git ls-files gave no answer: TimeoutExpired"


def test_nothing_that_computes_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__
    heavy = {"torch", "numpy", "pandas", "scipy", "pyarrow", "jax", "psutil"}

    def watch(name: str, *rest: Any) -> Any:
        assert name.partition(".")[0] not in heavy, name
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", watch)
    environment()
