"""What the watcher says of each job, for every interval from a minute to a year, and what it writes."""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from local.mysql_server import MySQLServer
from mysql_jobs import migrate, watch
from mysql_jobs.configuration import WatchedJob
from mysql_jobs.timetable import Timetable
from mysql_jobs.watch import Known, state
from tests.mysql_jobs.function import EIGHT, Function

Query = Callable[[str], list[tuple[Any, ...]]]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ALLOWANCE = 10 * MINUTE
INTERVALS = {
    "rate(1 minute)": MINUTE,
    "rate(15 minutes)": 15 * MINUTE,
    "cron(0 * * * ? *)": HOUR,
    "cron(0 8 * * ? *)": DAY,
    "cron(0 8 ? * MON *)": 7 * DAY,
    "rate(30 days)": 30 * DAY,
    "cron(0 8 23 11 ? *)": 365 * DAY,
}
"""At eight o'clock on Monday, 23 November 2026, each of them has a time."""


def _job(expression: str, interval: timedelta, max_window: timedelta | None = None) -> WatchedJob:
    return WatchedJob(
        job="pulse",
        timetable=Timetable(expression, "UTC"),
        allowance=ALLOWANCE,
        silence=interval + ALLOWANCE,
        max_window=max_window or 2 * interval,
    )


def _known(level: datetime | None, recorded: datetime | None, since: datetime = LONG_AGO) -> Known:
    return Known(since=since, level=level, recorded=recorded)


each_interval = pytest.mark.parametrize(("expression", "interval"), INTERVALS.items())


@each_interval
def test_a_job_that_ran_when_it_was_due_is_not_late_until_its_next_time(expression: str, interval: timedelta) -> None:
    job, known = _job(expression, interval), _known(EIGHT, EIGHT + MINUTE)
    for now in (EIGHT + 2 * MINUTE, EIGHT + interval + ALLOWANCE - timedelta(seconds=1)):
        assert state(job, known, now) == {"lag_seconds": round((now - EIGHT).total_seconds())}


@each_interval
def test_a_run_that_is_not_recorded_when_it_should_be_was_missed(expression: str, interval: timedelta) -> None:
    job, known = _job(expression, interval), _known(EIGHT, EIGHT + timedelta(seconds=1))
    late = EIGHT + interval + ALLOWANCE + timedelta(seconds=2)
    assert state(job, known, late) == {"lag_seconds": round((late - EIGHT).total_seconds()), "missed": 1}


@each_interval
def test_the_run_that_comes_late_ends_it(expression: str, interval: timedelta) -> None:
    job, now = _job(expression, interval), EIGHT + interval + 2 * ALLOWANCE
    assert "missed" not in state(job, _known(EIGHT + interval, now - MINUTE), now)


@each_interval
def test_a_job_that_never_ran_is_late_from_when_it_was_seen_first(expression: str, interval: timedelta) -> None:
    job, since = _job(expression, interval), EIGHT - MINUTE
    soon, late = EIGHT + 5 * MINUTE, EIGHT + interval + ALLOWANCE + MINUTE
    assert "missed" not in state(job, _known(None, None, since), soon)
    told = state(job, _known(None, None, since), late)
    assert told == {"lag_seconds": round((late - since).total_seconds()), "missed": 1}


def test_a_run_whose_clock_is_behind_that_of_the_schedule_was_not_missed() -> None:
    """It is recorded before its own time, and the next one may be a year away."""
    job, known = _job("cron(0 8 23 11 ? *)", 365 * DAY), _known(EIGHT, EIGHT - timedelta(seconds=1))
    assert "missed" not in state(job, known, EIGHT + DAY)


def test_a_schedule_is_not_to_blame_for_what_was_before_it() -> None:
    """Moved, or switched on again after weeks: its times before that were nobody's."""
    job = _job("cron(0 8 * * ? *)", DAY)
    assert "missed" not in state(job, _known(EIGHT - 30 * DAY, EIGHT - 30 * DAY, since=EIGHT + HOUR), EIGHT + 2 * HOUR)


def test_exactly_at_its_bounds_a_job_is_not_late() -> None:
    job = _job("cron(0 8 * * ? *)", DAY, max_window=2 * DAY)
    now = EIGHT + ALLOWANCE
    assert "missed" not in state(job, _known(None, None, since=EIGHT), now), "seen first when it was due"
    assert "missed" in state(job, _known(None, None, since=EIGHT - timedelta(seconds=1)), now)
    assert "catching_up" not in state(job, _known(EIGHT - 2 * DAY, EIGHT), now)
    assert "catching_up" in state(job, _known(EIGHT - 2 * DAY - timedelta(seconds=1), EIGHT), now)
    assert state(job, _known(EIGHT + DAY, EIGHT), now)["lag_seconds"] == 0, "a clock that is behind"


