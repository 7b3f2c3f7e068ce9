"""Variants are found and targets resolved without importing them; what cannot be found says so."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bench
from bench.errors import GdbenchError, UsageError
from bench.variants import discovery
from bench.variants.contract import Variant
from bench.variants.discovery import discover, file_of, module_files, registering_modules, resolve, scan

ROOT = Path(bench.__file__).parents[1]
EXPLOSIVE = "raise SystemExit('a variant was imported by the judge')\n"


def registration(name: str, function: str = "f", backend: str = "numpy") -> str:
    return (
        "from bench import variant\n\n\n"
        f"@variant({name!r}, backend={backend!r})\n"
        f'def {function}(problem, n_iters):\n    """Summary of {name}."""\n\n\n'
    )


Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write files into a folder on the import path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    imported = set(sys.modules)

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    yield write
    new = [name for name in set(sys.modules) - imported if getattr(sys.modules[name], "__file__", None)]
    assert not [name for name in new if str(tmp_path) in str(sys.modules[name].__file__)]


def names(variants: list[Variant] | tuple[Variant, ...]) -> list[str]:
    return [variant.name for variant in variants]


def test_the_core_variants_are_discovered() -> None:
    core = {
        "numpy-analytic",
        "numpy-matmul",
        "numpy-batched",
        "numpy-dot-mean",
        "torch-manual",
        "torch-optim",
        "torch-optim-tensor",
        "torch-matmul",
        "torch-bmm",
    }
    found = {variant.name: variant for variant in scan(["gd_impls"]).variants}
    assert core <= found.keys()
    assert found["numpy-dot-mean"].expect == "scale.sum"
    assert found["torch-bmm"].target == "gd_impls.torch_matmul:torch_bmm"
    assert all(found[name].expect is None for name in core - {"numpy-dot-mean"})


def test_reading_gd_impls_gives_exactly_what_importing_it_registers() -> None:
    found = scan(["gd_impls"])
    modules = list(dict.fromkeys(variant.target.partition(":")[0] for variant in found.variants))
    code = (
        "import importlib, json, sys\n"
        "from dataclasses import asdict\n"
        "from bench.variants.contract import REGISTERED\n"
        "imported = []\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "        imported.append(name)\n"
        "    except ModuleNotFoundError:\n"
        "        pass\n"
        "print(json.dumps([imported, [asdict(variant) for variant in REGISTERED]]))\n"
    )
    imported, registered = json.loads(run(code, *modules))
    assert "gd_impls.numpy_analytic" in imported
    expected = [variant for variant in found.variants if variant.target.partition(":")[0] in imported]
    assert sorted(names(expected)) == sorted(variant["name"] for variant in registered)
    assert {variant.name: variant for variant in expected} == {v["name"]: Variant(**v) for v in registered}


def run(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def test_discovery_imports_no_array_library_and_no_variant() -> None:
    code = (
        "import sys\n"
        "from bench.variants.discovery import discover\n"
        "assert len(discover(ask=lambda module: [], complain=print)) >= 9\n"
        "heavy = {'numpy', 'torch', 'pandas', 'scipy', 'pyarrow', 'rich', 'gd_impls'}\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    assert run(code).splitlines()[-1] == "[]"


def test_packages_are_read_recursively_and_never_imported(write: Write) -> None:
    write("plants/__init__.py", EXPLOSIVE + registration("top"))
    write("plants/sub/deep.py", EXPLOSIVE + registration("deep"))
    write("plants/sub/__init__.py", EXPLOSIVE)
    write("plants/__main__.py", registration("main"))
    write("plants/not-a-module.py", registration("odd"))
    write("single_plant.py", EXPLOSIVE + registration("single"))
    found = scan(["plants", "single_plant", "plants.sub.deep"])
    assert [(variant.name, variant.target) for variant in found.variants] == [
        ("top", "plants:f"),
        ("deep", "plants.sub.deep:f"),
        ("single", "single_plant:f"),
    ]
    assert (found.ask, found.broken) == ((), ())


def test_one_broken_module_is_reported_with_its_line_and_loses_no_other(write: Write) -> None:
    write("plants/__init__.py", "")
    write("plants/a.py", registration("a"))
    write("plants/b.py", registration("b") + "def (:\n")
    write("plants/c.py", registration("c"))
    found = scan(["no_such_module_at_all", "plants"])
    assert names(found.variants) == ["a", "c"]
    assert "'no_such_module_at_all'" in found.broken[0]
    assert "b.py:9: " in found.broken[1]
    assert len(found.broken) == 2


def test_entry_points_are_read_each_module_once(write: Write) -> None:
    for number in (1, 2):
        write(f"plugin{number}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: plugin{number}\nVersion: 1.0\n")
        write(f"plugin{number}-1.0.dist-info/entry_points.txt", "[gdbench.variants]\nx = plug_in\ny = gd_impls\n")
    write("plug_in.py", registration("plugged-in"))
    assert registering_modules()[0] == "gd_impls"
    assert registering_modules().count("gd_impls") == registering_modules().count("plug_in") == 1
    found = names(discover(ask=lambda module: [], complain=print))
    assert found.count("plugged-in") == found.count("numpy-analytic") == 1


def test_a_checkout_that_was_never_installed_finds_gd_impls_beside_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "entry_points", lambda group: ())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert registering_modules() == ["gd_impls"]
    assert "numpy-analytic" in names(scan().variants)


def test_two_variants_of_one_name_are_refused_with_both_places(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("plants/__init__.py", "")
    write("plants/a.py", registration("same"))
    write("plants/b.py", "\n" + registration("same", "g"))
    monkeypatch.setattr(discovery, "registering_modules", lambda: ["plants"])
    with pytest.raises(UsageError, match=r"'same': plants\.a:f \(a\.py:4\) and plants\.b:g \(b\.py:5\)"):
        discover()
    with pytest.raises(UsageError, match="'same'"):
        resolve("plants")


COMPUTED = (
    "from bench import variant\n\n\ndef f(problem, n_iters): ...\n\n\nvariant('comp' + 'uted', backend='torch')(f)\n"
)


def answer(module: str) -> list[Variant]:
    return [Variant("computed", "torch", "torch", f"{module}:f", origin="computing.py:4")]


def test_modules_that_compute_what_they_register_are_asked_about(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("computing.py", COMPUTED + "\n\n" + registration("literal", "g").partition("\n\n\n")[2])
    monkeypatch.setattr(discovery, "registering_modules", lambda: ["computing"])
    literal = scan().variants[0]
    assert scan().ask == ("computing",)
    assert names(discover(ask=lambda module: [*answer(module), literal])) == ["literal", "computed"]
    complaints: list[str] = []
    assert names(discover(complain=complaints.append)) == ["literal"]
    with pytest.warns(UserWarning, match="computing computes what it registers"):
        discover()

    def refuse(module: str) -> list[Variant]:
        raise GdbenchError("its import failed")

    assert names(discover(ask=refuse, complain=complaints.append)) == ["literal"]
    assert ["computes what it registers" in complaints[0], "its import failed" in complaints[1]] == [True, True]


def test_a_hostile_name_from_a_worker_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("computing.py", COMPUTED)
    complaints: list[str] = []
    monkeypatch.setattr(discovery, "registering_modules", lambda: ["computing"])
    hostile = Variant("../../x", "numpy", "numpy", "computing:f")
    assert discover(ask=lambda module: [hostile], complain=complaints.append) == []
    assert "'../../x' cannot be used" in complaints[0]


def test_an_unregistered_function_of_a_file_becomes_an_ad_hoc_variant(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("descents/mine.py", EXPLOSIVE + '\n\ndef mine(problem, n_iters):\n    """My own.\n\n    More."""\n')
    expected = Variant("mine.py:mine", "numpy", "ad-hoc", f"{path}:mine", None, "My own.", "mine.py:4")
    assert resolve(f"{path}:mine") == [expected]
    monkeypatch.chdir(tmp_path)
    assert resolve("descents/mine.py:mine") == resolve("descents/../descents/mine.py:mine") == [expected]
    assert resolve("descents/mine.py:mine", backend="cupy")[0].backend == "cupy"


@pytest.mark.parametrize(
    ("imports", "backend"),
    [
        ("import numpy as np", "numpy"),
        ("", "numpy"),
        ("import numpy as np\nimport torch.nn as nn", "torch"),
        ("from torch import optim", "torch"),
        ("import jax.numpy as jnp", "jax"),
        ("try:\n    import cupy\nexcept ImportError:\n    pass", "cupy"),
        ("from .torch import x", "numpy"),
    ],
)
def test_the_backend_of_an_ad_hoc_variant_is_guessed_from_the_imports(write: Write, imports: str, backend: str) -> None:
    path = write("mine.py", f"{imports}\n\n\ndef mine(problem, n_iters): ...\n")
    assert resolve(f"{path}:mine")[0].backend == backend


def test_a_backend_that_cannot_be_guessed_must_be_named(write: Write) -> None:
    path = write("mine.py", "import torch\nimport jax\n\n\ndef mine(problem, n_iters): ...\n")
    with pytest.raises(UsageError, match=r"torch and jax.*--backend"):
        resolve(f"{path}:mine")
    assert resolve(f"{path}:mine", backend="jax")[0].backend == "jax"


def test_a_registered_function_keeps_its_registration(write: Write) -> None:
    path = write("mine.py", registration("registered", backend="torch"))
    expected = Variant("registered", "torch", "torch", f"{path}:f", None, "Summary of registered.", "mine.py:4")
    assert resolve(f"{path}:f") == resolve(str(path)) == resolve(f"{path}:f", backend="torch") == [expected]
    with pytest.raises(UsageError, match=r"registered \(mine\.py:4\) is registered for torch, not for 'numpy'"):
        resolve(f"{path}:f", backend="numpy")


def test_module_targets_are_found_on_the_import_path_without_importing(write: Write) -> None:
    write("plants/__init__.py", EXPLOSIVE + "from plants.inner import handed_on\n")
    write("plants/inner.py", EXPLOSIVE + registration("a") + registration("b", "g") + "def handed_on(): ...\n")
    assert names(resolve("plants.inner")) == names(resolve("plants")) == ["a", "b"]
    assert names(resolve("plants.inner:g")) == ["b"]
    assert resolve("plants.inner:handed_on")[0].name == "plants.inner:handed_on"
    assert resolve("plants:handed_on")[0].target == "plants:handed_on"
    assert module_files("plants.inner")[0][0] == "plants.inner"
    assert file_of("plants.inner:handed_on") == module_files("plants.inner")[0][1]
    assert file_of("plants:handed_on") == module_files("plants")[0][1]
    assert file_of("folder/it.py:f") == Path("folder/it.py")
    assert file_of("plants.outer:f") is None
    assert file_of("nowhere:f") is None


def test_targets_that_compute_their_registrations_are_asked_about(write: Write) -> None:
    path = write("computing.py", COMPUTED)
    for target in (str(path), f"{path}:f"):
        assert resolve(target, ask=answer) == answer(str(path))
        with pytest.raises(UsageError, match="only a worker can tell"):
            resolve(target)
    assert resolve("computing:f", ask=answer)[0].target == "computing:f"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("plants/mine.py:descend", r"defines no function 'descend'\. Nearest: descent\."),
        ("plants/mine.py", r"registers no variant\. To check one .* plants/mine\.py:descent"),
        ("plants/empty.py", "registers no variant"),
        ("plants/mime.py:descent", r"There is no file plants/mime\.py\. Nearest: mine\.py"),
        ("nowhere/mine.py:descent", "its folder .*nowhere does not exist"),
        ("./plants", "is a folder.*mine.py"),
        ("plants/notes.txt", "not a Python source file"),
        ("plants.mine", r"'plants\.mine'.*Name its file: plants/mine\.py"),
        ("no_such_module_at_all:f", "No Python source of a module 'no_such_module_at_all'"),
        ("numpy-analytic", "No Python source of a module 'numpy-analytic'"),
        ("sys:f", "No Python source of a module 'sys'"),
        ("plants/mine.py:", "is not a target"),
        (":descent", "is not a target"),
        ("plants/mine.py:a b", "is not a target"),
        ("plants/broken.py:f", r"broken\.py:1: "),
    ],
)
def test_a_target_that_names_nothing_says_what_is_wrong_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    (tmp_path / "plants").mkdir()
    for name, text in {
        "mine.py": "def descent(): ...\n",
        "empty.py": "",
        "notes.txt": "",
        "broken.py": "def (\n",
    }.items():
        (tmp_path / "plants" / name).write_text(text)
    with pytest.raises(UsageError, match=message):
        resolve(target)


def test_a_folder_of_modules_without_code_has_no_functions(write: Write) -> None:
    write("plants/inner.py", registration("a"))
    with pytest.raises(UsageError, match="plants is a folder of modules without code of its own"):
        resolve("plants:f")
    assert names(resolve("plants")) == ["a"]
