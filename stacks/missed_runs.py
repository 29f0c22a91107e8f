"""For how long a job may be silent before a run is missed, by the time that CloudWatch measures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from stacks.schedule import times_of_day
from stacks.settings import JobSettings

LOG_DELAY = timedelta(minutes=5)
"""From the end of a run until its log line is a metric: mostly a minute."""

SPANS = (
    # How finely CloudWatch can look at how long a time: one day for periods below an hour, else seven. The first row is
    # a choice: of frequent jobs one wants to know soon.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    (timedelta(minutes=1), timedelta(hours=3)),
    (timedelta(minutes=5), timedelta(days=1)),
    (timedelta(hours=1), timedelta(days=7)),
)

CLOCKS_FROM = datetime(2026, 1, 1, tzinfo=UTC)
CLOCKS_DAYS = 3653
"""Ten years show what the clocks of a zone do."""


@dataclass(frozen=True)
class Silence:
    """So many periods without a run that worked mean that one was missed."""

    period: timedelta
    periods: int

    @property
    def length(self) -> timedelta:
        """All periods together."""
        return self.periods * self.period


def missed_after(job: JobSettings) -> Silence | None:
    """The shortest silence in which `job` has missed a run for sure; None if CloudWatch can't look back that far."""
    longest = longest_interval(job) + allowance(job)
    for period, span in SPANS:
        # One more, as the latest period may have only just begun.
        silence = Silence(period, -(-longest // period) + 1)
        if silence.length <= span:
            return silence
    return None


def longest_interval(job: JobSettings) -> timedelta:
    """The longest time, as it really elapses, between two scheduled times of `job`.

    In spring, Scheduler skips a time that the clocks leave out; in autumn, it doesn't repeat one that comes twice.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time
    """
    longest, times = job.when.longest_interval, times_of_day(job.schedule)
    if not times:
        return longest  # a rate counts time as it elapses
    changes = _clock_changes(job.time_zone)
    longest_in_autumn = longest + changes.largest
    return max(longest_in_autumn, 2 * longest) if changes.skipped & times else longest_in_autumn


def allowance(job: JobSettings) -> timedelta:
    """How much later than scheduled a run of `job` may end and be seen, and all is well."""
    timeout = timedelta(seconds=job.timeout_seconds)
    return timedelta(minutes=job.flexible_minutes) + job.retry_window + timeout + LOG_DELAY


@dataclass(frozen=True)
class _ClockChanges:
    largest: timedelta
    """By how much, at most, the clocks are changed; 0 where they aren't."""
    skipped: frozenset[int]
    """Minutes after midnight that clocks leave out when they go forward."""


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
    """The local minutes that a change on `day` (UTC) leaves out."""
    before = _offset(day, zone)
    moment = day
    while _offset(moment, zone) == before:
        moment += timedelta(minutes=1)
    first = moment + before
    return {(60 * first.hour + first.minute + minute) % 1440 for minute in range(change // timedelta(minutes=1))}


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)
