"""Text of others in the report's Markdown: quoted, so that it is read and never obeyed.

Whatever a name, a path, a branch, a statement or a reason contains stays text: no heading, link, HTML or mention comes
of it. GitHub looks for mentions, issues and addresses everywhere but in code, so all of it is shown as code.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

SPAN = re.compile(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", re.DOTALL)
"""A code span: https://spec.commonmark.org/0.31.2/#code-spans."""

PLAIN = re.compile(r"[\"'(]*[^\W_](?:[^\W_]|[.,:;'\"()/%+?!=…-])*|[\"'(…]*[:,;.)…]*")
"""A word that means nothing to Markdown, wherever it stands."""

MEANT = re.compile(
    r"""
    .*://.*                  # an address
    | .*www\..*
    | [0-9a-f]{7,}[.,:;)]*   # a commit
    | .*gh-\d.*            # an issue
    | .*:[\w+-]+:.*          # an emoji
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""A word that means something, to Markdown or to GitHub, although it looks plain."""


def code(value: object) -> str:
    """`value` as a code span that nothing in it can leave; what can't be seen in it is shown as an escape."""
    text = visible(str(value)) or '""'
    fence = "`" * (longest_run(text) + 1)
    # A blank at each end is not shown; it keeps a backtick at an end apart, and blanks of the value's own there.
    blank = " " if text[0] in " `" or text[-1] in " `" else ""
    return f"{fence}{blank}{text}{blank}{fence}"


def codes(values: Iterable[object]) -> str:
    """The values as code spans, with commas."""
    return ", ".join(map(code, values))


def prose(text: str) -> str:
    """Sentences of ours, with values in backticks: plain words stay, the values and all that is not plain is code."""
    written, end = "", 0
    for span in SPAN.finditer(text):
        written = _followed(_followed(written, _words(text[end : span.start()])), code(_unpadded(span[2])))
        end = span.end()
    return _item(_followed(written, _words(text[end:])).strip())


def fenced(lines: Iterable[str], language: str) -> list[str]:
    """The lines as a block of code in which each stays one line."""
    inside = [visible(line) for line in lines]
    fence = "`" * max(3, *(longest_run(line) + 1 for line in inside))
    return [f"{fence}{language}", *inside, fence]


def summary(name: str, rest: str) -> str:
    """The line that opens a fold, which is HTML: `name` is of others, `rest` is ours."""
    return f"<details><summary><code>{html.escape(visible(name))}</code>{rest}</summary>"


def visible(text: str) -> str:
    """`text` in one line: line breaks, control characters, marks of direction and other invisible ones as escapes."""
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def longest_run(text: str) -> int:
    """How many backticks stand side by side in `text` at most."""
    return max(map(len, re.findall("`+", text)), default=0)


def _escape(character: str) -> str:
    return ascii(character)[1:-1]


def _unpadded(text: str) -> str:
    padded = text.startswith(" ") and text.endswith(" ") and text.strip()
    return text[1:-1] if padded else text


def _followed(one: str, other: str) -> str:
    """Return both; two code spans side by side would be something else."""
    return f"{one} {other}" if one.endswith("`") and other.startswith("`") else one + other


def _item(text: str) -> str:
    """`text` without a number at its start that would be that of a list, with a full stop behind it or without."""
    return re.sub(r"^\d+([.)](?= |$)|$)", lambda number: code(number[0]), text)


def _words(text: str) -> str:
    return " ".join(_word(each) if each else "" for each in text.replace("\n", " \n ").split(" "))


def _word(word: str) -> str:
    if PLAIN.fullmatch(word) and not MEANT.fullmatch(word):
        return word
    inside = word.rstrip(".,;:") or word
    return code(inside) + word[len(inside) :]
