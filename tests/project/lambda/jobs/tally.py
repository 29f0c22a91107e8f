"""Keeps the hourly summary of events.

Each run computes whole hours anew, from the events themselves: however often an hour is computed, each event counts
once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mysql_jobs import Run, Window

HOUR = timedelta(hours=1)
TABLES = {"event": ("SELECT",), "event_hourly": ("SELECT", "INSERT", "DELETE")}


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How late an event may be.

    Raises:
        ValueError: `late_minutes` is not within 0 to 10080.
    """

    late_minutes: int = 60
    """An event that is committed within this time after it occurred is sure to be counted."""

    def __post_init__(self) -> None:
        """Check the value."""
        if not 0 <= self.late_minutes <= 10080:
            raise ValueError(f"late_minutes is {self.late_minutes}: write 0 to 10080, which is a week")


def run(run: Run) -> dict[str, Any]:
    """Compute the hours that the window touches, and those in which events may have come late; returns how many."""
    start, end = hours_to_compute(run.window, timedelta(minutes=run.parameters.late_minutes))
    with run.cursor() as cursor:
        # Not INSERT … SELECT, which would lock the events that it reads, and the gaps between them, against writers.
        # https://dev.mysql.com/doc/refman/8.4/en/innodb-locks-set.html
        cursor.execute(
            "SELECT DATE_FORMAT(occurred_at, '%%Y-%%m-%%d %%H:00:00') AS hour, kind, COUNT(*), SUM(amount)"
            " FROM event WHERE occurred_at >= %s AND occurred_at < %s GROUP BY hour, kind",
            (start, end),
        )
        summary = cursor.fetchall()
        cursor.execute("DELETE FROM event_hourly WHERE hour >= %s AND hour < %s", (start, end))
        cursor.executemany("INSERT INTO event_hourly (hour, kind, events, amount) VALUES (%s, %s, %s, %s)", summary)
    return {"hours": (end - start) // HOUR, "events": sum(events for _hour, _kind, events, _amount in summary)}


def hours_to_compute(window: Window, late: timedelta) -> tuple[datetime, datetime]:
    """The first hour that the window touches, or `late` before it, and the end of the last one that it touches."""
    return _hour_of(window.start - late), _hour_of(window.end + HOUR - timedelta.resolution)


def _hour_of(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)
