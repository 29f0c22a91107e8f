"""make rehearse MIGRATION=0004 ROWS=1000000: how long a migration takes on many rows, and how long a writer waits.

The project's tables that are there before it get so many rows each, on a server of this machine. While the migration
runs, another session deletes a row of each table and takes that back, over and over, and notes how long it has to wait.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor
from rich.console import Console
from rich.table import Table as Shown

from local import mysql_installation
from local.environment import CACHE
from local.mysql_installation import ToolMissing
from local.mysql_server import MySQLServer
from mysql_jobs.migration_files import Migration, MigrationError
from rehearsal.many_rows import fill_with_many
from rehearsal.versions import read_all
from settings.project import ROOT

SCHEMA = "rehearsal"
PROBE_SECONDS = 0.002
BARS = "▁▂▃▄▅▆▇█"
WIDTH = 24
"""Of the plot, in characters."""


@dataclass(kw_only=True)
class Measured:
    """One statement: how long it took, and what a writer of each table waited meanwhile."""

    statement: str
    seconds: float = 0.0
    waits: list[tuple[float, float]] = field(default_factory=list)
    """When, in seconds since the statement began, and for how long."""

    @property
    def longest_wait(self) -> float:
        """In seconds; 0 if nobody wrote anything."""
        return max((seconds for _at, seconds in self.waits), default=0.0)


def measure(
    server: MySQLServer, before: Sequence[Migration], migration: Migration, rows: int, progress: Callable[[str], None]
) -> list[Measured]:
    """Measure each statement of `migration` on the tables that `before` makes, with `rows` rows each.

    Raises:
        pymysql.MySQLError: a statement failed.
    """
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {SCHEMA}")
        cursor.execute(f"USE {SCHEMA}")
        engines: set[str] = set()
        for each in before:
            for statement in each.statements:
                cursor.execute(statement)
            if each.origin == "engine":
                engines = set(_tables(cursor))
        for table in sorted({*_tables(cursor)} - engines):
            progress(f"Filling {table} with {rows:,} rows …")
            try:
                fill_with_many(cursor, table, rows)
            except pymysql.MySQLError as error:
                progress(f"{table} takes no ordinary rows, so it stays as it is: {error}")
        return [_measured(server, cursor, statement, progress) for statement in migration.statements]


def _tables(cursor: Cursor) -> list[str]:
    cursor.execute("SHOW FULL TABLES WHERE table_type = 'BASE TABLE'")
    return [name for name, _type in cursor.fetchall()]


def _measured(server: MySQLServer, cursor: Cursor, statement: str, progress: Callable[[str], None]) -> Measured:
    progress(f"{' '.join(statement.split())[:100]} …")
    measured = Measured(statement=statement)
    tables, over = _tables(cursor), threading.Event()
    ready = threading.Barrier(len(tables) + 1, timeout=60)
    writers = [
        threading.Thread(target=_write, args=(server, table, measured, ready, over), name=f"writer of {table}")
        for table in tables
    ]
    for each in writers:
        each.start()
    try:
        ready.wait()  # until each has written once
        started = time.monotonic()
        cursor.execute(statement)
        cursor.fetchall()
        measured.seconds = time.monotonic() - started
    finally:
        over.set()
        for each in writers:
            each.join()
    return measured


def _write(
    server: MySQLServer, table: str, measured: Measured, ready: threading.Barrier, over: threading.Event
) -> None:
    """Write to a table until it is over; what is written is taken back."""
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"USE {SCHEMA}")
        _write_once(cursor, table)
        ready.wait()
        started = time.monotonic()
        while not over.is_set():
            at = time.monotonic()
            there = _write_once(cursor, table)
            measured.waits.append((at - started, time.monotonic() - at))
            if not there:
                return  # the migration drops it
            over.wait(PROBE_SECONDS)


def _write_once(cursor: Cursor, table: str) -> bool:
    """Delete a row and take that back; return False if there is no such table any more."""
    try:
        cursor.execute("START TRANSACTION")
        cursor.execute(f"DELETE FROM `{table}` LIMIT 1")
    except pymysql.MySQLError as error:
        return error.args[:1] != (ER.NO_SUCH_TABLE,)
    finally:
        cursor.execute("ROLLBACK")
    return True


def plot(measured: Measured) -> str:
    """Return a line of bars: over the statement's time, the longest that a writer waited who came then."""
    columns = [0.0] * WIDTH
    for at, seconds in measured.waits:
        place = min(WIDTH - 1, int(at / max(measured.seconds, 1e-9) * WIDTH))
        columns[place] = max(columns[place], seconds)
    highest = max(measured.longest_wait, 1e-9)
    return "".join(BARS[min(len(BARS) - 1, int(value / highest * len(BARS)))] for value in columns)


def show(console: Console, results: Sequence[Measured], rows: int) -> None:
    """Print the results, as a table."""
    shown = Shown(title=f"{rows:,} rows in each table")
    shown.add_column("statement", overflow="fold")
    for heading in ("took", "a writer\nwaited, at most", "and over\nthat time"):
        shown.add_column(heading, no_wrap=True)
    for each in results:
        shown.add_row(
            " ".join(each.statement.split())[:60], f"{each.seconds:.2f} s", f"{each.longest_wait:.2f} s", plot(each)
        )
    console.print(shown)


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="make rehearse", description=__doc__)
    parser.add_argument("migration", help="the number of a file in lambda/migrations/, like 0004")
    parser.add_argument("--rows", default="1000000", help="in each table (1000000)")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    try:
        migrations = read_all(ROOT)
        rows = int(arguments.rows.replace("_", ""))
        before, migration = _chosen(migrations, arguments.migration)
        installation = mysql_installation.find_or_fetch(CACHE, progress=console.print)
        with (
            tempfile.TemporaryDirectory(prefix="rehearsal-") as folder,
            MySQLServer.start(installation, Path(folder), progress=console.print) as server,
        ):
            results = measure(server, before, migration, rows, console.print)
    except (MigrationError, ToolMissing, ValueError, pymysql.MySQLError) as error:
        sys.stderr.write(f"make rehearse: {error}\n")
        return 1
    show(Console(), results, rows)
    return 0


def _chosen(migrations: Sequence[Migration], number: str) -> tuple[list[Migration], Migration]:
    """The migrations before the one of the project with this number, and that one.

    Raises:
        ValueError: there is none.
    """
    of_project = [each for each in migrations if each.origin == "project"]
    for each in of_project:
        if each.name.startswith(f"{number}_") or each.name == number.removesuffix(".sql"):
            engines = [before for before in migrations if before.origin == "engine"]
            return [*engines, *(before for before in of_project if before.number < each.number)], each
    there = ", ".join(each.name[:4] for each in of_project) or "none"
    raise ValueError(f"MIGRATION is {number!r}: write the number of a file in lambda/migrations/ (there: {there})")


if __name__ == "__main__":
    sys.exit(main())
