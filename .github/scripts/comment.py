"""A report as a comment on a pull request, below the mark by which the next one finds it, or as a job's summary.

What doesn't fit is left out, the verdict and the dangers last of all, and what remains says so.

usage: python3 comment.py REPORT RUN [summary], where RUN is the address of the workflow's run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

MARK = "<!-- make diff -->"
COMMENT_LIMIT = 65_536
"""Of characters: GitHub refuses a longer one. In bytes here, as it also has to fit a variable of a step (128 KiB)."""
SUMMARY_LIMIT = 1_000_000
"""GitHub shows nothing of more than 1 MiB:
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits"""
BESIDES = (
    "What it costs",
    "When the jobs run next",
    "What the migrations do besides",
    "Everything that changes",
    "A yes of an earlier change, which may go once that is deployed",
)
"""The headings of what is no danger, in their order: the last is left out first."""
HOW_TO_ACCEPT = """
---
To accept all of it here: a line `Accept-change: why` in the description, then the label `accept-change`. It counts for
what is pushed so far, and the deploy asks again. See docs/delivery.md.
"""


def comment(report: str, run: str) -> str:
    """The comment; the summary of the run has what is left out."""
    end = HOW_TO_ACCEPT if "\n**Not accepted yet" in report else ""
    whole = f"[the summary of the run]({run})"
    return _first_that_fits(report, whole, COMMENT_LIMIT - len(f"{MARK}\n{end}".encode()), f"{MARK}\n", end)


def summary(report: str, run: str) -> str:
    """The summary of the job; the run's artifact has what is left out."""
    return _first_that_fits(report, f"the artifact `diff` of [the run]({run})", SUMMARY_LIMIT, "", "")


def _first_that_fits(report: str, whole: str, room: int, start: str, end: str) -> str:
    text = ""
    for text in _shorter_and_shorter(report, f"\n**Shortened.** The whole report is in {whole}.\n"):
        if len(text.encode()) <= room:
            break
    return f"{start}{text}{end}"


def _shorter_and_shorter(report: str, note: str) -> Iterator[str]:
    yield report
    verdict, *sections = report.split("\n## ")
    for besides in reversed(BESIDES):
        sections = [each for each in sections if each.partition("\n")[0] != besides]
        yield "\n## ".join([verdict, *sections]).rstrip("\n") + f"\n{note}"
    # How to say yes, ready to be copied, is in the whole report.
    verdict = "\n\n".join(verdict.split("\n\n")[:2]).rstrip("\n") + "\n"
    yield "\n## ".join([verdict, *sections]).rstrip("\n") + f"\n{note}"
    for kept in ((*ITEMS, *ANSWERS), ITEMS):
        yield "\n## ".join([verdict, *(_only(each, kept) for each in sections)]) + note
    yield "\n## ".join([verdict, *map(_counted, sections)]) + note


ITEMS = ("- ",)
ANSWERS = ("  - **Not accepted", "  - Accepted")


def _only(section: str, kept: tuple[str, ...]) -> str:
    """The section's heading, and those of its lines that begin so."""
    heading, *lines = section.splitlines()
    return "\n".join([heading, "", *(line for line in lines if line.startswith(kept)), ""])


def _counted(section: str) -> str:
    """The section's heading, and how many dangers it has."""
    heading, *lines = section.splitlines()
    return f"{heading}\n\n{sum(line.startswith(ITEMS) for line in lines)}, which are too many to be listed here.\n"


if __name__ == "__main__":
    file, run, *form = sys.argv[1:]
    sys.stdout.write((summary if form == ["summary"] else comment)(Path(file).read_text(), run))
