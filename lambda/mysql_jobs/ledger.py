"""The ledger: which runs of a job are recorded. It decides whether a run may work, and on which window.

Scheduler and Lambda deliver at least once, late and out of order; a commit whose answer is lost may have happened. So
a run is idempotent: its row in the ledger commits together with its work, and each run reads the rows first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from mysql_jobs.connection import Connection
from mysql_jobs.job_lock import JobLock
from mysql_jobs.request import Request, Window

KEPT_RUNS = 2000
"""Rows kept per job: a week of a run every five minutes. The sequence of windows needs the last one only."""

Refusal = Literal["overlapping", "duplicate", "superseded"]
"""Why a run has nothing to do.

overlapping: another run of this job is at work, within its time; the next window covers this scheduled time.
duplicate: this scheduled time is recorded. superseded: it came late, and a recorded window ends after it."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the ledger."""

    sequence: int
    window: Window
    outcome: Literal["done", "partial"]
    progress: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Claim:
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
        self._cursor = connection.cursor()
        # With its schema: the job may have chosen another one meanwhile.
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
        if not self._lock.take():
            return "overlapping"
        own, last, highest = self._read()
        claim = decide(self._request, own, last, max_window)
        if isinstance(claim, Claim):
            self._recorded = claim.sequence is not None
            self._sequence = claim.sequence or highest + 1
            self._last_sequence = last.sequence if last else 0
        return claim

    def record(
        self, claim: Claim, outcome: Literal["done", "partial"], *, progress: Mapping[str, Any], result: object = None
    ) -> None:
        """Write the row of this run in the open transaction, if the session still holds the job's lock.

        Raises:
            LockError: it does not.
            pymysql.MySQLError, DeadlineExceeded: the connection failed.
        """
        changing = {
            "outcome": outcome,
            "progress": json.dumps(progress) if progress else None,
            "result": None if result is None else json.dumps(result),
            "started_at": self._started_at,
            "duration_ms": round((time.monotonic() - self._started) * 1000),
        }
        key = {"job": self._request.job, "sequence": self._sequence}
        held = "IS_USED_LOCK(%s) = CONNECTION_ID()"
        if self._recorded:
            assignments = ", ".join(f"{column} = %s" for column in changing)
            written = self._cursor.execute(
                f"UPDATE {self._table} SET {assignments} WHERE job = %s AND sequence = %s AND {held}",  # noqa: S608
                (*changing.values(), *key.values(), self._lock.name),
            )
            if not written:  # also if nothing has changed
                self._lock.require()
            return
        row = {
            **key,
            "scheduled_time": None if self._request.window else self._request.scheduled_time,
            "execution_id": self._request.execution_id,
            "window_start": claim.window.start,
            "window_end": claim.window.end,
            **changing,
        }
        marks = ", ".join(["%s"] * len(row))
        written = self._cursor.execute(
            f"INSERT INTO {self._table} ({', '.join(row)}) SELECT {marks} FROM DUAL WHERE {held}",  # noqa: S608
            (*row.values(), self._lock.name),
        )
        if not written:
            self._lock.require()
        self._recorded = True
        self._prune()

    def _prune(self) -> None:
        kept_from = min(self._sequence - KEPT_RUNS + 1, self._last_sequence)
        if kept_from > 1:
            statement = f"DELETE FROM {self._table} WHERE job = %s AND sequence < %s"  # noqa: S608 (own names)
            self._cursor.execute(statement, (self._request.job, kept_from))

    def _read(self) -> tuple[Entry | None, Entry | None, int]:
        """Return this request's row, the last row of the job's sequence of windows, and the highest row number."""
        job = self._request.job
        own, key = "scheduled_time = %s", cast(object, self._request.scheduled_time)
        if self._request.window is not None:
            own, key = "scheduled_time IS NULL AND execution_id = %s", self._request.execution_id
        columns = "sequence, window_start, window_end, outcome, progress"
        self._cursor.execute(
            f"(SELECT 'own', {columns} FROM {self._table} WHERE job = %s AND {own})"  # noqa: S608 (own names)
            f" UNION ALL (SELECT 'last', {columns} FROM {self._table} WHERE job = %s AND scheduled_time IS NOT NULL"
            " ORDER BY sequence DESC LIMIT 1)"
            f" UNION ALL (SELECT 'highest', {columns} FROM {self._table} WHERE job = %s"
            " ORDER BY sequence DESC LIMIT 1)",
            (job, key, job, job),
        )
        found = {row[0]: _entry(*row[1:]) for row in self._cursor.fetchall()}
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
