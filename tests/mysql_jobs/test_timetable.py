"""The times of a job's schedule, as its function knows them."""

import sys
from datetime import UTC, datetime, timedelta

import pytest

from mysql_jobs.timetable import Timetable

EIGHT = datetime(2026, 11, 23, 8, tzinfo=UTC)  # a Monday
MINUTE = timedelta(minutes=1)
NINE_IN_BERLIN = Timetable("cron(0 9 ? * MON-FRI *)", "Europe/Berlin")


def test_before_a_time_of_a_rate_is_an_interval_earlier() -> None:
    assert Timetable("rate(5 minutes)", "UTC").before(EIGHT) == EIGHT - 5 * MINUTE


def test_before_a_time_of_a_cron_is_the_one_before_in_its_time_zone() -> None:
    assert NINE_IN_BERLIN.before(EIGHT) == EIGHT - timedelta(days=3)


def test_before_the_only_time_there_is_none() -> None:
    assert Timetable("at(2026-11-23T08:00:00)", "UTC").before(EIGHT) is None


@pytest.mark.parametrize(("minutes", "latest"), [(0, 0), (4.9, 0), (5, 5), (14, 10), (1440, 1440)])
def test_the_latest_time_of_a_rate_counts_from_its_own(minutes: float, latest: int) -> None:
    """Not from midnight: a rate's times begin when its schedule is made."""
    since = EIGHT + timedelta(seconds=77)
    found = Timetable("rate(5 minutes)", "UTC").latest(since + minutes * MINUTE, since=since)
    assert found == since + latest * MINUTE


@pytest.mark.parametrize(("hours", "latest"), [(0, 0), (23.9, 0), (24, 24), (143, 96), (168, 168)])
def test_the_latest_time_of_a_cron_is_its_last_one_until_now(hours: float, latest: int) -> None:
    assert NINE_IN_BERLIN.latest(EIGHT + hours * 60 * MINUTE, since=EIGHT) == EIGHT + latest * 60 * MINUTE


def test_the_latest_time_is_never_before_the_one_that_is_known() -> None:
    """A clock that goes behind, or a time that was asked for by hand."""
    by_hand = EIGHT + timedelta(hours=1)
    assert NINE_IN_BERLIN.latest(by_hand + timedelta(hours=2), since=by_hand) == by_hand
    assert NINE_IN_BERLIN.latest(EIGHT - timedelta(days=30), since=EIGHT) == EIGHT


def test_where_nobody_says_the_schedule_no_other_time_is_known() -> None:
    unknown = Timetable("", "UTC")
    assert unknown.before(EIGHT) is None
    assert unknown.latest(EIGHT + timedelta(days=1), since=EIGHT) == EIGHT


def test_a_run_that_is_in_time_does_not_read_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cold start need not wait for the import: there is no other time within a minute."""
    monkeypatch.setitem(sys.modules, "settings.schedule", None)
    timetable = Timetable("rate(1 minute)", "UTC")
    assert timetable.latest(EIGHT + timedelta(seconds=59), since=EIGHT) == EIGHT
    with pytest.raises(ImportError):
        timetable.latest(EIGHT + MINUTE, since=EIGHT)
