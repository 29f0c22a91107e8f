"""The ledger: which runs of a job are recorded. It decides whether a run may work, and on which window.

Scheduler and Lambda deliver at least once, late and out of order; a commit whose answer is lost may have happened. So
a run is idempotent: its row in the ledger commits together with its work, and each run reads the rows first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, cast

import pymysql
from pymysql.constants import ER

from mysql_jobs.connection import Connection
from mysql_jobs.job_lock import JobLock
from mysql_jobs.request import Request, Window
from mysql_jobs.session import Rows

KEPT_RUNS = 2000
"""Rows kept per job: a week of a run every five minutes. The sequence of windows needs the last one only."""
RUNS_PER_PRUNING = 100
"""Every so many runs, the rows beyond those are deleted: most runs need not ask for it."""

Refusal = Literal["overlapping", "duplicate", "superseded"]
"""Why a run has nothing to do.

overlapping: another run of this job is at work, within its time; the next window covers this scheduled time.
duplicate: this scheduled time is recorded. superseded: it came late, and a recorded window ends after it."""


class Entry(NamedTuple):
    """A row of the ledger."""

    sequence: int
    window: Window
    outcome: Literal["done", "partial"]
    progress: Mapping[str, Any]


class Claim(NamedTuple):
    """The window that a run may work on, while it holds the job's lock."""

    window: Window
    progress: Mapping[str, Any]
    """Of the run that is continued; empty if none is."""
    sequence: int | None
    """Of the row that is continued; None for a new one."""


def decide(request: Request, own: Entry | None, last: Entry | None, max_window: timedelta) -> Claim | Refusal:
    """Return what `request` may do, given the row of its scheduled time and the last row of the job's sequence.

    The windows of a job's sequence follow each other without a gap or an overlap: each begins where the last one
    ended. The first one begins `max_window` before its scheduled time. A partial window is continued unchanged before
    the next begins: its progress may have any meaning within it.
    """
    if own is not None:
        return _decide_again(request, own, last)
    if request.window is not None:
        return Claim(window=request.window, progress={}, sequence=None)
    if last is None:
        first = Window(start=request.scheduled_time - max_window, end=request.scheduled_time)
        return Claim(window=first, progress={}, sequence=None)
    if request.scheduled_time <= last.window.end:
        return "superseded"
    if last.outcome == "partial":
        return Claim(window=last.window, progress=last.progress, sequence=None)
    end = min(request.scheduled_time, last.window.end + max_window)
    return Claim(window=Window(start=last.window.end, end=end), progress={}, sequence=None)


def _decide_again(request: Request, own: Entry, last: Entry | None) -> Claim | Refusal:
    continued_by_another = request.window is None and own != last
    if own.outcome == "done" or continued_by_another:
        return "duplicate"
    return Claim(window=own.window, progress=own.progress, sequence=own.sequence)


