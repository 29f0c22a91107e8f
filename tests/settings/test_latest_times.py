"""The last times of a schedule, as Scheduler would have chosen them."""

from datetime import UTC, datetime

import pytest

from settings.schedule import latest_times

NOW = datetime(2026, 11, 25, 21, 57, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "time_zone", "times"),
    [
        ("rate(5 minutes)", "UTC", ["2026-11-25T21:50", "2026-11-25T21:55"]),
        ("rate(1 day)", "UTC", ["2026-11-24T00:00", "2026-11-25T00:00"]),
        ("cron(15 3 * * ? *)", "Europe/Berlin", ["2026-11-24T02:15", "2026-11-25T02:15"]),
        ("cron(0 8,23 ? * MON *)", "UTC", ["2026-11-23T08:00", "2026-11-23T23:00"]),
        ("cron(0 0 L * ? *)", "America/New_York", ["2026-09-30T04:00", "2026-10-31T04:00"]),
        ("cron(0 0 1 1 ? 2026-2040)", "UTC", ["2026-01-01T00:00"]),
        ("cron(0 0 1 1 ? 2030-2040)", "UTC", []),
    ],
)
def test_they_are_the_last_before_now_in_utc(expression: str, time_zone: str, times: list[str]) -> None:
    found = latest_times(expression, time_zone, now=NOW, count=2)
    assert [f"{time:%Y-%m-%dT%H:%M}" for time in found] == times
    assert all(time.tzinfo is UTC for time in found)


def test_a_time_that_daylight_saving_leaves_out_is_none() -> None:
    now = datetime(2026, 3, 30, 12, tzinfo=UTC)
    days = [time.day for time in latest_times("cron(30 2 * * ? *)", "Europe/Berlin", now=now, count=3)]
    assert days == [27, 28, 30]


def test_a_run_that_is_due_now_counts() -> None:
    now = datetime(2026, 11, 25, 21, 55, tzinfo=UTC)
    assert latest_times("rate(5 minutes)", "UTC", now=now, count=1) == [now]
    assert latest_times("cron(55 * * * ? *)", "UTC", now=now, count=1) == [now]
