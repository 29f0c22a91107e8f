"""Whether a person accepts what a pull request changes, and why: the label accept-change, a line of the description.

usage: python accepted.py EVENT HISTORY: the event of this run, as GitHub's file has it, and a line of JSON for each run
of diff.yml on the head commit: its number, and its title, which is what happened. Prints the reason, or nothing.
"""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

LABEL = "accept-change"
YES = f"labeled {LABEL}"
DECIDES = (YES, f"unlabeled {LABEL}", "opened", "reopened", "synchronize", "edited")
"""What a person saw when the label was put on may not be what is there after any other of these."""
COMMENT = "\0"
"""What is left of a comment in its line, so that what comes after it does not begin the line."""
TOP = r" {0,3}"
NESTED = r"[\s>]*(?:(?:[-*+]|\d{1,9}[.)])\s+)*"
"""What may be before a fence: of the description itself, or of a list or a quote in it, too."""
LONGEST = 500


def accepted(event: Mapping[str, Any], history: Mapping[int, str]) -> bool:
    """Whether the label was put on after all else that happened to the pull request of `event` at this commit.

    From the runs that GitHub keeps, and not from the labels that are on: what is there at an event may be older than a
    push of a moment ago. A run that was cancelled, and the event of another label, make no difference.
    """
    pull = event["pull_request"]
    if (pull["head"]["repo"] or {}).get("full_name") != event["repository"]["full_name"]:
        return False  # a fork, or what is left of one
    decisive = {f"#{pull['number']} {each}": each for each in DECIDES}
    happened = [decisive[title] for _, title in sorted(history.items()) if title in decisive]
    return happened[-1:] == [YES]


def run_title(event: Mapping[str, Any]) -> str:
    """What diff.yml calls its run for that event."""
    label = (event.get("label") or {}).get("name", "")
    return f"#{event['pull_request']['number']} {event['action']} {label}".strip()


def reason(description: str) -> str:
    """What the first line `Accept-change: …` of the description says, without control characters; else nothing.

    Not in a comment, code or a quote. Where a fence ends that is in a list, and whether what looks like one is one, is
    hard to say: a line counts if it is outside for the plain reading and for the one that sees fences everywhere.
    """
    lines = re.split(r"\r\n|\r|\n", description)
    nested = dict(_text(lines, NESTED))
    for number, line in _text(lines, TOP):
        found = re.match("Accept-change:(.*)", line)
        if found and number in nested and (said := _plain(found[1])):
            return said
    return ""


def _text(lines: Sequence[str], before_fence: str) -> Iterator[tuple[int, str]]:
    """The lines that are neither of a comment, nor of a fence, nor of a quote, by number."""
    fence = ""
    comment = quote = False
    for number, line in enumerate(lines):
        if fence:
            closed = re.fullmatch(rf"{before_fence}({fence[0]}{{{len(fence)},}})\s*", line)
            fence = "" if closed else fence
            continue
        shown, comment = _without_comments(line, comment)
        if opened := re.match(rf"{before_fence}(`{{3,}}(?=[^`]*$)|~{{3,}})", shown):
            fence = opened[1]
            continue
        # What follows a quote without a blank line between still belongs to it.
        quote = bool(shown.strip()) and (quote or shown.lstrip().startswith(">"))
        if not quote:
            yield number, shown


def _without_comments(line: str, inside: bool) -> tuple[str, bool]:
    """The line, and whether a comment goes on after it."""
    shown = ""
    while line:
        before, mark, line = line.partition("-->" if inside else "<!--")
        shown += COMMENT if inside else before
        inside = inside != bool(mark)
    return shown, inside


def _plain(text: str) -> str:
    kept = (each for each in " ".join(text.split()) if not unicodedata.category(each).startswith("C"))
    return "".join(kept).strip()[:LONGEST]


def main() -> None:
    """Print the reason; say so if the label is on without one."""
    event = json.loads(Path(sys.argv[1]).read_text())
    runs = map(json.loads, Path(sys.argv[2]).read_text().split("\n")[:-1])
    history = {number: title.strip() for number, title in runs}
    if not accepted(event, {int(os.environ["GITHUB_RUN_NUMBER"]): run_title(event), **history}):
        return
    said = reason(event["pull_request"]["body"] or "")
    sys.stdout.write(said)
    if not said:
        sys.stderr.write(
            f"::error::The label {LABEL} counts with a reason: a line 'Accept-change: …' in the description, "
            "not in a comment, a quote or code\n"
        )


if __name__ == "__main__":
    main()