class Ledger:
    """The ledger, read and written by one run in its own connection."""

    def __init__(self, *, connection: Connection, schema: str, request: Request, lock: JobLock) -> None:
        """Prepare for `request`, with the ledger in `schema`; nothing is read yet."""
        self._connection = connection
        self._cursor = connection.cursor()
        # With its schema: the session's own is another one, or the job has chosen one meanwhile.
        self._table = f"`{schema}`.ledger"
        self._lock = lock
        self._request = request
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()
        self._sequence = 0
        self._recorded = False
        self._last_sequence = 0

    def claim(self, max_window: timedelta) -> Claim | Refusal:
        """Take the job's advisory lock, which the session holds until it ends; return the window to work on.

        Raises:
            LockError, OrphanError: see `JobLock.take`.
            pymysql.MySQLError, DeadlineExceeded: the connection failed.
        """
        rows = self._lock.take(self._read())
        if rows is None:
            return "overlapping"
        own, last, highest = _found(rows)
        claim = decide(self._request, own, last, max_window)
        if isinstance(claim, Claim):
            self._recorded = claim.sequence is not None
            self._sequence = claim.sequence or highest + 1
            self._last_sequence = last.sequence if last else 0
        return claim

    def commit(
        self,
        claim: Claim,
        outcome: Literal["done", "partial"],
        *,
        progress: Mapping[str, Any],
        result: object = None,
        go_on: bool = False,
    ) -> None:
        """Commit the job's work with the row of this run, if the session still holds the job's lock.

        To `go_on` is to begin the next transaction at once.

        Raises:
            LockError: it does not.
            OutcomeUnknownError, TransactionEndedError, DeadlineExceeded, pymysql.MySQLError: see `Connection.commit`.
        """
        written = self._written(claim, outcome, progress=progress, result=result)
        try:
            self._connection.commit(self._lock.required(), written, *self._pruned(), go_on=go_on)
        except pymysql.MySQLError as error:
            if error.args[:1] != (ER.WRONG_VALUE_FOR_VAR,):
                raise
            raise self._lock.lost() from None
        self._recorded = True

    def _written(self, claim: Claim, outcome: str, *, progress: Mapping[str, Any], result: object) -> str:
        """Return the statement that writes the row."""
        changing = {
            "outcome": outcome,
            "progress": json.dumps(progress) if progress else None,
            "result": None if result is None else json.dumps(result),
            "started_at": self._started_at,
            "duration_ms": round((time.monotonic() - self._started) * 1000),
        }
        key = {"job": self._request.job, "sequence": self._sequence}
        if self._recorded:
            assignments = ", ".join(f"{column} = %s" for column in changing)
            statement = f"UPDATE {self._table} SET {assignments} WHERE job = %s AND sequence = %s"  # noqa: S608
            return self._cursor.mogrify(statement, (*changing.values(), *key.values()))
        row = {
            **key,
            "scheduled_time": None if self._request.window else self._request.scheduled_time,
            "execution_id": self._request.execution_id,
            "window_start": claim.window.start,
            "window_end": claim.window.end,
            **changing,
        }
        marks = ", ".join(["%s"] * len(row))
        statement = f"INSERT INTO {self._table} ({', '.join(row)}) VALUES ({marks})"  # noqa: S608 (own names)
        return self._cursor.mogrify(statement, tuple(row.values()))

    def _pruned(self) -> list[str]:
        """Return what deletes the rows that are kept no longer, in the runs that do so."""
        kept_from = min(self._sequence - KEPT_RUNS + 1, self._last_sequence)
        if self._recorded or self._sequence % RUNS_PER_PRUNING or kept_from <= 1:
            return []
        statement = f"DELETE FROM {self._table} WHERE job = %s AND sequence < %s"  # noqa: S608 (own names)
        return [self._cursor.mogrify(statement, (self._request.job, kept_from))]

    def _read(self) -> str:
        """Return the statement that reads this request's row, the last one of the job's sequence, and the highest."""
        job = self._request.job
        own, key = "scheduled_time = %s", cast(object, self._request.scheduled_time)
        if self._request.window is not None:
            own, key = "scheduled_time IS NULL AND execution_id = %s", self._request.execution_id
        columns = "sequence, window_start, window_end, outcome, progress"
        return self._cursor.mogrify(
            f"(SELECT 'own', {columns} FROM {self._table} WHERE job = %s AND {own})"  # noqa: S608 (own names)
            f" UNION ALL (SELECT 'last', {columns} FROM {self._table} WHERE job = %s AND scheduled_time IS NOT NULL"
            " ORDER BY sequence DESC LIMIT 1)"
            f" UNION ALL (SELECT 'highest', {columns} FROM {self._table} WHERE job = %s"
            " ORDER BY sequence DESC LIMIT 1)",
            (job, key, job, job),
        )


def _found(rows: Rows) -> tuple[Entry | None, Entry | None, int]:
    """Return the request's row, the last row of the job's sequence of windows, and the highest row number."""
    found = {row[0]: _entry(*row[1:]) for row in rows}
    return found.get("own"), found.get("last"), found["highest"].sequence if found else 0


def _entry(
    sequence: int, start: datetime, end: datetime, outcome: Literal["done", "partial"], progress: str | None
) -> Entry:
    return Entry(
        sequence=sequence,
        window=Window(start=start.replace(tzinfo=UTC), end=end.replace(tzinfo=UTC)),
        outcome=outcome,
        progress=json.loads(progress) if progress else {},
    )
