"""The fault matrix as a table: for the terminal, and for docs/faults.md."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab.fault_bench import Observed

HEADINGS = ("fault", "outcome", "attempts", "seconds", "connection", "statement", "sessions left", "next run")
HEADINGS_OUTSIDE = ("fault", "by", "outcome", "tries", "seconds", "left open", "next run")

Row = tuple[str, Observed]
"""A fault, and what was observed."""
RowOutside = tuple[str, str, Observed]
"""A fault of what a job reaches besides its database, what the job asked, and what was observed."""

INTRODUCTION = """\
# Faults

What a run makes of each fault, observed in Lambda's official runtime client against a real server; written by
`make faults` on {date} with MySQL {mysql}, PyMySQL {pymysql}, awslambdaric {runtime} and Python {python}.
RDS runs MySQL 8.4, which no registry has for this (PyPI, npm, and Debian's stable, testing, unstable and experimental,
looked through on 2026-11-26). Beyond these rows: [torture.md](torture.md) and [mutants.md](mutants.md).

*outcome*: `done`, or the error that Lambda sees (with the number of MySQL or PyMySQL). *attempts*: to connect.
*seconds*: from the event to the frozen process, on a machine of two busy cores. *connection*: how it ended (polite:
with COM_QUIT; cut; gone: the other side had closed it before). *statement*: what became of the statement that ran at
the deadline. *sessions left*: on the server, within 5 s of the run's end; within 20 s where nobody can tell the server
any more and limits must end the session: its own ones (an environment killed, a black hole at destroy), or, where a
black hole swallows an attempt to connect after the login, the server's `wait_timeout` (6 s here, 300 s in the deployed
parameter group), or, where an orphaned INSERT … SELECT works on, its own end (within 60 s). *next run*: what the same
environment does next, the fault being over (or still there: then it says so again).

"""
INTRODUCTION_OUTSIDE = """
## What a job reaches besides its database

The same for `run.http`, `run.client` and `run.secret`, against a web server on this machine that speaks enough HTTP for
a plain API, S3 and Secrets Manager; with botocore {botocore} and urllib3 {urllib3}. Each job has done all of it in the
same process before, and does so again in its next run, the fault being over.

*tries*: connections that came to the server. An attempt to connect, TLS included, may take half of the time that is
left, 10 s at most; a silence after that, too, a minute at most: so there is time for another try. What may have arrived
is sent again only if it may be asked twice (GET, S3, reading a secret): a POST is tried again as long as nothing of it
was sent, and never after that. `MaxRetryError`, `ConnectTimeoutError` and the like are urllib3's and botocore's, of
three tries that were over before the deadline; botocore also tries again where a certificate was refused. An answer
that drips is no silence, and nobody knows how long it will be: it has until the deadline, but for a secret, which is
small. *seconds*: from the event to the frozen process; the deadline is after 5 s, or 7 s.
*left open*: sockets, pipes and threads that the frozen process has more than before the run, whatever the job keeps; of
each of these runs `leaked` is empty, and no session is left on the server. What a job has kept raises `UsesError` when
its next run uses it.

"""


def text(rows: Sequence[Row], outside: Sequence[RowOutside]) -> str:
    """The tables, for a terminal."""
    console = Console(width=180)
    with console.capture() as capture:
        for title, headings, cells in (
            ("Fault matrix", HEADINGS, _cells(rows)),
            ("What a job reaches besides its database", HEADINGS_OUTSIDE, _cells_outside(outside)),
        ):
            table = Table(*headings, title=title)
            for row in cells:
                table.add_row(*row)
            console.print(table)
    return capture.get()


def write(file: Path, rows: Sequence[Row], outside: Sequence[RowOutside]) -> None:
    """Write the tables, with their introductions, into `file`."""
    file.write_text(markdown(rows, outside))


def markdown(rows: Sequence[Row], outside: Sequence[RowOutside]) -> str:
    """The tables with their introductions, as Markdown."""
    introduction = INTRODUCTION.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        mysql=", ".join(sorted({observed.server for _fault, observed in rows})),
        pymysql=version("PyMySQL"),
        runtime=version("awslambdaric"),
        python=platform.python_version(),
    )
    introduction_outside = INTRODUCTION_OUTSIDE.format(botocore=version("botocore"), urllib3=version("urllib3"))
    tables = (_table(HEADINGS, _cells(rows)), _table(HEADINGS_OUTSIDE, _cells_outside(outside)))
    return introduction + tables[0] + introduction_outside + tables[1]


def _table(headings: tuple[str, ...], cells: Sequence[tuple[str, ...]]) -> str:
    lines = [headings, ("---",) * len(headings), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [
        (
            fault,
            observed.outcome,
            str(observed.report.get("attempts", "-")),
            f"{observed.seconds:.1f}",
            str(observed.report.get("destroyed", "-")),
            str(observed.report.get("killed", "-")),
            str(observed.sessions_left),
            observed.next_outcome,
        )
        for fault, observed in rows
    ]


def _cells_outside(rows: Sequence[RowOutside]) -> list[tuple[str, ...]]:
    return [
        (
            fault,
            asked,
            observed.outcome,
            str(observed.tries),
            f"{observed.seconds:.1f}",
            str(observed.left_open),
            observed.next_outcome,
        )
        for fault, asked, observed in rows
    ]
