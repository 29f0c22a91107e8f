"""Deletes rows past their retention, from the tables that the environment file names.

Batch by batch, so that nobody waits long for a lock: a SELECT, which locks nothing, finds the primary keys of the next
rows; a DELETE by these keys locks their rows and no others; a checkpoint commits. A batch has `LEAST_ROWS`, or more if
the server deletes them in `LOCKED_SECONDS`: that is found out on the way.

The keys come as the text that the DELETE needs: to make rows of Python's of them, and text again, would take longer
than to delete them. Where they follow each other, as those of AUTO_INCREMENT do, the DELETE names a range: each key in
a list costs MySQL's optimizer and a search from the root of the tree as much again as the row's deletion.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from pymysql.cursors import Cursor

from mysql_jobs import Run

EARLIEST = datetime(1000, 1, 1)  # noqa: DTZ001 (MySQL's DATETIME has no zone)
"""The first time that MySQL knows. Before it is only 0000-00-00, which is no time: it never expires, just like NULL.
https://dev.mysql.com/doc/refman/8.4/en/datetime.html"""
LOCKED_SECONDS = 0.005
"""So long a DELETE shall take; its rows stay locked for some milliseconds more, until they are committed."""
LEAST_ROWS = 1000
"""Of a batch: by itself, one costs as much as the deletion of some hundred rows."""
ANY_DATE = "SET_VAR(sql_mode = 'ALLOW_INVALID_DATES')"
"""A table may hold dates like 2026-00-00 and 2026-02-31, from a server that was less strict. A strict one compares
nothing with them (1292, 1525), so this is for the statements that find a row by what was read of it.
https://dev.mysql.com/doc/refman/8.4/en/sql-mode.html"""
WHOLE_NUMBERS = {"tinyint", "smallint", "mediumint", "int", "bigint"}
NUMBERS = {*WHOLE_NUMBERS, "year", "decimal", "double", "bit"}
BYTES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
LONG_RUN = 100
"""So many keys that follow each other are named by their first and last: for each row MySQL looks through all ranges of
a statement one by one."""
LONGEST_KEYS = 1 << 30
"""Of the keys of a batch, in bytes: by default GROUP_CONCAT would cut them after 1024. It does so at the largest packet
that the server takes, too; then the DELETE, which is longer, is refused (1153)."""


class PurgeError(Exception):
    """A table can't be purged; the message names it and says what to do."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table and its retention: a row expires `retention_days` (1 to 36500) after the time in `column`, in UTC.

    Raises:
        ValueError: a name is none, or the retention is out of bounds.
    """

    table: str
    """Its name, or `schema.table` if it is in another schema."""
    column: str
    """DATE (which stands for its midnight), DATETIME or TIMESTAMP."""
    retention_days: int

    def __post_init__(self) -> None:
        """Check the values."""
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", self.column):
            raise ValueError(f"{self.column!r} is no name: write letters, digits and underscores, 64 at most")
        if not 1 <= self.retention_days <= 36500:
            raise ValueError(f"retention_days of {self.table} is {self.retention_days}: write 1 to 36500")


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What to purge.

    Raises:
        ValueError: no table is named, or one is twice, or `batch_rows` is not within 1 to 10000.
    """

    tables: tuple[Table, ...]
    batch_rows: int = 10000
    """How many rows one transaction deletes of a table, at most."""

    def __post_init__(self) -> None:
        """Check the values."""
        names = [each.table for each in self.tables]
        if not names:
            raise ValueError("tables is empty: write at least one table")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"tables has {', '.join(twice)} more than once: write each table once")
        if not 1 <= self.batch_rows <= 10000:
            raise ValueError(f"batch_rows is {self.batch_rows}: write 1 to 10000")


def tables(parameters: Parameters) -> dict[str, tuple[str, ...]]:
    """The rights that the job needs: those to read and to delete, for each table."""
    return {each.table: ("SELECT", "DELETE") for each in parameters.tables}


def run(run: Run) -> dict[str, Any]:
    """Delete what is expired at the end of the window; returns the number of rows per table.

    Raises:
        PurgeError: a table can't be purged. All are checked before the first row is deleted.
    """
    parameters: Parameters = run.parameters
    deleted: dict[str, int] = {each.table: 0 for each in parameters.tables} | run.progress.get("deleted", {})
    with run.cursor() as cursor:
        found = [_find(cursor, each) for each in parameters.tables]
        for expiring in found:
            cutoff = run.window.end - expiring.retention
            pace = _Pace(parameters.batch_rows)
            for batch in _batches(cursor, expiring, cutoff, pace):
                started = time.monotonic()
                deleted[expiring.name] += _delete(cursor, expiring, cutoff, batch)
                if not batch.last:
                    pace.adapt(time.monotonic() - started)
                    run.checkpoint({"deleted": deleted})
    return {"deleted": deleted}


@dataclass(frozen=True, kw_only=True)
class _Expiring:
    """A table with its retention, as found in the schema."""

    name: str
    """As in the parameters."""
    place: str
    """The table in a statement, with its schema."""
    column: str
    retention: timedelta
    key: str
    """The columns of the primary key, as in a statement."""
    counts: bool
    """Whether it is a single whole number: only then there is no key between one and the next."""
    literal: str
    """What GROUP_CONCAT makes the literal of a row's key of: 17, or (17, x'00FF')."""
    read: str
    """What a batch reads of its rows: the columns of the primary key, and `column`."""
    index: str
    """One that begins with `column`."""


