"""The ledger: which runs of a job are recorded, and so whose turn it is, and for which window.

Scheduler and Lambda deliver at least once, late and out of order; a commit whose answer is lost may have happened. So
nothing is decided by what a run remembers: the row of a run commits with its work, and the next run reads the rows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from connection import Connection
from request import Request, Window

KEPT_RUNS = 2000
"""Rows kept per job: a week of a run every five minutes. The sequence of windows needs the last one only."""
GOODBYE_SECONDS = 0.1
"""How long the server may take to notice that a run has ended."""

Refusal = Literal["overlapping", "duplicate", "covered"]
"""overlapping: another run of this job is at work, or its orphan is; the next window covers this scheduled time.
duplicate: this scheduled time is recorded. covered: it came late, and a window that is recorded goes beyond it."""


class LedgerError(Exception):
    """The server could not say whether another run of the job is at work."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the ledger."""

    sequence: int
    window: Window
    outcome: Literal["done", "partial"]
    progress: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What it is a run's turn to do."""

    window: Window
    progress: Mapping[str, Any]
    """Of the run that is continued; empty if none is."""
    sequence: int | None
    """Of the row that is continued; None for a new one."""


def decide(request: Request, own: Entry | None, last: Entry | None, max_window: timedelta) -> Turn | Refusal:
    """What `request` is to do, given the row with its scheduled time and the last row of the job's sequence.

    The windows of a job's sequence follow each other without a gap or an overlap: each begins where the last one
    ended. The first one begins `max_window` before its scheduled time. A partial one is continued, as it was, before
    the next begins: its progress may be a position in anything.
    """
    if own is not None:
        return _decide_again(request, own, last)
    if request.window is not None:
        return Turn(window=request.window, progress={}, sequence=None)
    if last is None:
        first = Window(start=request.scheduled_time - max_window, end=request.scheduled_time)
        return Turn(window=first, progress={}, sequence=None)
    if request.scheduled_time <= last.window.end:
        return "covered"
    if last.outcome == "partial":
        return Turn(window=last.window, progress=last.progress, sequence=None)
    end = min(request.scheduled_time, last.window.end + max_window)
    return Turn(window=Window(start=last.window.end, end=end), progress={}, sequence=None)


def _decide_again(request: Request, own: Entry, last: Entry | None) -> Turn | Refusal:
    continued_by_another = request.window is None and own != last
    if own.outcome == "done" or continued_by_another:
        return "duplicate"
    return Turn(window=own.window, progress=own.progress, sequence=own.sequence)


class Ledger:
    """The ledger as one run sees it, in the run's own connection."""

    def __init__(self, *, connection: Connection, schema: str, request: Request) -> None:
        """The ledger in `schema`, for `request`."""
        self._cursor = connection.cursor()
        self._lock = f"{schema}.{request.job}"
        self._request = request
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()
        self._sequence = 0
        self._recorded = False
        self._last_sequence = 0

    def take_turn(self, max_window: timedelta) -> Turn | Refusal:
        """Keep other runs of this job out for as long as the session lives, and see what there is to do.

        Raises:
            LedgerError: the server could not take the lock.
            pymysql.MySQLError, DeadlineExceeded: the connection failed.
        """
        if not self._lock_is_ours():
            return "overlapping"
        own, last, highest = self._read()
        turn = decide(self._request, own, last, max_window)
        if isinstance(turn, Turn):
            self._recorded = turn.sequence is not None
            self._sequence = turn.sequence or highest + 1
            self._last_sequence = last.sequence if last else 0
        return turn

    def _lock_is_ours(self) -> bool:
        if self._try_lock():
            return True
        # A run that has just ended said goodbye and did not wait: the server frees its lock some milliseconds later.
        time.sleep(GOODBYE_SECONDS)
        return self._try_lock()

    def _try_lock(self) -> bool:
        # Its own statement: one that reads a table, too, would read what was committed before the lock was there.
        # https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html
        self._cursor.execute("SELECT GET_LOCK(%s, 0)", (self._lock,))
        match self._cursor.fetchone():
            case (1,):
                return True
            case (0,):
                return False
            case other:
                raise LedgerError(f"GET_LOCK({self._lock!r}) answered {other!r}: see the server's error log")

    def record(
        self, turn: Turn, outcome: Literal["done", "partial"], *, progress: Mapping[str, Any], result: object = None
    ) -> None:
        """Write the row of this run, into the open transaction."""
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
            self._cursor.execute(
                f"UPDATE ledger SET {assignments} WHERE job = %s AND sequence = %s",  # noqa: S608 (own names)
                (*changing.values(), *key.values()),
            )
            return
        row = {
            **key,
            "scheduled_time": None if self._request.window else self._request.scheduled_time,
            "execution_id": self._request.execution_id,
            "window_start": turn.window.start,
            "window_end": turn.window.end,
            **changing,
        }
        marks = ", ".join(["%s"] * len(row))
        self._cursor.execute(f"INSERT INTO ledger ({', '.join(row)}) VALUES ({marks})", (*row.values(),))  # noqa: S608
        self._recorded = True
        self._prune()

    def _prune(self) -> None:
        kept_from = min(self._sequence - KEPT_RUNS + 1, self._last_sequence)
        if kept_from > 1:
            statement = "DELETE FROM ledger WHERE job = %s AND sequence < %s"
            self._cursor.execute(statement, (self._request.job, kept_from))

    def _read(self) -> tuple[Entry | None, Entry | None, int]:
        """The row of this request, the last row of the job's sequence of windows, and the highest number of any row."""
        job = self._request.job
        own, key = "scheduled_time = %s", cast(object, self._request.scheduled_time)
        if self._request.window is not None:
            own, key = "scheduled_time IS NULL AND execution_id = %s", self._request.execution_id
        columns = "sequence, window_start, window_end, outcome, progress"
        self._cursor.execute(
            f"(SELECT 'own', {columns} FROM ledger WHERE job = %s AND {own})"  # noqa: S608 (own names)
            f" UNION ALL (SELECT 'last', {columns} FROM ledger WHERE job = %s AND scheduled_time IS NOT NULL"
            " ORDER BY sequence DESC LIMIT 1)"
            f" UNION ALL (SELECT 'highest', {columns} FROM ledger WHERE job = %s ORDER BY sequence DESC LIMIT 1)",
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
