"""The job rollup."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import rollup
from mysql_jobs import Window
from testkit.database import Database
from testkit.job import Job

EIGHT = datetime(2026, 11, 23, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_whole_hours_are_summarized_by_kind(job: Job, database: Database) -> None:
    _record(database, EIGHT - 30 * MINUTE, EIGHT - timedelta(microseconds=1), EIGHT - HOUR)
    _record(database, EIGHT - 30 * MINUTE, kind="Paid", amount="-99999999999999.9999")
    _record(database, EIGHT)  # the next hour's
    assert job("rollup", at=EIGHT)["result"] == {"hours": 25, "events": 4}
    seven = datetime(2026, 11, 23, 7)  # noqa: DTZ001 (MySQL's DATETIME has no zone)
    assert database.rows("SELECT * FROM event_hourly ORDER BY kind") == [
        (seven, "Paid", 1, Decimal("-99999999999999.9999")),
        (seven, "paid", 3, Decimal("3.75")),
    ]


@pytest.mark.parametrize(
    ("start", "end", "late_minutes", "first", "last"),
    [
        ("07:00:00", "08:00:00", 0, 7, 8),
        ("07:00:00.000001", "07:59:59.999999", 0, 7, 8),
        ("07:15:00", "08:00:00.000001", 0, 7, 9),
        ("07:15:00", "07:30:00", 15, 7, 8),
        ("07:15:00", "07:30:00", 16, 6, 8),
        ("07:00:00", "07:15:00", 180, 4, 8),
    ],
)
def test_the_hours_to_compute(start: str, end: str, late_minutes: int, first: int, last: int) -> None:
    window = Window(start=_at(start), end=_at(end))
    assert rollup.hours_to_compute(window, late_minutes * MINUTE) == (_at(f"{first:02}:00"), _at(f"{last:02}:00"))


def test_the_hour_that_has_begun_is_kept_up_to_date(job: Job, database: Database) -> None:
    for quarter in range(1, 5):
        time = EIGHT + quarter * 15 * MINUTE
        _record(database, time - MINUTE)
        job("rollup", at=time, parameters={"late_minutes": 0})
        assert database.rows("SELECT events FROM event_hourly") == [(quarter,)]


def test_an_event_that_was_taken_back_counts_no_more(job: Job, database: Database) -> None:
    _record(database, EIGHT - 30 * MINUTE)
    job("rollup", at=EIGHT)
    database.rows("DELETE FROM event")
    job("rollup", at=EIGHT + 15 * MINUTE)
    assert database.rows("SELECT * FROM event_hourly") == []


def test_a_dry_run_says_what_it_would_do(job: Job, database: Database) -> None:
    _record(database, EIGHT - 30 * MINUTE)
    assert job("rollup", at=EIGHT, dry_run=True)["result"] == {"hours": 25, "events": 1}
    assert database.rows("SELECT * FROM event_hourly") == []


def test_a_late_event_counts_within_its_time_and_by_hand_after_that(job: Job, database: Database) -> None:
    job("rollup", at=EIGHT)
    _record(database, EIGHT - HOUR)
    job("rollup", at=EIGHT + 15 * MINUTE, parameters={"late_minutes": 60})
    assert database.rows("SELECT events FROM event_hourly") == [(1,)]
    _record(database, EIGHT - HOUR)
    job("rollup", at=EIGHT + 30 * MINUTE, parameters={"late_minutes": 14})  # from 8:15 - 14 min: its hour is over
    assert database.rows("SELECT events FROM event_hourly") == [(1,)]
    by_hand = job("rollup", window=(EIGHT - HOUR, EIGHT), parameters={"late_minutes": 0})
    assert by_hand["result"] == {"hours": 1, "events": 2}
    assert _summary(database) == _expected(database)


def test_an_event_that_commits_after_a_run_has_read_is_counted_by_the_next(job: Job, database: Database) -> None:
    with closing(database.connect()) as writer, writer.cursor() as cursor:
        writer.begin()
        cursor.execute("INSERT INTO event (occurred_at, kind) VALUES ('2026-11-23 07:30:00', 'paid')")
        assert job("rollup", at=EIGHT)["result"]["events"] == 0
        writer.commit()
    assert job("rollup", at=EIGHT + 15 * MINUTE)["result"]["events"] == 1


def test_an_outage_is_caught_up_with(job: Job, database: Database) -> None:
    job("rollup", at=EIGHT - timedelta(days=3))
    _record(database, *(EIGHT - minutes * MINUTE for minutes in range(1, 3 * 24 * 60, 97)))
    for quarter in range(3):  # windows of a day at most
        job("rollup", at=EIGHT + quarter * 15 * MINUTE)
    assert _summary(database) == _expected(database)


def test_writers_are_not_blocked(job: Job, database: Database) -> None:
    _record(database, EIGHT - 30 * MINUTE, EIGHT - 20 * MINUTE)

    def write() -> None:
        with closing(database.connect()) as writer, writer.cursor() as cursor:
            assert cursor.execute("UPDATE event SET amount = 7 WHERE id = 1") == 1
            assert cursor.execute("DELETE FROM event WHERE id = 2") == 1
        _record(database, EIGHT - 25 * MINUTE, EIGHT + MINUTE)

    assert job("rollup", at=EIGHT, meanwhile=write)["result"]["events"] == 2


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("events"), st.lists(st.integers(0, 60), min_size=1, max_size=5)),
        st.tuples(st.just("run"), st.integers(1, 200)),
        st.tuples(st.just("again"), st.just(0)),
        st.tuples(st.just("late"), st.integers(1, 200)),
    ),
    max_size=12,
)


def test_each_event_counts_once_whatever_the_runs(job: Job, database: Database) -> None:
    """Time goes on with each run; events come up to an hour after they occurred; runs are repeated, missed or late."""
    numbers = count()

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=STEPS)
    def holds(steps: list[tuple[str, Any]]) -> None:
        for table in ("event", "event_hourly", "ledger"):
            database.rows(f"TRUNCATE {table}")
        now = EIGHT - timedelta(days=5)
        job("rollup", at=now)
        for step, value in [*steps, ("run", 15)]:
            if step == "events":
                _record(database, *(now - minutes * MINUTE for minutes in value), kind=f"kind {next(numbers) % 3}")
            elif step == "again":
                job.again()
            elif step == "late":
                job("rollup", at=now - value * MINUTE)
            else:
                now += value * MINUTE
                job("rollup", at=now)
        while job("rollup", at=(now := now + MINUTE))["window_end"] != now.isoformat():
            pass  # catching up, a day at a time
        assert _summary(database) == _expected(database)

    holds()


@pytest.mark.parametrize("late_minutes", [-1, 10081])
def test_wrong_parameters_fail_at_synth(job: Job, late_minutes: int) -> None:
    with pytest.raises(ValueError, match=f"late_minutes is {late_minutes}: write 0 to 10080"):
        job("rollup", at=EIGHT, parameters={"late_minutes": late_minutes})


def _record(database: Database, *times: datetime, kind: str = "paid", amount: str = "1.25") -> None:
    database.insert("event", ({"occurred_at": time, "kind": kind, "amount": amount} for time in times))


def _summary(database: Database) -> list[tuple[Any, ...]]:
    return database.rows("SELECT * FROM event_hourly ORDER BY hour, kind")


def _expected(database: Database) -> list[tuple[Any, ...]]:
    """The straightforward way, over all events."""
    hour = "STR_TO_DATE(DATE_FORMAT(occurred_at, '%Y-%m-%d %H'), '%Y-%m-%d %H')"
    return database.rows(
        f"SELECT {hour} AS hour, kind, COUNT(*), SUM(amount) FROM event GROUP BY hour, kind ORDER BY hour, kind"
    )


def _at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23T{time}").replace(tzinfo=UTC)
