"""The migrations' log: what was applied to this database, and which statement is in progress.

A statement's marker is committed before it, and replaced by the record of it after it. MySQL commits each DDL statement
by itself, so a run that ends in between leaves the marker; the next run learns from it what is to be decided.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pymysql.cursors import Cursor

from mysql_jobs.connection import Connection
from mysql_jobs.migration_files import Migration, Origin, checksum, file_of

Outcome = Literal["rolled back", "unknown", "failed"]
"""What is known of a statement whose record is missing: it was part of a transaction that the server rolled back; it
ended that transaction and went on by itself, as DDL does; the server refused it."""

APPLIED = """
CREATE TABLE IF NOT EXISTS {schema}.migration (
    origin ENUM('engine', 'project') NOT NULL,
    number INT UNSIGNED NOT NULL,
    name VARCHAR(255) NOT NULL,
    checksum CHAR(64) NOT NULL COMMENT 'of the statements applied so far',
    statements INT UNSIGNED NOT NULL COMMENT 'how many were applied: a file that failed continues after them',
    complete BOOLEAN NOT NULL,
    applied_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (origin, number))
"""
IN_PROGRESS = """
CREATE TABLE IF NOT EXISTS {schema}.migration_statement (
    origin ENUM('engine', 'project') NOT NULL,
    number INT UNSIGNED NOT NULL,
    name VARCHAR(255) NOT NULL,
    statement INT UNSIGNED NOT NULL COMMENT '1, 2, 3 ... of the file',
    statements INT UNSIGNED NOT NULL COMMENT 'how many the file has',
    text MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
    checksum CHAR(64) NOT NULL COMMENT 'of the statements up to this one',
    tables MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL COMMENT 'JSON: how each was defined before',
    outcome ENUM('rolled back', 'unknown', 'failed') NOT NULL,
    began_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (origin, number))
"""


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What was applied of a migration."""

    name: str
    checksum: str
    statements: int
    complete: bool


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement of a migration."""

    origin: Origin
    migration: int
    name: str
    """The migration's."""
    number: int
    """1, 2, 3 … of the file."""
    total: int
    """How many the file has."""
    text: str
    checksum: str
    """Of the statements up to this one."""

    @classmethod
    def of(cls, migration: Migration, number: int) -> Statement:
        """Return the statement of this number."""
        return cls(
            origin=migration.origin,
            migration=migration.number,
            name=migration.name,
            number=number,
            total=len(migration.statements),
            text=migration.statements[number - 1],
            checksum=checksum(migration.statements[:number]),
        )

    @property
    def file(self) -> str:
        """The path of the migration's file in the function's zip."""
        return file_of(self.origin, self.name)

    def __str__(self) -> str:
        """Where it is, for messages."""
        return f"{self.file}, statement {self.number} of {self.total}"


@dataclass(frozen=True, kw_only=True)
class Marker:
    """What a statement in progress has left in the log."""

    statement: Statement
    tables: Mapping[str, str]
    """How each table was defined before it, as `interrupted_statement.table_definitions` says it."""
    outcome: Outcome
    """What is known if its run has ended."""
    began_at: datetime


