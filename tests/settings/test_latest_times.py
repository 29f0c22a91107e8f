"""The last times of a schedule, as Scheduler would have chosen them."""

from datetime import UTC, datetime

import pytest

from settings.schedule import latest_times, previous_time

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
        ("at(2026-11-25T21:57:31)", "UTC", ["2026-11-25T21:57"]),
        ("at(2026-11-25T21:57:32)", "UTC", []),
        ("at(2026-11-25T22:57:31)", "Europe/Berlin", ["2026-11-25T21:57"]),
        ("at(2026-10-25T02:30:00)", "Europe/Berlin", ["2026-10-25T00:30"]),  # the first of two
        ("at(2026-03-29T02:30:00)", "Europe/Berlin", []),  # on no clock
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


@pytest.mark.parametrize(
    ("expression", "time_zone", "before", "expected"),
    [
        ("rate(1 hour)", "UTC", "2026-11-25T21:57:31", "2026-11-25T20:57:31"),
        ("rate(1 day)", "Europe/Berlin", "2026-03-29T12:00:00", "2026-03-28T12:00:00"),  # counts real time
        ("cron(15 3 * * ? *)", "Europe/Berlin", "2026-11-25T02:15:00", "2026-11-24T02:15:00"),
        ("cron(15 3 * * ? *)", "Europe/Berlin", "2026-11-25T02:15:01", "2026-11-25T02:15:00"),
        ("cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-30T00:30:00", "2026-03-28T01:30:00"),
        ("cron(0 8 ? * MON-FRI *)", "UTC", "2026-11-23T08:00:00", "2026-11-20T08:00:00"),
        ("cron(0 0 1 1 ? 2026-2040)", "UTC", "2026-01-01T00:00:00", None),
        ("at(2026-11-25T21:57:31)", "UTC", "2026-11-25T21:57:31", None),
        ("at(2026-11-25T21:57:31)", "UTC", "2026-11-25T21:57:32", "2026-11-25T21:57:31"),
    ],
)
def test_the_time_before_one_is_strictly_before_it(
    expression: str, time_zone: str, before: str, expected: str | None
) -> None:
    found = previous_time(expression, time_zone, before=datetime.fromisoformat(before).replace(tzinfo=UTC))
    assert found == (expected and datetime.fromisoformat(expected).replace(tzinfo=UTC))
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize("expression", ["rate(5 minutes)", "cron(*/20 */7 * * ? *)", "cron(30 2 ? * SUN *)"])
def test_the_time_before_the_last_is_the_last_but_one(expression: str) -> None:
    earlier, later = latest_times(expression, "Europe/Berlin", now=NOW, count=2)
    assert previous_time(expression, "Europe/Berlin", before=later) == earlier
