"""What was tortured, and how often, as a page: docs/torture.md."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PAGE = """\
# Torture

Runs that are cut, frozen and killed anywhere, servers and events that say anything. What must hold each time: the run's
work is done exactly once in the end, nothing is left open in the process, nothing hangs, and the log line is there.

Written by `make torture` on {date}, with PyMySQL {pymysql}, awslambdaric {runtime} and Python {python}. A small part of
it runs in `make test`.

| what | how many |
| --- | --- |
{rows}

Failed: {failed}.

A connection is cut after every single byte of a run, encrypted as they are, by a TCP reset of both sides. Random
moments, bytes and events come from a seed (`TORTURE=7 make torture`), so that what fails can be repeated.
"""


def write(file: Path, counts: Iterable[tuple[str, int]], *, failed: int) -> None:
    """Write the page into `file`: each kind of torture, how many runs or connections it struck, and failed tests."""
    rows = "\n".join(f"| {what} | {count:,} |" for what, count in counts)
    file.write_text(
        PAGE.format(
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            pymysql=version("PyMySQL"),
            runtime=version("awslambdaric"),
            python=platform.python_version(),
            rows=rows,
            failed=failed,
        )
    )
