"""The pages keep their word: their code runs and prints what they say, commands parse, links lead somewhere.

A fenced block may have an HTML comment on the line before it:

- ``python`` blocks of a page run in order, in one namespace and one empty folder; ``<!-- not run -->`` spares one;
- a ``text`` block directly after a ``python`` block is what that prints (``...`` stands for anything);
- every command of a ``console`` block must parse; ``<!-- run -->`` runs them too, and holds them to the output shown;
- ``<!-- file: NAME -->`` writes the block, of whatever language, into the folder instead.
"""

import doctest
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path

import pytest

from bench.cli import code_of
from bench.parser import build_parser
from bench.plan import TABLE_SUFFIXES
from bench.problems.catalogue import select

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
GENERATED = {"reference-cli.md": "cli_reference.py", "reference-causes.md": "cause_reference.py"}

FENCED = re.compile(
    r"^(?:<!-- (?P<remark>.*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
HOME_OF_A_MACHINE = re.compile(r"(?<![\w./:~-])/(?:home|root|tmp|Users|opt|mnt|srv|var)/|\b[A-Z]:\\")
LIKE_A_DOCTEST = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page; ``printed`` is the text block directly after it."""

    remark: str
    language: str
    text: str
    line: int
    printed: str | None

    @property
    def file(self) -> str | None:
        return self.remark.removeprefix("file: ") if self.remark.startswith("file: ") else None

    @property
    def runs(self) -> bool:
        if self.language == "python":
            return self.file is None and self.remark != "not run"
        return self.language == "console" and self.remark == "run"


@cache
def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = list(FENCED.finditer(text))
    blocks = []
    for match, after in zip_longest(found, found[1:]):
        follows = after is not None and after["language"] == "text" and not text[match.end() : after.start()].strip()
        blocks.append(
            Block(
                remark=match["remark"] or "",
                language=match["language"],
                text=match["text"],
                line=text.count("\n", 0, match.start("text")),
                printed=after["text"] if after is not None and follows else None,
            )
        )
    return blocks


def commands_of(block: Block) -> Iterator[tuple[str, str]]:
    """Each command of a console block, with the output that stands below it."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.replace("\\\n", " ").partition("\n")
        yield command, output


def arguments_of(command: str) -> list[str] | None:
    """What a shell command gives to gdbench; ``None`` where it calls something else."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = []
    for word in lexer:
        if set(word) <= set("();<>|&"):
            break
        words.append(word)
    for program in (["gdbench"], ["python3", "-m", "bench"]):
        if words[: len(program)] == program:
            return words[len(program) :]
    return None


def gdbench_commands(page: Path) -> list[list[str]]:
    shell = [command for block in blocks_of(page) if block.language == "console" for command, _ in commands_of(block)]
    yaml = "".join(block.text for block in blocks_of(page) if block.language == "yaml")
    shell += re.findall(r"^\s*(?:- )?(?:run: )?(gdbench .*)$", yaml, re.MULTILINE)
    return [arguments for command in shell if (arguments := arguments_of(command)) is not None]


def held_against(expected: str, printed: str, where: str) -> None:
    checker = doctest.OutputChecker()
    if not checker.check_output(expected, printed, LIKE_A_DOCTEST):
        pytest.fail(f"{where} shows other output than it gives:\n{printed}")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(block.runs for block in blocks_of(page))], ids=lambda page: page.name
)
def test_what_a_page_shows_is_what_happens(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if any("torch" in block.text for block in blocks_of(page) if block.runs):
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("bench.variants.contract.REGISTERED", [])
    namespace: dict[str, object] = {"__name__": "page"}
    for block in blocks_of(page):
        where = f"{page.name}:{block.line}"
        if block.file is not None:
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.runs and block.language == "python":
            exec(compile("\n" * block.line + block.text, str(page), "exec"), namespace)
            printed = capsys.readouterr().out
            if block.printed is not None:
                held_against(block.printed, printed, where)
        elif block.runs:
            code = 0
            for command, output in commands_of(block):
                arguments = arguments_of(command)
                if arguments is None:
                    assert command == "echo $?", f"{where}: only gdbench and `echo $?` can be run, not {command}"
                    print(code)
                else:
                    code = code_of(arguments)
                held_against(output, "".join(capsys.readouterr()), f"{where}: {command}")


@EVERY_PAGE
def test_every_command_of_a_page_can_be_meant(page: Path) -> None:
    for arguments in gdbench_commands(page):
        try:
            options = build_parser().parse_args(arguments)
        except SystemExit as left:
            assert left.code == 0, arguments  # noqa: PT017 - --help and --version leave so
        else:
            select([name for name in getattr(options, "problem", []) if not name.endswith(TABLE_SUFFIXES)])


def test_the_tutorial_has_commands_and_they_are_found() -> None:
    verbs = [arguments[0] for arguments in gdbench_commands(DOCS / "tutorial.md")]
    assert {"verify", "explain", "time", "gate"} <= set(verbs)


@EVERY_PAGE
def test_every_link_into_the_project_leads_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", FENCED.sub("", page.read_text(encoding="utf-8")))
    for match in LINK.finditer(text):
        target = match["target"]
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        leads_to = (page.parent / place).resolve() if place else page
        assert leads_to.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in _anchors(leads_to), f"{page.name} links to {target}"


def _anchors(page: Path) -> list[str]:
    """The anchors that headings get on GitHub."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    titles = [match["title"].lower() for match in HEADING.finditer(text)]
    return [re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles]


def test_the_map_has_every_page() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    missing = [page.name for page in DOCS.glob("*.md") if page.name != "index.md" and f"]({page.name})" not in text]
    assert not missing


@EVERY_PAGE
def test_no_page_names_a_place_of_one_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not HOME_OF_A_MACHINE.search(text)
    assert str(ROOT) not in text
    assert sys.prefix not in text


@pytest.mark.parametrize(("page", "script"), GENERATED.items())
def test_a_generated_page_is_up_to_date(page: str, script: str) -> None:
    due = runpy.run_path(str(ROOT / "scripts" / script))["page"]()
    assert (DOCS / page).read_text(encoding="utf-8") == due, f"write docs/{page} anew: python scripts/{script}"
