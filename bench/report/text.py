"""Makes text from variants, files and exceptions safe to show: it can be read, and can do nothing else.

HTML is escaped by jinja2; rich is given text objects, in which it looks for no markup.
"""

import os
import re
import sys
import unicodedata
from typing import IO

LONGEST = 2000
"""Characters of one piece of text that are shown; an exception's message may be as long as it likes."""

# Control, format (bidirectional marks, zero-width characters), surrogate, private, unassigned, line, paragraph.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_WITHOUT_UNICODE = {
    "µ": "u",
    "±": "+/-",
    "✓": "+",
    "✗": "x",
    "–": "-",
    "…": "...",
    "·": "-",
    "★": "*",
    "∞": "inf",
    "≤": "<=",
    "×": "x",
}
_MARKDOWN_SPECIAL = re.compile(r"[|`*_\[\]~$#]")


def printable(value: object, longest: int = LONGEST) -> str:
    r"""One line of visible characters: white space becomes one space, anything invisible its escape.

    >>> printable("a\tb\n\n c")
    'a b c'
    >>> print(printable("\x1b[31mred\u202e"))
    \x1b[31mred\u202e
    """
    text = " ".join(str(value).split())
    if len(text) > longest:
        text = f"{text[:longest]}… ({len(text) - longest} more characters)"
    return _no_command("".join(_visible(character) for character in text))


def visible(text: str) -> str:
    r"""Text of several lines in visible characters: anything else but the line feed becomes its escape.

    >>> print(visible("red\x1b[2J"))
    red\x1b[2J
    """
    return "\n".join(_no_command("".join(map(_visible, line))) for line in text.split("\n"))


def _no_command(text: str) -> str:
    """Text in which GitHub's runner finds no command: it reads the log for them, wherever a line is folded."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return text
    return text.replace("::", ": :").replace("##[", "# #[")


def complain(message: str) -> None:
    """One message on standard error; what it quotes from files and variants can do nothing there."""
    tell(f"gdbench: {visible(message)}")


def tell(line: str) -> None:
    """One line on standard error; nothing where nobody reads it any more, or it was closed from the start."""
    if sys.stderr is None:
        return
    try:
        print(line, file=sys.stderr, flush=True)
    except BrokenPipeError:
        drop(sys.stderr)


def drop(stream: IO[str] | None) -> None:
    """Let a stream lead nowhere: whoever read it has left, and what is still buffered has nowhere to go."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def encodable(text: str, encoding: str) -> str:
    r"""Text that a terminal of this encoding can show; what it lacks is spelt in ASCII.

    >>> encodable("✓ 5.7 ±0.2 µs", "ascii")
    '+ 5.7 +/-0.2 us'
    >>> encodable("✓ 5.7 ±0.2 µs", "utf-8")
    '✓ 5.7 ±0.2 µs'
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        spelt = "".join(_WITHOUT_UNICODE.get(character, character) for character in text)
        return spelt.encode(encoding, "backslashreplace").decode(encoding)
    return text


def markdown(value: object) -> str:
    r"""Printable text that GitHub-flavoured Markdown shows as it is, in a table cell or out of one.

    >>> print(markdown("a|b `c` <b> http://d.example @e"))
    a\|b \`c\` &lt;b&gt; http&#58;//d.example &#64;e
    """
    text = printable(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A backslash before an escaped pipe would end the cell; as an entity it cannot.
    text = _MARKDOWN_SPECIAL.sub(r"\\\g<0>", text.replace("\\", "&bsol;"))
    # GitHub makes links of bare addresses and mentions of bare names.
    return text.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")


def _visible(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    if unicodedata.category(character) in _UNPRINTABLE:
        return character.encode("unicode_escape").decode("ascii")
    return character
