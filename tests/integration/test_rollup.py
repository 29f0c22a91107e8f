"""The job rollup through the real handler, on a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pymysql
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymysql.cursors import Cursor

import migrate
from handler import lambda_handler
from local.mysql_server import MySQLServer
from run import Run

Query = Callable[[str], list[tuple[Any, ...]]]
EIGHT = datetime(2026, 11, 23, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SUMMARY = (
    "SELECT STR_TO_DATE(DATE_FORMAT(occurred_at, '%Y-%m-%d %H'), '%Y-%m-%d %H') AS hour, kind, COUNT(*), SUM(amount)"
    " FROM event GROUP BY hour, kind ORDER BY hour, kind"
)
"""The straightforward way, over all events."""


class Rollup:
    """The function of the job rollup, in this process, and the events that it summarizes."""

    def __init__(self, server: MySQLServer, schema: str, context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.context = context
        self._server = server
        self._schema = schema
        self._monkeypatch = monkeypatch

    def run(self, time: datetime = EIGHT, *, late_minutes: int = 60) -> dict[str, Any]:
        """The run that is scheduled for `time`."""
        return self.deliver({"scheduled_time": time.isoformat()}, late_minutes=late_minutes)

    def deliver(self, event: dict[str, Any], *, late_minutes: int = 60) -> dict[str, Any]:
        """The run that `event` asks for."""
        self._monkeypatch.setenv("PARAMETERS", json.dumps({"late_minutes": late_minutes}))
        return lambda_handler(event, self.context)

    def record(self, *times: datetime, kind: str = "paid", amount: str = "1.25") -> None:
        """Record an event for each of `times`, over a connection that waits 1 s for a lock."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            rows = [(time, kind, amount) for time in times]
            cursor.executemany("INSERT INTO event (occurred_at, kind, amount) VALUES (%s, %s, %s)", rows)

    def connect(self) -> pymysql.Connection[Any]:
        """A connection of a writer of events."""
        connection = self._server.connect()
        connection.select_db(self._schema)
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")
        return connection


@pytest.fixture
def rollup(server: MySQLServer, variables: dict[str, str], context: Any, monkeypatch: pytest.MonkeyPatch) -> Rollup:
    monkeypatch.setenv("RIGHTS", '{"event": "SELECT", "event_hourly": "DELETE, INSERT, SELECT"}')
    migrate.lambda_handler({}, context)
    for name in ("USER", "AUTH", "SECRET"):
        monkeypatch.setenv(f"DATABASE_{name}", variables[f"JOBS_{name}"])
    monkeypatch.setenv("JOB", "rollup")
    monkeypatch.setenv("MAX_WINDOW_MINUTES", "120")
    return Rollup(server, variables["DATABASE_NAME"], context, monkeypatch)


def test_whole_hours_are_summarized_by_kind(rollup: Rollup, query: Query) -> None:
    rollup.record(EIGHT - 30 * MINUTE, EIGHT - timedelta(microseconds=1), EIGHT - timedelta(hours=1))
    rollup.record(EIGHT - 30 * MINUTE, kind="Paid", amount="-99999999999999.9999")
    rollup.record(EIGHT)  # the next hour's
    report = rollup.run()
    assert (report["outcome"], report["result"]) == ("done", {"hours": 3, "events": 4})
    seven = datetime(2026, 11, 23, 7)  # noqa: DTZ001 (MySQL's DATETIME has no zone)
    assert query("SELECT * FROM event_hourly ORDER BY kind") == [
        (seven, "Paid", 1, Decimal("-99999999999999.9999")),
        (seven, "paid", 3, Decimal("3.75")),
    ]


def test_hours_without_events_have_no_rows(rollup: Rollup, query: Query) -> None:
    assert rollup.run()["result"] == {"hours": 3, "events": 0}
    assert query("SELECT * FROM event_hourly") == []


def test_the_hour_that_has_begun_is_kept_up_to_date(rollup: Rollup, query: Query) -> None:
    for quarter in range(1, 5):
        time = EIGHT + quarter * 15 * MINUTE
        rollup.record(time - MINUTE)
        assert rollup.run(time, late_minutes=0)["outcome"] == "done"
        assert query("SELECT events FROM event_hourly") == [(quarter,)]


def test_an_event_that_was_taken_back_counts_no_more(rollup: Rollup, query: Query) -> None:
    rollup.record(EIGHT - 30 * MINUTE)
    rollup.run()
    query("DELETE FROM event")
    rollup.run(EIGHT + 15 * MINUTE)
    assert query("SELECT * FROM event_hourly") == []


def test_a_duplicate_changes_nothing(rollup: Rollup, query: Query) -> None:
    rollup.record(EIGHT - 30 * MINUTE)
    rollup.run()
    assert rollup.run()["outcome"] == "duplicate"
    assert _summary(query) == query(SUMMARY)


