"""The next times of a schedule, as Scheduler will choose them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings.schedule import latest_times, next_times

NOW = datetime(2026, 11, 25, 21, 57, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("expression", "time_zone", "times"),
    [
        ("rate(5 minutes)", "UTC", ["2026-11-25T22:02", "2026-11-25T22:07"]),
        ("rate(1 day)", "UTC", ["2026-11-26T21:57", "2026-11-27T21:57"]),
        ("cron(57/2 21 * * ? *)", "UTC", ["2026-11-25T21:59", "2026-11-26T21:57"]),
        ("cron(0/30 * * * ? *)", "UTC", ["2026-11-25T22:00", "2026-11-25T22:30"]),
        ("cron(15 3 * * ? *)", "Europe/Berlin", ["2026-11-26T02:15", "2026-11-27T02:15"]),
        ("cron(0 8,23 ? * MON-WED,SAT *)", "UTC", ["2026-11-25T23:00", "2026-11-28T08:00"]),
        ("cron(0 0 L * ? *)", "America/New_York", ["2026-11-30T05:00", "2026-12-31T05:00"]),
        ("cron(0 6 LW * ? *)", "UTC", ["2026-11-30T06:00", "2026-12-31T06:00"]),
        ("cron(0 6 5W * ? *)", "UTC", ["2026-12-04T06:00", "2027-01-05T06:00"]),
        ("cron(0 6 ? * 6L *)", "UTC", ["2026-11-27T06:00", "2026-12-25T06:00"]),
        ("cron(0 6 ? * MON#1 *)", "UTC", ["2026-12-07T06:00", "2027-01-04T06:00"]),
        ("cron(0 0 29 FEB ? *)", "UTC", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("cron(0 0 1 1 ? 2026-2027)", "UTC", ["2027-01-01T00:00"]),
        ("cron(0 0 1 1 ? 2020-2026)", "UTC", []),
        ("at(2026-11-25T21:57:01)", "UTC", ["2026-11-25T21:57"]),
        ("at(2026-11-25T21:57:00)", "UTC", []),
        ("at(2026-12-24T18:00:00)", "America/New_York", ["2026-12-24T23:00"]),
        ("at(2027-03-28T02:30:00)", "Europe/Berlin", []),  # on no clock
    ],
)
def test_they_are_the_first_after_now_in_utc(expression: str, time_zone: str, times: list[str]) -> None:
    found = next_times(expression, time_zone, now=NOW, count=2)
    assert [f"{time:%Y-%m-%dT%H:%M}" for time in found] == times
    assert all(time.tzinfo is UTC for time in found)


def test_a_time_that_daylight_saving_leaves_out_is_none() -> None:
    now = datetime(2026, 3, 28, tzinfo=UTC)
    days = [time.day for time in next_times("cron(30 2 * * ? *)", "Europe/Berlin", now=now, count=3)]
    assert days == [28, 30, 31]


def test_a_time_that_daylight_saving_brings_twice_is_one() -> None:
    now = datetime(2026, 10, 24, 12, tzinfo=UTC)
    times = next_times("cron(30 2 * * ? *)", "Europe/Berlin", now=now, count=2)
    assert [f"{time:%d %H:%M}" for time in times] == ["25 00:30", "26 01:30"]


@given(
    st.integers(0, 2 * 366 * 24 * 60).map(
        lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.sampled_from(["cron(*/7 */5 * * ? *)", "cron(0 0 31 * ? *)", "cron(30 2 ? * SUN *)"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_the_next_of_now_is_the_last_of_then(now: datetime, expression: str, zone: str) -> None:
    [then] = next_times(expression, zone, now=now, count=1)
    assert then > now
    assert latest_times(expression, zone, now=then, count=1) == [then]
    [before] = latest_times(expression, zone, now=then - timedelta(microseconds=1), count=1)
    assert before <= now