class MigrationLog:
    """The log's two tables in the engine's own schema; no method leaves a transaction open, but `begin`."""

    def __init__(self, connection: Connection, cursor: Cursor, schema: str) -> None:
        """Work with `cursor`, one of the connection's, on the log in `schema`."""
        self._connection = connection
        self._cursor = cursor
        # With their schema: a migration may have chosen another one.
        self._schema = f"`{schema}`"
        self._applied = f"`{schema}`.migration"
        self._in_progress = f"`{schema}`.migration_statement"

    def create(self) -> None:
        """Create what is missing of it: a database may have the first table only, of an engine without markers."""
        self._cursor.execute(APPLIED.format(schema=self._schema))
        self._cursor.execute(IN_PROGRESS.format(schema=self._schema))

    def applied(self) -> dict[tuple[Origin, int], Applied]:
        """Return what was applied of each migration, by sequence and number."""
        self._cursor.execute(
            "SELECT origin, number, name, checksum, statements, complete"  # noqa: S608 (own names)
            f" FROM {self._applied} ORDER BY origin, number"
        )
        rows = self._cursor.fetchall()
        self._connection.commit()
        return {
            (origin, number): Applied(name=name, checksum=checksum, statements=statements, complete=bool(complete))
            for origin, number, name, checksum, statements, complete in rows
        }

    def markers(self) -> list[Marker]:
        """Return the markers of statements that are not recorded as applied, the engine's first."""
        self._cursor.execute(
            "SELECT origin, number, name, statement, statements, text, checksum, tables, outcome, began_at"  # noqa: S608
            f" FROM {self._in_progress} ORDER BY origin, number"
        )
        rows = self._cursor.fetchall()
        applied = self.applied()
        markers = [
            Marker(
                statement=Statement(
                    origin=origin,
                    migration=migration,
                    name=name,
                    number=number,
                    total=total,
                    text=text,
                    checksum=checksum,
                ),
                tables=json.loads(tables),
                outcome=outcome,
                began_at=began_at,
            )
            for origin, migration, name, number, total, text, checksum, tables, outcome, began_at in rows
        ]
        return [each for each in markers if each.statement.number == _recorded(applied, each.statement) + 1]

    def begin(self, statement: Statement, tables: Mapping[str, str]) -> None:
        """Commit the marker of `statement`, and leave a transaction open for it.

        In that transaction the marker says `unknown`. So it is the server that tells what kind of a statement it is:
        one that ends the transaction, as DDL does, commits that before it begins; what any other does is rolled back
        together with it. https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html
        """
        self._cursor.execute(
            f"REPLACE INTO {self._in_progress}"  # noqa: S608 (own names)
            " (origin, number, name, statement, statements, text, checksum, tables, outcome)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'rolled back')",
            (
                statement.origin,
                statement.migration,
                statement.name,
                statement.number,
                statement.total,
                statement.text,
                statement.checksum,
                json.dumps(tables),
            ),
        )
        self._connection.commit()
        self._cursor.execute("START TRANSACTION")  # said, as a migration may have set autocommit
        self._set_outcome(statement, "unknown")

    def refused(self, statement: Statement) -> None:
        """Roll the open transaction back, and note that the server refused `statement`."""
        self._cursor.execute("ROLLBACK")
        self._set_outcome(statement, "failed")
        self._connection.commit()

    def record(self, statement: Statement) -> None:
        """Record that `statement` was applied, instead of its marker, and commit that with what it did."""
        self._replace(statement, complete=False)
        self._forget(statement)
        self._connection.commit()

    def complete(self, last: Statement) -> None:
        """Record that the migration of which `last` is the last statement is complete."""
        self._replace(last, complete=True)
        self._forget(last)  # the marker of a statement that failed, and that is no longer in the file
        self._connection.commit()

    def forget(self, statement: Statement) -> None:
        """Delete the marker of a statement that is not in effect."""
        self._forget(statement)
        self._connection.commit()

    def _replace(self, statement: Statement, *, complete: bool) -> None:
        self._cursor.execute(
            f"REPLACE INTO {self._applied} (origin, number, name, checksum, statements, complete)"  # noqa: S608
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (
                statement.origin,
                statement.migration,
                statement.name,
                statement.checksum,
                statement.number,
                complete,
            ),
        )

    def _set_outcome(self, statement: Statement, outcome: Outcome) -> None:
        self._cursor.execute(
            f"UPDATE {self._in_progress} SET outcome = %s WHERE origin = %s AND number = %s",  # noqa: S608 (own names)
            (outcome, statement.origin, statement.migration),
        )

    def _forget(self, statement: Statement) -> None:
        self._cursor.execute(
            f"DELETE FROM {self._in_progress} WHERE origin = %s AND number = %s",  # noqa: S608 (own names)
            (statement.origin, statement.migration),
        )


def _recorded(applied: Mapping[tuple[Origin, int], Applied], statement: Statement) -> int:
    before = applied.get((statement.origin, statement.migration))
    return before.statements if before else 0