class _Pace:
    """How many rows the next batch has."""

    def __init__(self, most: int) -> None:
        self.rows = min(LEAST_ROWS, most)
        self._most = most

    def adapt(self, seconds: float) -> None:
        """Note how long a batch of so many rows took to delete. It may have waited for others: no leaps."""
        factor = max(0.5, LOCKED_SECONDS / max(seconds, LOCKED_SECONDS / 2))
        self.rows = min(self._most, max(LEAST_ROWS, round(self.rows * factor)))


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """The next rows to delete."""

    keys: str
    """Their literals, with commas between them."""
    rows: int
    last: bool
    """Whether no expired rows were left."""


def _find(cursor: Cursor, wanted: Table) -> _Expiring:
    """What the schema says of a table. Only its own names go into statements."""
    place = _place(cursor, wanted)
    columns = _columns(cursor, place)
    key = _primary_key(wanted, columns)
    column = _time(wanted, columns)
    # Its own arguments, no CONCAT: that cuts a DOUBLE to 22 characters, and so to another number.
    literal = ", ', ', ".join(_literal(name, kind) for name, kind in key.items())
    return _Expiring(
        name=wanted.table,
        place=".".join(map(_quote, place)),
        column=column,
        retention=timedelta(days=wanted.retention_days),
        key=", ".join(map(_quote, key)),
        counts=len(key) == 1 and set(key.values()) <= WHOLE_NUMBERS,
        literal=literal if len(key) == 1 else f"'(', {literal}, ')'",
        read=", ".join(map(_quote, {**key, column: ""})),
        index=_index(cursor, wanted, place),
    )


def _place(cursor: Cursor, wanted: Table) -> tuple[str, str]:
    """Its schema and its own name. A schema ends at the first dot, as in TABLES."""
    schema, dot, table = wanted.table.partition(".")
    cursor.execute(
        "SELECT table_schema, table_name FROM information_schema.tables"
        " WHERE table_schema = IFNULL(%s, DATABASE()) AND table_name = %s AND engine = 'InnoDB'",
        (schema, table) if dot else (None, wanted.table),
    )
    for found_schema, found_table in cursor.fetchall():
        return str(found_schema), str(found_table)
    raise PurgeError(f"{wanted.table} is no InnoDB table here: correct its name, or CREATE TABLE in a migration")


def _columns(cursor: Cursor, place: tuple[str, str]) -> Sequence[tuple[str, str, str]]:
    """Name, type and role (PRI: in the primary key) of each column."""
    cursor.execute(
        "SELECT column_name, data_type, column_key FROM information_schema.columns"
        " WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
        place,
    )
    return cursor.fetchall()


def _time(wanted: Table, columns: Sequence[tuple[str, str, str]]) -> str:
    times = [name for name, kind, _ in columns if kind in {"date", "datetime", "timestamp"}]
    for name in times:
        if name == wanted.column:
            return name
    raise PurgeError(
        f"{wanted.table} has no DATE, DATETIME or TIMESTAMP named {wanted.column}: "
        f"write one that it has ({', '.join(times) or 'none'})"
    )


def _primary_key(wanted: Table, columns: Sequence[tuple[str, str, str]]) -> dict[str, str]:
    """Name and type of each column of it."""
    key = {name: kind for name, kind, role in columns if role == "PRI"}
    # A FLOAT that was read finds its row no more: https://dev.mysql.com/doc/refman/8.4/en/problems-with-float.html
    if not key or "float" in key.values():
        raise PurgeError(f"{wanted.table} has no primary key, or a FLOAT in it: ALTER TABLE in a migration")
    return key


