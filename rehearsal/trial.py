"""Statements tried one after the other on a real server: in a schema with rows at their limits, and in an empty one.

The server says what a statement is, by what it does: there is no parser of SQL here. In the schema with rows it shows
what becomes of them; in the empty one, where nothing can be lost, which of its ways of changing a table it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pymysql
from pymysql.cursors import Cursor

from local.mysql_server import MySQLServer
from mysql_jobs.migration_files import Migration
from rehearsal.finding import Finding, Kind
from rehearsal.rows import contents, fill
from rehearsal.schema import Schema, differences, read_schema

Contents = dict[str, dict[str, list[object]]]
"""The values in each table, by column."""
WITH_ROWS, EMPTY = "rehearsal_with_rows", "rehearsal_empty"

WAYS = (
    ("{}, ALGORITHM=INSTANT", "instant: only the table's definition changes", False),
    ("{}, ALGORITHM=INPLACE, LOCK=NONE", "online: readers and writers go on while it runs", False),
    ("{} ALGORITHM=INPLACE LOCK=NONE", "online: readers and writers go on while it runs", False),
    ("{}, ALGORITHM=INPLACE, LOCK=SHARED", "in place, and writers of the table wait until it has ended", True),
    ("{} ALGORITHM=INPLACE LOCK=SHARED", "in place, and writers of the table wait until it has ended", True),
    ("{}, ALGORITHM=COPY", "copies the table, and its writers wait until it has ended", True),
)
"""What is added to a statement to ask for a way, what that way means, and whether it blocks writers. A statement that
changes no table, or that can't be changed that way, is refused with it.
https://dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html"""

DOES: dict[str, tuple[Kind, str]] = {
    "delete": ("data", "deletes rows"),
    "delete_multi": ("data", "deletes rows"),
    "truncate": ("data", "empties a table"),
    "update": ("data", "overwrites what is in rows"),
    "update_multi": ("data", "overwrites what is in rows"),
    "replace": ("data", "replaces rows that have the same key"),
    "replace_select": ("data", "replaces rows that have the same key"),
    "load": ("unclassified", "loads a file"),
    "call_procedure": ("unclassified", "calls a procedure, which may do anything"),
    "execute_sql": ("unclassified", "executes a prepared statement, which may be any"),
    "drop_db": ("data", "drops a whole schema"),
}
"""What the server calls a statement in the performance schema, and what that means for rows."""
ON_DUPLICATE = " ON DUPLICATE KEY UPDATE "


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The server's error."""

    code: int
    text: str

    def __str__(self) -> str:
        """As a finding says it."""
        return f"{self.text} ({self.code})"


