"""The ledger: which windows of a job are recorded, a row each.

Scheduler and Lambda deliver at least once, late and out of order; a commit whose answer is lost may have happened. So
a run is idempotent: the row of its window commits together with its work, and each run reads the rows first. Which
window that is, decides claim.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, cast

import pymysql
from pymysql.constants import ER

from mysql_jobs.claim import Claim, Entry, Refusal, Terms, decide
from mysql_jobs.connection import Connection
from mysql_jobs.job_lock import JobLock
from mysql_jobs.request import Request, Window
from mysql_jobs.session import Rows

KEPT_RUNS = 2000
"""Rows kept per job: a week of a run every five minutes. The sequence of windows needs the last one only."""
RUNS_PER_PRUNING = 100
"""Every so many rows, those beyond are deleted: most runs need not ask for it."""


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
        self._rows = 1

    def claim(self, terms: Terms) -> Claim | Refusal:
        """Take the job's advisory lock, which the session holds until it ends; return the window to work on.

        Raises:
            LockError, OrphanError: see `JobLock.take`.
            ValueError, ZoneInfoNotFoundError: see `Timetable.before`.
            pymysql.MySQLError, DeadlineExceeded: the connection failed.
        """
        rows = self._lock.take(self._read())
        if rows is None:
            return "overlapping"
        own, last, highest = _found(rows)
        claim = decide(self._request, own, last, terms)
        if isinstance(claim, Claim):
            self._recorded = claim.sequence is not None
            self._rows = 1 if claim.skipped is None else 2  # the row of what is skipped is the first
            self._sequence = claim.sequence or highest + self._rows
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
        written = [*self._skipped(claim), self._written(claim, outcome, progress=progress, result=result)]
        try:
            self._connection.commit(self._lock.required(), *written, *self._pruned(), go_on=go_on)
        except pymysql.MySQLError as error:
            if error.args[:1] != (ER.WRONG_VALUE_FOR_VAR,):
                raise
            raise self._lock.lost() from None
        self._recorded = True

    def _written(self, claim: Claim, outcome: str, *, progress: Mapping[str, Any], result: object) -> str:
        """Return the statement that writes the row."""
        changing = {
            "execution_id": self._request.execution_id,
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
        return self._inserted({**key, **self._of_window(claim.window), **changing})

    def _skipped(self, claim: Claim) -> list[str]:
        """Return the statement that writes the row of what is skipped, with the first row after it."""
        if claim.skipped is None or self._recorded:
            return []
        row = {
            "job": self._request.job,
            "sequence": self._sequence - 1,
            **self._of_window(claim.skipped),
            "execution_id": self._request.execution_id,
            "outcome": "skipped",
            "started_at": self._started_at,
            "duration_ms": 0,
        }
        return [self._inserted(row)]

    def _of_window(self, window: Window) -> dict[str, object]:
        by_hand = self._request.window is not None
        return {
            "scheduled_time": None if by_hand else self._request.scheduled_time,
            "in_sequence": None if by_hand else True,
            "window_start": window.start,
            "window_end": window.end,
        }

    def _inserted(self, row: Mapping[str, object]) -> str:
        marks = ", ".join(["%s"] * len(row))
        statement = f"INSERT INTO {self._table} ({', '.join(row)}) VALUES ({marks})"  # noqa: S608 (own names)
        return self._cursor.mogrify(statement, tuple(row.values()))

    def _pruned(self) -> list[str]:
        """Return what deletes the rows that are kept no longer, in the runs that do so."""
        kept_from = min(self._sequence - KEPT_RUNS + 1, self._last_sequence)
        if self._recorded or self._sequence % RUNS_PER_PRUNING >= self._rows or kept_from <= 1:
            return []
        statement = f"DELETE FROM {self._table} WHERE job = %s AND sequence < %s"  # noqa: S608 (own names)
        return [self._cursor.mogrify(statement, (self._request.job, kept_from))]

    def _read(self) -> str:
        """Return the statement that reads this request's row, the last one of the job's sequence, and the highest."""
        job = self._request.job
        own, key = "scheduled_time = %s", cast(object, self._request.scheduled_time)
        if self._request.window is not None:
            own, key = "scheduled_time IS NULL AND execution_id = %s", self._request.execution_id
        columns = "sequence, window_start, window_end, outcome, progress, execution_id"
        return self._cursor.mogrify(
            f"(SELECT 'own', {columns} FROM {self._table} WHERE job = %s AND {own}"  # noqa: S608 (own names)
            " ORDER BY sequence DESC LIMIT 1)"
            f" UNION ALL (SELECT 'last', {columns} FROM {self._table} WHERE job = %s AND scheduled_time IS NOT NULL"
            " ORDER BY sequence DESC LIMIT 1)"
            f" UNION ALL (SELECT 'highest', {columns} FROM {self._table} WHERE job = %s"
            " ORDER BY sequence DESC LIMIT 1)",
            (job, key, job, job),
        )


def _found(rows: Rows) -> tuple[Entry | None, Entry | None, int]:
    """Return the request's row, the last row of the job's sequence of windows, and the highest row number."""
    found = {kind: _entry(row) for kind, *row in rows}
    return found.get("own"), found.get("last"), found["highest"].sequence if found else 0


def _entry(row: Sequence[Any]) -> Entry:
    sequence, start, end, outcome, progress, execution_id = row
    return Entry(
        sequence=sequence,
        window=Window(start=start.replace(tzinfo=UTC), end=end.replace(tzinfo=UTC)),
        outcome=outcome,
        progress=json.loads(progress) if progress else {},
        execution_id=execution_id,
    )
