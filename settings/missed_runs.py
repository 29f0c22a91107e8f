"""How late a job may be: until a run of it is recorded, until one was certainly missed, until it is behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from settings.environment import JobSettings
from settings.schedule import times_of_day

CLOCKS_FROM = datetime(2026, 1, 1, tzinfo=UTC)
CLOCKS_DAYS = 3653
"""Ten years contain every change of the clocks that a zone has."""


def allowance(job: JobSettings) -> timedelta:
    """Return how much later than scheduled a run of `job` may be recorded."""
    return timedelta(minutes=job.flexible_minutes) + job.retry_window + timedelta(seconds=job.timeout_seconds)


def silence(job: JobSettings) -> timedelta:
    """Return the shortest time without a record of `job` in which it certainly missed a run.

    That of at(…) begins with its time: after the allowance, it was missed.
    """
    return (longest_interval(job) or timedelta(0)) + allowance(job)


def most_lag(job: JobSettings) -> timedelta | None:
    """Return how far the windows of `job` may be behind; None if it runs once, and has none that follow each other.

    One that runs as it should is behind for an interval and the allowance, just before the next run is recorded. One
    run that is missed is another alarm's.
    """
    longest = longest_interval(job)
    return None if longest is None else 2 * longest + allowance(job)


def longest_interval(job: JobSettings) -> timedelta | None:
    """Return the longest real time between two scheduled times of `job`; None if it runs once.

    In spring, Scheduler skips a time that the clocks leave out; in autumn, it doesn't repeat a time that comes twice.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time
    """
    longest, times = job.when.longest_interval, times_of_day(job.schedule)
    if longest is None or not times:
        return longest  # a rate counts real time
    changes = _clock_changes(job.time_zone)
    longest_in_autumn = longest + changes.largest
    return max(longest_in_autumn, 2 * longest) if changes.skipped & times else longest_in_autumn


@dataclass(frozen=True)
class _ClockChanges:
    largest: timedelta
    """The largest change of the clocks; 0 in a zone without changes."""
    skipped: frozenset[int]
    """The minutes after midnight that are left out when the clocks go forward."""


@cache
def _clock_changes(time_zone: str) -> _ClockChanges:
    zone = ZoneInfo(time_zone)
    largest, skipped = timedelta(0), set()
    for number in range(CLOCKS_DAYS):
        day = CLOCKS_FROM + timedelta(days=number)
        change = _offset(day + timedelta(days=1), zone) - _offset(day, zone)
        largest = max(largest, abs(change))
        if change > timedelta(0):
            skipped |= _skipped(day, change, zone)
    return _ClockChanges(largest, frozenset(skipped))


def _skipped(day: datetime, change: timedelta, zone: ZoneInfo) -> set[int]:
    """Return the local minutes that a change on `day` (UTC) leaves out."""
    before = _offset(day, zone)
    moment = day
    while _offset(moment, zone) == before:
        moment += timedelta(minutes=1)
    first = moment + before
    return {(60 * first.hour + first.minute + minute) % 1440 for minute in range(change // timedelta(minutes=1))}


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)
