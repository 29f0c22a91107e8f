"""How long a job may have no successful run until one was certainly missed, in periods of CloudWatch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from settings.environment import JobSettings
from settings.schedule import times_of_day

LOG_DELAY = timedelta(minutes=5)
"""The longest time from the end of a run until its log line is a metric; usually a minute."""

SPANS = (
    # Periods, and the longest time that an alarm with such periods covers: a day for periods below an hour, else seven
    # days. The first row is our choice: an alarm about a frequent job should come soon.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    (timedelta(minutes=1), timedelta(hours=3)),
    (timedelta(minutes=5), timedelta(days=1)),
    (timedelta(hours=1), timedelta(days=7)),
)

CLOCKS_FROM = datetime(2026, 1, 1, tzinfo=UTC)
CLOCKS_DAYS = 3653
"""Ten years contain every change of the clocks that a zone has."""


@dataclass(frozen=True)
class Silence:
    """This many periods without a successful run mean that one was missed."""

    period: timedelta
    periods: int

    @property
    def length(self) -> timedelta:
        """The length of all periods together."""
        return self.periods * self.period


def missed_after(job: JobSettings) -> Silence | None:
    """Return the shortest silence in which `job` certainly missed a run; None if it is too long for CloudWatch."""
    longest = longest_interval(job) + allowance(job)
    for period, span in SPANS:
        # One more, as the latest period may just have begun.
        silence = Silence(period, -(-longest // period) + 1)
        if silence.length <= span:
            return silence
    return None


def longest_interval(job: JobSettings) -> timedelta:
    """Return the longest real time between two scheduled times of `job`.

    In spring, Scheduler skips a time that the clocks leave out; in autumn, it doesn't repeat a time that comes twice.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time
    """
    longest, times = job.when.longest_interval, times_of_day(job.schedule)
    if not times:
        return longest  # a rate counts real time
    changes = _clock_changes(job.time_zone)
    longest_in_autumn = longest + changes.largest
    return max(longest_in_autumn, 2 * longest) if changes.skipped & times else longest_in_autumn


def allowance(job: JobSettings) -> timedelta:
    """Return how much later than scheduled a successful run of `job` may end and be counted."""
    timeout = timedelta(seconds=job.timeout_seconds)
    return timedelta(minutes=job.flexible_minutes) + job.retry_window + timeout + LOG_DELAY


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