def _literal(name: str, kind: str) -> str:
    """What gives a column's literal: of numbers and hexadecimal digits only, so that nothing in it needs a quote."""
    if kind in NUMBERS:
        return f"{_quote(name)} + 0"  # a BIT would be its bytes
    if kind in BYTES:
        return f"'x''', HEX({_quote(name)}), ''''"
    # Of a time, too, which MySQL compares by its text in a key of several columns: 838:59:59.000000.
    return f"'_utf8mb4 x''', HEX(CONVERT(CAST({_quote(name)} AS CHAR) USING utf8mb4)), ''''"


def _index(cursor: Cursor, wanted: Table, place: tuple[str, str]) -> str:
    cursor.execute(
        "SELECT index_name FROM information_schema.statistics"
        " WHERE table_schema = %s AND table_name = %s AND column_name = %s"
        " AND seq_in_index = 1 AND is_visible = 'YES'",
        (*place, wanted.column),
    )
    for (name,) in cursor.fetchall():
        return str(name)
    raise PurgeError(
        f"{wanted.table} has no index that begins with {wanted.column}, each batch would read the whole table: "
        f"CREATE INDEX by_{wanted.column} ON {wanted.table} ({wanted.column}) in a migration"
    )


def _batches(cursor: Cursor, expiring: _Expiring, cutoff: datetime, pace: _Pace) -> Iterator[_Batch]:
    """The rows before `cutoff`; each batch is read when the one before is deleted."""
    column, index = map(_quote, (expiring.column, expiring.index))
    statement = (
        f"SELECT /*+ SET_VAR(group_concat_max_len = {LONGEST_KEYS}) {ANY_DATE} */"  # noqa: S608 (quoted)
        f" GROUP_CONCAT({expiring.literal} SEPARATOR ', '), COUNT(*), MAX({column}) FROM ("
        f"SELECT /*+ INDEX(expiring {index}) */ {expiring.read} FROM {expiring.place} AS expiring"
        f" WHERE {column} >= %s AND {column} < %s ORDER BY {column} LIMIT %s) AS batch"
    )
    earliest: object = EARLIEST
    previous = ""
    while True:
        wanted = pace.rows
        cursor.execute(statement, (earliest, cutoff, wanted))
        [(keys, rows, latest)] = cursor.fetchall()
        if rows and keys == previous:
            raise PurgeError(f"{expiring.name} keeps {rows} rows that were deleted, with the keys {keys[:80]}")
        yield _Batch(keys=keys, rows=rows, last=rows < wanted)
        if rows < wanted:
            return
        # The index holds deleted rows until nobody reads an older snapshot: don't go through them once more.
        earliest, previous = latest, keys


def _delete(cursor: Cursor, expiring: _Expiring, cutoff: datetime, batch: _Batch) -> int:
    """Delete the rows in `batch`, except those that were prolonged meanwhile; returns how many."""
    if not batch.rows:
        return 0
    column = _quote(expiring.column)
    # Beyond 8 MB of keys the optimizer would read, and so lock, the whole table instead: 0 is for any number of them.
    # https://dev.mysql.com/doc/refman/8.4/en/range-optimization.html#range-optimization-memory-use
    return cursor.execute(
        "DELETE /*+ INDEX(expiring `PRIMARY`) SET_VAR(range_optimizer_max_mem_size = 0)"
        f" {ANY_DATE} */ FROM {expiring.place} AS expiring"
        f" WHERE ({_condition(expiring, batch.keys)}) AND {column} < %s",
        (cutoff,),
    )


def _condition(expiring: _Expiring, keys: str) -> str:
    """What is true of the rows with these keys, and of no others."""
    if not expiring.counts:
        return f"({expiring.key}) IN ({keys})"
    listed: list[int] = []
    ranges: list[str] = []
    for _, group in groupby(enumerate(sorted(map(int, keys.split(",")))), lambda each: each[1] - each[0]):
        run = [number for _, number in group]
        if len(run) > LONG_RUN:
            # Not to the last: beyond it the range would be looked at, and the end of the table be locked.
            ranges.append(f"{expiring.key} BETWEEN {run[0]} AND {run[-2]}")
            run = run[-1:]
        listed += run
    return " OR ".join([f"{expiring.key} IN ({', '.join(map(str, listed))})", *ranges])


def _quote(name: str) -> str:
    """A name of the schema as it stands in a statement with parameters."""
    return "`" + name.replace("`", "``").replace("%", "%%") + "`"