def test_a_job_with_uneven_intervals_is_missed_by_its_times_and_not_by_the_longest_of_them() -> None:
    """Due on working days: nobody waits for Tuesday's run until Friday."""
    job = _job("cron(0 8 ? * MON-FRI *)", 3 * DAY)
    monday = _known(EIGHT, EIGHT + MINUTE)
    assert "missed" not in state(job, monday, EIGHT + DAY + ALLOWANCE - MINUTE)
    assert state(job, monday, EIGHT + DAY + ALLOWANCE + MINUTE)["missed"] == 1
    friday = _known(EIGHT - 3 * DAY, EIGHT - 3 * DAY + MINUTE)
    assert "missed" not in state(job, friday, EIGHT - MINUTE)


def test_times_are_those_of_the_jobs_zone() -> None:
    job = _job("cron(0 9 * * ? *)", DAY)._replace(timetable=Timetable("cron(0 9 * * ? *)", "Europe/Berlin"))
    known = _known(EIGHT - DAY, EIGHT - DAY + MINUTE)
    assert "missed" not in state(job, known, EIGHT + ALLOWANCE - MINUTE)
    assert state(job, known, EIGHT + ALLOWANCE + MINUTE)["missed"] == 1


def test_a_job_that_is_at_work_on_what_it_missed_is_catching_up() -> None:
    job, now = _job("rate(15 minutes)", 15 * MINUTE, max_window=DAY), EIGHT + HOUR
    told = state(job, _known(EIGHT - 3 * DAY, now - MINUTE), now)
    assert told == {"lag_seconds": 3 * 86400 + 3600, "catching_up": 1}
    assert state(job, _known(EIGHT - 3 * DAY, EIGHT - 3 * DAY), now) == {**told, "missed": 1}
    assert "catching_up" not in state(job, _known(EIGHT - 20 * HOUR, now - MINUTE), now), "one run covers it"
    whole = job._replace(max_window=None)
    assert "catching_up" not in state(whole, _known(EIGHT - 3 * DAY, now - MINUTE), now)


def test_a_job_that_runs_once_is_due_once_and_has_no_lag() -> None:
    job = _job("at(2026-11-23T08:00:00)", DAY)
    assert state(job, _known(None, None), EIGHT) == {}
    assert state(job, _known(None, None), EIGHT + ALLOWANCE + MINUTE) == {"missed": 1}
    assert state(job, _known(EIGHT, EIGHT + MINUTE), EIGHT + 1000 * DAY) == {}


def _watched(**jobs: str) -> str:
    told = {"time_zone": "UTC", "allowance_seconds": 600, "silence_seconds": 900, "max_window_seconds": 86400}
    return json.dumps({job: {"schedule": schedule, **told} for job, schedule in jobs.items()})