def test_a_dry_run_changes_nothing_and_says_what_it_would_do(rollup: Rollup, query: Query) -> None:
    rollup.record(EIGHT - 30 * MINUTE)
    report = rollup.deliver({"scheduled_time": EIGHT.isoformat(), "dry_run": True})
    assert (report["outcome"], report["result"]) == ("dry_run", {"hours": 3, "events": 1})
    assert query("SELECT * FROM event_hourly") == []


def test_a_late_event_is_counted_within_the_time_for_it_and_by_hand_after_that(rollup: Rollup, query: Query) -> None:
    rollup.run(EIGHT)
    rollup.record(EIGHT - 60 * MINUTE)
    rollup.run(EIGHT + 15 * MINUTE, late_minutes=60)
    assert query("SELECT events FROM event_hourly") == [(1,)]
    rollup.record(EIGHT - 60 * MINUTE)
    rollup.run(EIGHT + 30 * MINUTE, late_minutes=14)  # from 8:15 - 14 min: its hour is over
    assert query("SELECT events FROM event_hourly") == [(1,)]
    by_hand = {"window": {"start": "2026-11-23T07:00:00Z", "end": "2026-11-23T08:00:00Z"}, "execution_id": "repair"}
    assert rollup.deliver(by_hand, late_minutes=0)["result"] == {"hours": 1, "events": 2}
    assert _summary(query) == query(SUMMARY)
    assert rollup.deliver(by_hand, late_minutes=0)["outcome"] == "duplicate"


def test_an_event_that_commits_after_a_run_has_read_is_counted_by_the_next(rollup: Rollup, query: Query) -> None:
    with closing(rollup.connect()) as writer, writer.cursor() as cursor:
        writer.begin()
        cursor.execute("INSERT INTO event (occurred_at, kind) VALUES ('2026-11-23 07:30:00', 'paid')")
        assert rollup.run()["result"]["events"] == 0
        writer.commit()
    assert rollup.run(EIGHT + 15 * MINUTE)["result"]["events"] == 1
    assert _summary(query) == query(SUMMARY)


def test_an_outage_is_caught_up_with(rollup: Rollup, query: Query) -> None:
    rollup.run(EIGHT - timedelta(hours=20))
    rollup.record(*(EIGHT - minutes * MINUTE for minutes in range(1, 20 * 60, 7)))
    for quarter in range(12):  # windows of two hours at most, as MAX_WINDOW_MINUTES says
        rollup.run(EIGHT + quarter * 15 * MINUTE)
    assert _summary(query) == query(SUMMARY)


def test_writers_are_not_blocked_by_a_rollup_at_work(
    rollup: Rollup, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollup.record(EIGHT - 30 * MINUTE, EIGHT - 20 * MINUTE, EIGHT - 10 * MINUTE)
    written: list[int] = []

    def write() -> None:
        with closing(rollup.connect()) as connection, connection.cursor() as cursor:
            written.append(cursor.execute("UPDATE event SET amount = 7 WHERE id = 1"))
            written.append(cursor.execute("DELETE FROM event WHERE id = 2"))
        rollup.record(EIGHT - 25 * MINUTE, EIGHT - MINUTE, EIGHT + MINUTE)

    class Watched(Cursor):
        def execute(self, query: Any, args: Any = None) -> int:
            result = super().execute(query, args)
            if query.startswith(b"INSERT" if isinstance(query, bytearray) else "INSERT"):
                write()
            return result

    monkeypatch.setattr(Run, "cursor", lambda run: run._connection.cursor(Watched))
    assert rollup.run()["result"]["events"] == 3
    assert written == [1, 1]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("events"), st.lists(st.integers(0, 60), min_size=1, max_size=5)),
        st.tuples(st.just("run"), st.integers(1, 200)),
        st.tuples(st.just("again"), st.just(0)),
        st.tuples(st.just("late"), st.integers(1, 200)),
    ),
    max_size=12,
)


def test_each_event_counts_once_whatever_the_runs(rollup: Rollup, query: Query) -> None:
    """Time goes on with each run; events come up to an hour after they occurred; runs are repeated, missed or late."""
    numbers = count()

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=STEPS)
    def holds(steps: list[tuple[str, Any]]) -> None:
        for table in ("event", "event_hourly", "ledger"):
            query(f"TRUNCATE {table}")
        now = last = EIGHT - timedelta(days=5)
        rollup.run(now)
        for step, value in [*steps, ("run", 15)]:
            if step == "events":
                rollup.record(*(now - minutes * MINUTE for minutes in value), kind=f"kind {next(numbers) % 3}")
            elif step == "again":
                rollup.run(last)
            elif step == "late":
                rollup.run(now - value * MINUTE)
            else:
                now = last = now + value * MINUTE
                rollup.run(now)
        while rollup.run(now := now + MINUTE)["window_end"] != now.isoformat():
            pass  # catching up, at most two hours at a time
        assert _summary(query) == query(SUMMARY)

    holds()


def _summary(query: Query) -> list[tuple[Any, ...]]:
    return query("SELECT * FROM event_hourly ORDER BY hour, kind")
