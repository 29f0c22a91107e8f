"""How late a job may be: no healthy job is ever said to have missed a run, whatever the clocks do."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from settings.environment import JobSettings
from settings.missed_runs import allowance, longest_interval, most_lag, silence
from tests.fixture import a_job

EVERY_DAY = frozenset(range(7))
BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
CLOCK_CHANGES = [(2026, 3), (2026, 4), (2026, 10), (2026, 11)]
"""In Berlin, New York and on Lord Howe Island."""
ONCE = "at(2026-12-24T18:00:00)"


@dataclass(frozen=True)
class Case:
    """A schedule, and independently of the code under test, when it starts runs."""

    schedule: str
    every: timedelta | None = None
    at: tuple[time, ...] = ()
    weekdays: frozenset[int] = EVERY_DAY
    zone: str = "UTC"

    @cached_property
    def job(self) -> JobSettings:
        return a_job(name="pulse", schedule=self.schedule, time_zone=self.zone, timeout_seconds=30)

    @cached_property
    def healthy(self) -> list[list[datetime]]:
        """Scheduled times of months in which clocks change; a few hours of them for a frequent rate."""
        span = timedelta(hours=3) if self.every and self.every < timedelta(hours=1) else timedelta(days=33)
        starts = [datetime(year, month, 1, tzinfo=UTC) for year, month in CLOCK_CHANGES]
        return [list(self.scheduled_times(start, start + span)) for start in starts]

    def scheduled_times(self, start: datetime, end: datetime) -> Iterator[datetime]:
        if self.every is not None:
            count = (end - start) // self.every
            yield from (start + number * self.every for number in range(count))
            return
        day = start.date()
        while day < end.date():
            if day.weekday() in self.weekdays:
                yield from self._times_on(day)
            day += timedelta(days=1)

    def _times_on(self, day: date) -> Iterator[datetime]:
        zone = ZoneInfo(self.zone)
        for each in sorted(self.at):
            local = datetime.combine(day, each, tzinfo=zone)  # of two that are the same, the first
            if local.astimezone(UTC).astimezone(zone).time() == each:  # else the clocks left it out
                yield local.astimezone(UTC)


WORKING_DAYS = frozenset(range(5))
CASES = [
    Case("rate(1 minute)", every=timedelta(minutes=1)),
    Case("rate(5 minutes)", every=timedelta(minutes=5)),
    Case("rate(1 hour)", every=timedelta(hours=1)),
    Case("rate(6 days)", every=timedelta(days=6)),
    Case("cron(15 3 * * ? *)", at=(time(3, 15),)),
    Case("cron(15 3 * * ? *)", at=(time(3, 15),), zone=BERLIN),
    Case("cron(30 2 * * ? *)", at=(time(2, 30),), zone=BERLIN),
    Case("cron(30 2 * * ? *)", at=(time(2, 30),), zone=NEW_YORK),
    Case("cron(15 2 * * ? *)", at=(time(2, 15),), zone=LORD_HOWE),
    Case("cron(0/20 * * * ? *)", at=tuple(time(h, m) for h in range(24) for m in (0, 20, 40)), zone=BERLIN),
    Case("cron(0 8 ? * MON-FRI *)", at=(time(8),), weekdays=WORKING_DAYS, zone=BERLIN),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.schedule} {case.zone}")
@examples(max_examples=25, deadline=None)
@given(lateness=st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_no_healthy_job_is_ever_silent_for_longer_than_it_may_be(case: Case, lateness: list[float]) -> None:
    late = allowance(case.job)
    for times in case.healthy:
        recorded = sorted(each + lateness[number % len(lateness)] * late for number, each in enumerate(times))
        assert max(later - earlier for earlier, later in pairwise(recorded)) <= silence(case.job)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.schedule} {case.zone}")
@examples(max_examples=25, deadline=None)
@given(lateness=st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_no_healthy_job_is_ever_further_behind_than_it_may_be_nor_is_one_that_misses_a_run(
    case: Case, lateness: list[float]
) -> None:
    most, late = most_lag(case.job), allowance(case.job)
    assert most is not None
    for times in case.healthy:
        recorded = [each + lateness[number % len(lateness)] * late for number, each in enumerate(times)]
        # Furthest just before a run is recorded: then, what the last one did ends at its scheduled time.
        for missed in (0, 1):
            behind = [later - earlier for earlier, later in zip(times, recorded[1 + missed :], strict=False)]
            assert max(behind) <= most


@examples(max_examples=40, deadline=None)
@given(
    times=st.sets(st.tuples(st.integers(0, 23), st.sampled_from([0, 1, 15, 29, 30, 59])), min_size=1, max_size=4),
    zone=st.sampled_from(["UTC", BERLIN, NEW_YORK, LORD_HOWE, "Africa/Casablanca", "America/Santiago"]),
)
def test_no_interval_is_longer_than_the_longest_whatever_the_clocks_do(times: set[tuple[int, int]], zone: str) -> None:
    # The hours of a cron expression go with each of its minutes.
    hours, minutes = {hour for hour, _ in times}, {minute for _, minute in times}
    schedule = f"cron({','.join(map(str, minutes))} {','.join(map(str, hours))} * * ? 2027)"
    case = Case(schedule, at=tuple(time(hour, minute) for hour in hours for minute in minutes), zone=zone)
    scheduled = list(case.scheduled_times(datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)))
    longest = longest_interval(case.job)
    assert longest is not None
    assert max(later - earlier for earlier, later in pairwise(scheduled)) <= longest


@pytest.mark.parametrize("flexible_minutes", [0, 30])
def test_a_run_may_be_late_by_its_window_its_retries_and_its_timeout(flexible_minutes: int) -> None:
    job = a_job(
        name="pulse",
        schedule="rate(4 hours)",
        timeout_seconds=120,
        retry_minutes=20,
        flexible_minutes=flexible_minutes,
    )
    assert allowance(job) == timedelta(minutes=flexible_minutes + 20 + 2)


@pytest.mark.parametrize(
    ("schedule", "quiet", "behind"),
    [
        ("rate(1 minute)", timedelta(minutes=3), timedelta(minutes=4)),
        ("rate(5 minutes)", timedelta(minutes=8, seconds=30), timedelta(minutes=13, seconds=30)),
        ("rate(1 hour)", timedelta(minutes=91), timedelta(minutes=151)),
        ("cron(15 3 * * ? *)", timedelta(hours=25, minutes=1), timedelta(hours=49, minutes=1)),
        ("cron(0 8 ? * MON-FRI *)", timedelta(hours=73, minutes=1), timedelta(hours=145, minutes=1)),
        ("cron(0 8 L * ? *)", timedelta(days=31, hours=1, minutes=1), timedelta(days=62, hours=1, minutes=1)),
    ],
)
def test_how_long_a_job_may_be_silent_and_how_far_behind(schedule: str, quiet: timedelta, behind: timedelta) -> None:
    job = a_job(name="pulse", schedule=schedule)
    assert (silence(job), most_lag(job)) == (quiet, behind)


def test_a_job_that_runs_once_is_missed_after_its_allowance_and_never_behind() -> None:
    job = a_job(name="pulse", schedule=ONCE, flexible_minutes=15)
    assert longest_interval(job) is most_lag(job) is None
    assert silence(job) == allowance(job) == timedelta(minutes=15 + 60 + 1)
