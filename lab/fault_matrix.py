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


def text(rows: Sequence[tuple[str, Observed]]) -> str:
    """The table, for a terminal."""
    table = Table(*HEADINGS, title="Fault matrix")
    for row in _cells(rows):
        table.add_row(*row)
    console = Console(width=180)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def write(file: Path, rows: Sequence[tuple[str, Observed]]) -> None:
    """Write the table, with its introduction, into `file`."""
    file.write_text(markdown(rows))


def markdown(rows: Sequence[tuple[str, Observed]]) -> str:
    """The table with its introduction, as Markdown."""
    introduction = INTRODUCTION.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        mysql=", ".join(sorted({observed.server for _fault, observed in rows})),
        pymysql=version("PyMySQL"),
        runtime=version("awslambdaric"),
        python=platform.python_version(),
    )
    lines = [HEADINGS, ("---",) * len(HEADINGS), *_cells(rows)]
    return introduction + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cells(rows: Sequence[tuple[str, Observed]]) -> list[tuple[str, ...]]:
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