@pytest.fixture
def look(function: Function, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """The watcher, told of these jobs."""

    def look(watched: str) -> dict[str, Any]:
        monkeypatch.setenv("WATCHED", watched)
        return watch.lambda_handler({}, function.context)

    return look


def test_the_ledger_says_how_the_jobs_are(
    function: Function, look: Callable[[str], dict[str, Any]], query: Query, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("METRICS", "mysql-jobs/basic")
    function.deliver(EIGHT)
    look(_watched(pulse="rate(5 minutes)"))
    query("UPDATE watched SET since = '2020-01-01'")
    query("UPDATE ledger SET started_at = window_end, duration_ms = 1500")
    caplog.clear()
    assert look(_watched(pulse="rate(5 minutes)")) == {"missed": ["pulse"], "catching_up": ["pulse"]}
    [pulse, whole] = (vars(each) for each in caplog.records)
    lag = (datetime.now(UTC) - EIGHT).total_seconds()
    assert (pulse["name"], pulse["message"], whole["message"]) == ("mysql_jobs", "watched", "watch")
    assert (pulse["job"], pulse["missed"], pulse["catching_up"]) == ("pulse", 1, 1)
    assert lag - 60 < pulse["lag_seconds"] <= lag + 1
    [directive] = pulse["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("mysql-jobs/basic", [["job"]])
    assert directive["Metrics"] == [
        {"Name": "lag_seconds", "Unit": "Seconds"},
        {"Name": "missed", "Unit": "Count"},
        {"Name": "catching_up", "Unit": "Count"},
    ]
    assert (whole["job"], whole["watched"], whole["leaked"]) == ("watch", 1, [])
    [directive] = whole["_aws"]["CloudWatchMetrics"]
    assert (directive["Dimensions"], directive["Metrics"]) == ([["job"]], [{"Name": "watched", "Unit": "Count"}])


def test_the_last_window_counts_and_the_end_of_its_run(
    function: Function, server: MySQLServer, variables: dict[str, str], query: Query
) -> None:
    function.deliver(EIGHT)
    function.deliver(EIGHT + 5 * MINUTE)
    query("UPDATE ledger SET started_at = '2026-01-01 00:00', duration_ms = 3600000 WHERE sequence = 2")
    with server.connect() as connection, connection.cursor() as cursor:
        [known] = watch._known(cursor, [_job("rate(5 minutes)", 5 * MINUTE)], variables["DATABASE_NAME"]).values()
    assert known.level == EIGHT + 5 * MINUTE
    assert known.recorded == datetime(2026, 1, 1, 1, tzinfo=UTC)


def test_only_the_end_of_a_done_window_counts(
    function: Function, look: Callable[[str], dict[str, Any]], query: Query, caplog: pytest.LogCaptureFixture
) -> None:
    """A partial one is done up to nowhere that anybody could name; and one by hand says nothing of the schedule."""
    function.deliver(EIGHT)
    query("UPDATE ledger SET outcome = 'partial'")
    function.by_hand({"window": {"start": "2026-11-23T08:00:00Z", "end": "2026-11-23T09:00:00Z"}}, "request-2")
    look(_watched(pulse="rate(5 minutes)"))
    [pulse, _whole] = (vars(each) for each in caplog.records if each.message.startswith("watch"))
    assert pulse["lag_seconds"] >= (datetime.now(UTC) - EIGHT + HOUR).total_seconds() - 60


def test_schedules_are_noted_when_they_are_seen_first_and_forgotten_with_their_jobs(
    look: Callable[[str], dict[str, Any]], query: Query
) -> None:
    look(_watched(pulse="rate(5 minutes)", tally="rate(1 hour)"))
    query("UPDATE watched SET since = '2026-11-01'")
    look(_watched(pulse="rate(5 minutes)", tally="rate(2 hours)"))
    rows = query("SELECT job, schedule, since < '2026-11-02' FROM watched ORDER BY job")
    assert rows == [("pulse", "rate(5 minutes) UTC", 1), ("tally", "rate(2 hours) UTC", 0)]
    look(_watched(tally="rate(2 hours)"))
    assert query("SELECT job FROM watched") == [("tally",)]


def test_the_watcher_needs_no_more_rights_than_its_user_has(
    variables: dict[str, str], look: Callable[[str], dict[str, Any]], query: Query, monkeypatch: pytest.MonkeyPatch,
    context: Any,
) -> None:  # fmt: skip
    own = {"ledger": "SELECT", "watched": "DELETE, INSERT, SELECT, UPDATE"}
    rights: Mapping[str, Any] = json.loads(variables["RIGHTS"])
    [(job, told)] = rights.items()
    monkeypatch.setenv("RIGHTS", json.dumps({job: {**told, "tables": {}, "own": own}}))
    migrate.lambda_handler({}, context)
    monkeypatch.setenv("DATABASE_USER", told["user"])
    monkeypatch.setenv("DATABASE_SECRET", variables["JOBS_SECRETS"] + job)
    assert look(_watched(pulse="rate(5 minutes)")) == {"missed": [], "catching_up": []}
    assert look(_watched(tally="rate(5 minutes)")) == {"missed": [], "catching_up": []}


def test_a_watcher_that_cannot_ask_says_nothing_of_any_job(
    look: Callable[[str], dict[str, Any]], query: Query, caplog: pytest.LogCaptureFixture
) -> None:
    """What it would say of jobs would be wrong. Its own silence makes an alarm."""
    query("DROP TABLE watched")
    with pytest.raises(Exception, match="doesn't exist"):
        look(_watched(pulse="rate(5 minutes)"))
    assert not [each for each in caplog.records if each.levelno == logging.INFO and each.message.startswith("watch")]


def test_a_connection_is_destroyed_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = mock.MagicMock()
    connection.cursor.side_effect = ValueError("no cursor")
    monkeypatch.setattr(watch, "connect", lambda **_: connection)
    for reader in ("read_watched", "read_database", "read_own_schema", "read_login"):
        monkeypatch.setattr(watch, reader, mock.Mock())
    context = mock.Mock(get_remaining_time_in_millis=lambda: 60_000)
    with pytest.raises(ValueError, match="no cursor"):
        watch.lambda_handler({}, context)
    assert connection.destroy.called
