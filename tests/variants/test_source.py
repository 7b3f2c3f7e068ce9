"""What is read from syntax equals what running the module registers, and nothing is read wrongly in silence."""

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.variants.contract import REGISTERED
from bench.variants.source import Source, SourceError, read_source

FUNCTION = "def f(problem, n_iters):\n    return None\n"


def read(tmp_path: Path, text: str) -> Source:
    path = tmp_path / "module.py"
    path.write_text(text, encoding="utf-8")
    return read_source(path, "package.module")


@pytest.mark.parametrize(
    ("imported", "decorator"),
    [
        ("from bench import variant", "variant"),
        ("from bench import variant as v", "v"),
        ("from bench import *", "variant"),
        ("import bench", "bench.variant"),
        ("import bench as b", "b.variant"),
        ("import bench.variants.contract", "bench.variants.contract.variant"),
        ("from bench.variants import contract as c", "c.variant"),
        ("from bench.variants.contract import variant", "variant"),
    ],
)
def test_the_decorator_is_known_under_every_name_it_can_be_imported_by(
    tmp_path: Path, imported: str, decorator: str
) -> None:
    source = read(tmp_path, f"{imported}\n\n@{decorator}('a', backend='numpy')\n{FUNCTION}")
    assert [(variant.name, variant.target) for variant in source.variants] == [("a", "package.module:f")]
    assert source.complete


def test_a_decorator_of_another_library_is_not_a_registration(tmp_path: Path) -> None:
    source = read(
        tmp_path, f"def variant(*a, **k):\n    return lambda f: f\n\n@variant('a', backend='numpy')\n{FUNCTION}"
    )
    assert source.variants == ()
    assert source.complete


def test_every_field_equals_what_running_the_module_registers(tmp_path: Path) -> None:
    text = (
        "from bench import variant\n\n\n"
        "@variant('full', backend='torch', family='some', expect='scale.sum')\n"
        'def full(problem, n_iters):\n    """\n    First line.\n\n    More.\n    """\n\n\n'
        "@variant(backend='numpy', name='bare')\ndef bare(problem, n_iters):\n    return None\n\n\n"
        "@variant('outer', backend='numpy', expect=None)\n@variant('inner', backend='numpy')\n"
        "def twice(problem, n_iters):\n    '''Two names.'''\n"
    )
    source = read(tmp_path, text)
    before = len(REGISTERED)
    exec(compile(text, str(tmp_path / "module.py"), "exec"), {"__name__": "package.module"})
    registered = tuple(REGISTERED[before:])
    del REGISTERED[before:]
    assert source.variants == registered
    assert len(registered) == 4


@pytest.mark.parametrize(
    "registration",
    [
        f"NAME = 'a'\n@variant(NAME, backend='numpy')\n{FUNCTION}",
        f"@variant(f'a{{1}}', backend='numpy')\n{FUNCTION}",
        f"@variant(*['a'], backend='numpy')\n{FUNCTION}",
        f"@variant('a', **{{'backend': 'numpy'}})\n{FUNCTION}",
        f"@variant('a', backend=None)\n{FUNCTION}",
        f"{FUNCTION}\nvariant('a', backend='numpy')(f)\n",
        f"{FUNCTION}\nfor name in 'ab':\n    variant(name, backend='numpy')(f)\n",
        "if 1:\n    @variant('a', backend='numpy')\n    def f(problem, n_iters): ...\n",
        "class C:\n    @variant('a', backend='numpy')\n    def f(problem, n_iters): ...\n",
        f"mine = variant\n\n@mine('a', backend='numpy')\n{FUNCTION}",
    ],
)
def test_what_only_running_can_tell_is_marked_incomplete(tmp_path: Path, registration: str) -> None:
    literal = "@variant('literal', backend='numpy')\ndef g(problem, n_iters): ...\n"
    source = read(tmp_path, f"from bench import variant\n\n{registration}\n\n{literal}")
    assert not source.complete
    assert [variant.name for variant in source.variants] == ["literal"]


def test_a_variant_decorator_handed_on_by_another_module_is_asked_about(tmp_path: Path) -> None:
    assert not read(tmp_path, f"from .compat import variant\n\n@variant('a', backend='numpy')\n{FUNCTION}").complete


@pytest.mark.parametrize("text", ["def broken(:\n", "x = 1\n\n\n  y = 2\n", "# coding: no-such-coding\n", "x = '\0'\n"])
def test_a_file_that_is_not_python_is_an_error_naming_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceError, match=r"module\.py"):
        read(tmp_path, text)


def test_a_syntax_error_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"module\.py:3: "):
        read(tmp_path, "x = 1\n\ndef broken(:\n")


@pytest.mark.parametrize("name", ["", "../up", "a b", "-a", "a" * 65, "\\x1b[31m", "é"])
def test_a_name_that_files_and_tables_cannot_carry_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match=r"module\.py:2: the variant's name"):
        read(tmp_path, f"from bench import variant\n@variant('{name}', backend='numpy')\n{FUNCTION}")


def test_a_registered_function_shadowed_by_a_later_one_is_ambiguous(tmp_path: Path) -> None:
    registered = f"@variant('a', backend='numpy')\n{FUNCTION}"
    with pytest.raises(UsageError, match=r"module\.py:2 and module\.py:5 both define 'f'.*ambiguous"):
        read(tmp_path, f"from bench import variant\n{registered}{FUNCTION}")
    assert read(tmp_path, f"from bench import variant\n{FUNCTION}{registered}").variants[0].origin == "module.py:4"


def test_bound_names_include_imports_assignments_and_nested_blocks(tmp_path: Path) -> None:
    source = read(
        tmp_path,
        "from a import b as c\nimport d.e\n(f, g), h = x = [1], 2\nk: int = 3\n"
        "try:\n    def t(): ...\nexcept E:\n    def u(): ...\nelse:\n    v = 1\n"
        "with q as r:\n    pass\nif z:\n    class W: ...\nmatch m:\n    case 1:\n        n = 2\n",
    )
    assert source.names == frozenset(["c", "d", "f", "g", "h", "x", "k", "t", "u", "v", "r", "W", "n"])
    assert not source.open_ended
    assert read(tmp_path, "from a import *\n").open_ended
    assert read(tmp_path, "def __getattr__(name): ...\n").open_ended


def test_a_stray_backslash_in_a_string_is_no_error(tmp_path: Path) -> None:
    assert read(tmp_path, "pattern = '\\d'\n").names == {"pattern"}
