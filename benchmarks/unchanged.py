"""`make diff` where nothing has changed: what everybody waits for who asks before a pull request."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.children import Failed, run
from benchmarks.figures import Line

CHANGES = 3
"""The exit status when there are some: the working tree is seldom just as it was committed."""


def measure(*, rounds: int, progress: Callable[[str], None]) -> list[Line]:
    """Return the line about it: the least of some rounds, after one that makes what is kept."""
    try:
        seconds = [run("review.diff", "--base", "HEAD", accepted=(0, CHANGES)).seconds for _ in range(rounds)]
    except Failed as error:
        ours, note = None, str(error).strip().rpartition("\n")[2]
    else:
        ours, note = min(seconds), "processor time; the base was synthesized before"
    progress("make diff")
    return [Line(subject="make diff, nothing changed", unit="s", ours=ours, bar=4, note=note)]
