"""A ledger without a server: SQLite runs the engine's own statements, in memory, a commit at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import pymysql
from pymysql.constants import ER

from mysql_jobs.connection import OutcomeUnknownError
from mysql_jobs.job_lock import LockError

Trouble = Literal["", "unheard", "unsaid", "unlocked"]
"""Of a commit: the server never got it; or the run never got the answer; or the job has released the lock before."""
TABLES = """
CREATE TABLE ledger (
    job, sequence, scheduled_time, execution_id, window_start, window_end, outcome, progress, result, started_at,
    duration_ms, in_sequence,
    PRIMARY KEY (job, sequence),
    UNIQUE (job, in_sequence, window_start)
);
CREATE TABLE work (batch);
"""
"""As the migrations make them, as far as anything depends on it: tests/mysql_jobs/test_ledger.py has the real ones."""


class Statement(str):
    """A statement with its values."""

    __slots__ = ("values",)
    values: Sequence[object]

    @classmethod
    def of(cls, text: str, values: Sequence[object] = ()) -> Statement:
        statement = cls(text)
        statement.values = values
        return statement


REQUIRED = Statement.of("SELECT 'the lock is required'")


class MemoryLedger:
    """The database."""

    def __init__(self) -> None:
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        self._database.executescript(TABLES)

    def close(self) -> None:
        self._database.close()

    def run(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement of MySQL's."""
        text = statement.replace("%s", "?").replace("(SELECT", "SELECT * FROM (SELECT")
        return self._database.execute(text, [_stored(value) for value in values]).fetchall()

    def rows(self, columns: str, where: str = "TRUE") -> list[tuple[Any, ...]]:
        return self.run(f"SELECT {columns} FROM ledger WHERE {where} ORDER BY sequence")


class MemoryConnection:
    """A run's connection, its cursor and its hold of the job's lock in one; its commits may have trouble."""

    def __init__(self, ledger: MemoryLedger, *, locked: bool, committed: Callable[[], None]) -> None:
        self.trouble: Trouble = ""
        """Of the next commit."""
        self._ledger = ledger
        self._locked = locked
        self._committed = committed
        if not locked:  # SQLite has one transaction, and whoever has the lock is in it
            ledger.run("BEGIN")

    def cursor(self, _kind: object = None) -> MemoryConnection:
        return self

    def mogrify(self, statement: str, values: Sequence[object]) -> Statement:
        return Statement.of(statement, values)

    def execute(self, statement: str, values: Sequence[object] = ()) -> None:
        self._ledger.run(statement, values)

    def take(self, read: Statement) -> list[tuple[Any, ...]] | None:
        return None if self._locked else [_read(row) for row in self._ledger.run(read, read.values)]

    def required(self) -> Statement:
        return REQUIRED

    def lost(self) -> LockError:
        return LockError("the job released the lock")

    def commit(self, *statements: Statement, go_on: bool = False) -> None:
        if self.trouble == "unheard":
            raise OutcomeUnknownError("the connection was lost")
        if self.trouble == "unlocked" and REQUIRED in statements:
            raise pymysql.OperationalError(ER.WRONG_VALUE_FOR_VAR, "Variable 'autocommit' can't be set to NULL")
        for each in statements:
            self._ledger.run(each, each.values)
        self._ledger.run("COMMIT")
        self._committed()
        self._ledger.run("BEGIN")  # if not to go on, then to be rolled back
        if self.trouble == "unsaid":
            raise OutcomeUnknownError("the connection was lost")

    def rollback(self) -> None:
        self._ledger.run("ROLLBACK")
        self._ledger.run("BEGIN")

    def destroy(self) -> None:
        if not self._locked:
            self._ledger.run("ROLLBACK")


def time_of(text: str) -> datetime:
    """A time as it was stored, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _stored(value: object) -> object:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() if isinstance(value, datetime) else value


def _read(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """As the server gives it: times without a zone."""
    kind, sequence, start, end, *more = row
    return kind, sequence, datetime.fromisoformat(start), datetime.fromisoformat(end), *more
