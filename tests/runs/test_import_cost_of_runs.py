import subprocess
import sys

LIGHT = ["records", "strict_json", "journal", "layout", "folder", "environment", "benchmark_json"]


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sorted(name.partition('.')[0] for name in sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


def test_only_the_frames_import_pandas() -> None:
    light = loaded_after("import " + ", ".join(f"bench.runs.{name}" for name in LIGHT))
    assert light & {"numpy", "pandas", "pyarrow", "scipy", "torch"} == set()


def test_the_frames_import_pandas_and_no_array_library_of_a_variant() -> None:
    loaded = loaded_after("import bench.runs.frames")
    assert "pandas" in loaded
    assert loaded & {"torch", "jax", "cupy"} == set()
