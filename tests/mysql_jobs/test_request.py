"""What an event may ask for, and what it is told when it asks for something else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mysql_jobs.request import EventError, Request, Window

NOW = datetime(2026, 11, 23, 8, 0, 30, tzinfo=UTC)
EVENT = {"job": "pulse", "scheduled_time": "2026-11-23T08:00:00Z", "execution_id": "one"}


def _read(event: object) -> Request:
    return Request.read(event, job="pulse", request_id="request-1", now=NOW)


def test_a_schedule_asks_for_the_jobs_next_window() -> None:
    assert _read(EVENT) == Request(
        job="pulse",
        scheduled_time=datetime(2026, 11, 23, 8, tzinfo=UTC),
        execution_id="one",
        window=None,
        dry_run=False,
    )


def test_every_time_is_in_utc() -> None:
    request = _read({"scheduled_time": "2026-11-23T09:00:00.000001+01:00"})
    assert request.scheduled_time == datetime(2026, 11, 23, 8, 0, 0, 1, tzinfo=UTC)
    assert request.scheduled_time.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"scheduled_time": "2026-11-23T07:00:00Z"}, (datetime(2026, 11, 23, 7, tzinfo=UTC), None, False)),
        ({"dry_run": True}, (NOW, None, True)),
        (
            {"dry_run": True, "scheduled_time": "2026-11-23T07:00:00Z"},
            (datetime(2026, 11, 23, 7, tzinfo=UTC), None, True),
        ),
        (
            {"window": {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"}},
            (NOW, Window(start=datetime(2026, 11, 1, tzinfo=UTC), end=datetime(2026, 11, 2, tzinfo=UTC)), False),
        ),
        (
            {"window": {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"}, "dry_run": True},
            (NOW, Window(start=datetime(2026, 11, 1, tzinfo=UTC), end=datetime(2026, 11, 2, tzinfo=UTC)), True),
        ),
    ],
)
def test_by_hand_a_scheduled_time_a_window_or_a_dry_run_is_enough(event: object, expected: Any) -> None:
    request = _read(event)
    assert (request.scheduled_time, request.window, request.dry_run) == expected
    # Lambda keeps the id over its own retries, so these are the same run.
    assert request.execution_id == "request-1"


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (None, 'the event is NoneType: write an object like {"dry_run": true}'),
        ([EVENT], "the event is list"),
        ({}, 'the event\'s scheduled_time is missing: write it, or a window, or "dry_run": true'),
        ({"dry_run": False}, "the event's scheduled_time is missing"),
        ({"job": "pulse"}, "the event's scheduled_time is missing"),
        ({**EVENT, "job": "tally"}, "the event's job is 'tally', but this function runs 'pulse'"),
        ({**EVENT, "job": 7}, "the event's job is 7, but this function runs 'pulse'"),
        ({**EVENT, "dryrun": True}, "the event's key dryrun is unknown: write one of job, scheduled_time,"),
        ({**EVENT, "dry_run": "yes"}, "the event's dry_run is 'yes': write true or false"),
        ({**EVENT, "scheduled_time": ""}, "the event's scheduled_time is ''"),
        ({**EVENT, "scheduled_time": None}, "the event's scheduled_time is None: write a text"),
        ({**EVENT, "scheduled_time": "noon"}, "is 'noon': write a time like 2026-11-23T08:00:00Z"),
        ({**EVENT, "scheduled_time": "<aws.scheduler.scheduled-time>"}, "write a time like"),
        ({**EVENT, "scheduled_time": "2026-11-23T08:00:00"}, "add the offset, for example a Z for UTC"),
        ({**EVENT, "scheduled_time": "2026-11-23T08:02:00Z"}, "write a time from 1970 to now, 2026-11-23T08:00:30Z"),
        ({**EVENT, "scheduled_time": "1969-11-23T08:00:00Z"}, "write a time from 1970 to now"),
        ({**EVENT, "execution_id": None}, "the event's execution_id is None"),
        ({**EVENT, "execution_id": ""}, "the event's execution_id is ''"),
        ({**EVENT, "execution_id": "x" * 256}, "write a text of at most 255 characters"),
        ({**EVENT, "window": {}}, "has a window and a scheduled_time: write one of them"),
        ({"window": "yesterday"}, "the event's window is 'yesterday': write an object with start and end"),
        ({"window": ["start", "end"]}, "the event's window is ['start', 'end']: write an object with start and end"),
        ({"window": {"start": "2026-11-01T00:00:00Z"}}, "write an object with start and end"),
        ({"window": {"start": "2026-11-01T00:00:00Z", "end": "soon"}}, "the event's end is 'soon'"),
        ({"window": {"start": "2026-11-02T00:00:00Z", "end": "2026-11-01T00:00:00Z"}}, "write an end after its start"),
        ({"window": {"start": "2026-11-02T00:00:00Z", "end": "2026-11-02T01:00:00+01:00"}}, "write an end after"),
        ({"window": {"start": "2026-11-02T00:00:00Z", "end": "2026-12-01T00:00:00Z"}}, "from 1970 to now"),
    ],
)
def test_a_malformed_event_is_refused_by_the_key(event: object, message: str) -> None:
    with pytest.raises(EventError) as caught:
        _read(event)
    assert message in str(caught.value)


@pytest.mark.parametrize("seconds", [1, 60])
def test_a_clock_that_is_up_to_a_minute_late_refuses_no_schedule(seconds: int) -> None:
    time = NOW + timedelta(seconds=seconds)
    assert _read({**EVENT, "scheduled_time": time.isoformat()}).scheduled_time == time


def test_the_first_moment_of_1970_is_a_time() -> None:
    start = "1970-01-01T00:00:00Z"
    assert _read({**EVENT, "scheduled_time": start}).scheduled_time == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("length", [1, 255])
def test_an_execution_may_have_a_name_of_up_to_255_characters(length: int) -> None:
    assert _read({**EVENT, "execution_id": "x" * length}).execution_id == "x" * length