class Trial:
    """The two schemas of one trial, and a session in each."""

    def __init__(self, with_rows: Cursor, empty: Cursor) -> None:
        """Use these sessions."""
        self._with_rows = with_rows
        self._empty = empty

    @classmethod
    @contextmanager
    def on(cls, server: MySQLServer) -> Iterator[Trial]:
        """Make the two schemas on `server`; they are gone at the end."""
        with closing(server.connect()) as one, closing(server.connect()) as other:
            cursors = one.cursor(), other.cursor()
            cursors[0].execute("SET GLOBAL event_scheduler = OFF")  # an event that is made begins at once
            for cursor, name in zip(cursors, (WITH_ROWS, EMPTY), strict=True):
                cursor.execute(f"CREATE DATABASE {name}")
                cursor.execute(f"USE {name}")
                cursor.execute("SET SESSION time_zone = '+00:00'")
            try:
                yield cls(*cursors)
            finally:
                for name in (WITH_ROWS, EMPTY):
                    cursors[0].execute(f"DROP DATABASE IF EXISTS {name}")

    def apply(self, merged: Iterable[Migration]) -> Iterator[Finding]:
        """Make the tables of the base; tell what this server refuses, as what is said of the rest is not sure then."""
        for migration in merged:
            for statement in migration.statements:
                refused = _run(self._with_rows, statement)
                _run(self._empty, statement)  # an account, which is the whole server's, is there by now
                if refused is not None:
                    text = f"is merged, and refused by this server, so what is new was not tried on it: {refused}"
                    yield Finding(kind="unclassified", place=migration.file, text=text)

    def findings(self, migration: Migration) -> Iterator[Finding]:
        """Apply `migration`, and tell what each of its statements does."""
        for number, statement in enumerate(migration.statements, start=1):
            where = f"statement {number} " if len(migration.statements) > 1 else ""
            for kind, text in self._try(statement):
                yield Finding(kind=kind, place=migration.file, text=f"{where}{text}")

    def _try(self, statement: str) -> Iterator[tuple[Kind, str]]:
        before = read_schema(self._with_rows)
        for table in before.tables:
            if not _count(self._with_rows, table):
                fill(self._with_rows, table)
        rows = _contents(self._with_rows, before)
        refused = _run(self._with_rows, statement)
        if refused is not None:
            for table in before.tables:
                _run(self._with_rows, f"DELETE FROM `{table}`")
            again = _run(self._with_rows, statement)
            if again is not None:
                yield "mistake", f"is refused by the server: {again}"
                return
            yield "data", f"fails if rows are there that the table allows: {refused}"
            done = []
        else:
            done = [*self._done()]
        after = read_schema(self._with_rows)
        now = _contents(self._with_rows, after)
        yield from done
        yield from differences(before, after, _moved(before, after, rows, now))
        if refused is None:
            yield from _altered(before, after, rows, now)
            if not done:
                yield from _fewer(rows, now)
        yield from self._way(statement)

    def _done(self) -> Iterator[tuple[Kind, str]]:
        """What the server says that the last statement was."""
        self._with_rows.execute(
            "SELECT event_name, digest_text FROM performance_schema.events_statements_history"
            " WHERE thread_id = PS_CURRENT_THREAD_ID() AND nesting_event_id IS NULL ORDER BY event_id DESC LIMIT 1"
        )
        [(name, digest)] = self._with_rows.fetchall()
        kind = name.rpartition("/")[2]
        if kind in DOES:
            yield DOES[kind]
        elif digest and ON_DUPLICATE in digest:
            yield "data", "overwrites rows that have the same key"

    def _way(self, statement: str) -> Iterator[tuple[Kind, str]]:
        """Apply the statement in the empty schema, in the least disturbing way that the server takes."""
        before = read_schema(self._empty)
        for form, meaning, blocks in WAYS:
            if _run(self._empty, form.format(statement)) is None:
                yield ("blocks" if blocks else "note"), meaning
                return
        if _run(self._empty, statement) is None and before.tables.keys() & _numbers_changed(
            before, read_schema(self._empty)
        ):
            yield "blocks", "makes the table anew, and its writers wait until it has ended"


def _run(cursor: Cursor, statement: str) -> Refused | None:
    try:
        cursor.execute(statement)
        while cursor.nextset():
            pass
    except pymysql.MySQLError as error:
        return Refused(code=error.args[0] if error.args else 0, text=str(error.args[-1]) if error.args else "")
    return None


def _count(cursor: Cursor, table: str) -> int:
    cursor.execute(f"SELECT COUNT(*) FROM `{table}`")
    [(count,)] = cursor.fetchall()
    return int(count)


def _contents(cursor: Cursor, schema: Schema) -> Contents:
    return {table: contents(cursor, table) for table in schema.tables}


def _numbers_changed(before: Schema, after: Schema) -> set[str]:
    return {table for table, number in before.tables.items() if after.tables.get(table, number) != number}


def _moved(before: Schema, after: Schema, rows: Contents, now: Contents) -> dict[tuple[str, str], str]:
    """The new name of each column that is gone and whose values are in a new one."""
    moved = {}
    for table, column in before.columns.keys() - after.columns.keys():
        new = [name for of, name in after.columns.keys() - before.columns.keys() if of == table]
        values = rows.get(table, {}).get(column)
        same = [name for name in new if values and now[table].get(name) == values]
        if same:
            moved[table, column] = same[0]
    return moved


def _altered(before: Schema, after: Schema, rows: Contents, now: Contents) -> Iterator[tuple[Kind, str]]:
    """Values of columns that the statement has given another type, and that are not what they were."""
    for place in sorted(before.columns.keys() & after.columns.keys()):
        table, column = place
        old, new = before.columns[place], after.columns[place]
        if old == new or len(rows[table][column]) != len(now[table][column]):
            continue
        if rows[table][column] != now[table][column]:
            yield "data", f"changes values: `{table}`.`{column}` becomes {new}, which can't hold all that {old} can"


def _fewer(rows: Contents, now: Contents) -> Iterator[tuple[Kind, str]]:
    """Tables that have lost rows by a statement that is none of those that do so by their nature."""
    for table in sorted(rows.keys() & now.keys()):
        if max(map(len, now[table].values())) < max(map(len, rows[table].values())):
            yield "data", f"removes rows of `{table}`"
