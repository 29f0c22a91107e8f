"""What a run asks of its event and of the job's module."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from run import EventError, JobError, Request, Run, carry_out

EVENT = {"job": "heartbeat", "scheduled_time": "2026-11-23T08:00:00Z", "execution_id": "one"}


def test_the_scheduled_time_is_in_utc() -> None:
    request = Request.read({**EVENT, "scheduled_time": "2026-11-23T09:00:00+01:00"})
    assert request.scheduled_time == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert request.scheduled_time.utcoffset() == timedelta(0)
    assert request.scheduled_time.tzinfo != timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (None, "the event is NoneType: write an object with job, scheduled_time and execution_id"),
        ([EVENT], "the event is list"),
        ({}, "the event's job is None"),
        ({**EVENT, "job": 7}, "the event's job is 7: write a text"),
        ({**EVENT, "scheduled_time": ""}, "the event's scheduled_time is ''"),
        ({**EVENT, "scheduled_time": "noon"}, "is 'noon': write a time like 2026-11-23T08:00:00Z"),
        ({**EVENT, "scheduled_time": "<aws.scheduler.scheduled-time>"}, "write a time like"),
        ({**EVENT, "scheduled_time": "2026-11-23T08:00:00"}, "add the offset, for example a Z for UTC"),
        ({**EVENT, "execution_id": None}, "the event's execution_id is None"),
    ],
)
def test_a_malformed_event_is_refused_by_the_key(event: object, message: str) -> None:
    with pytest.raises(EventError) as caught:
        Request.read(event)
    assert message in str(caught.value)


def test_a_job_may_return_nothing_or_what_json_can_say() -> None:
    run = cast(Run, None)
    assert carry_out(_job(lambda _run: None), run) == {}
    assert carry_out(_job(lambda _run: {"sum": Decimal("1.5"), "rows": 2}), run) == {"sum": "1.5", "rows": 2}


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (SimpleNamespace(__name__="jobs.empty"), "jobs.empty has no function run"),
        (SimpleNamespace(__name__="jobs.odd", run=lambda _run: 5), "jobs.odd.run returned int: return a dict or None"),
    ],
)
def test_a_job_that_breaks_the_contract_is_named(job: Any, message: str) -> None:
    with pytest.raises(JobError, match=message):
        carry_out(job, cast(Run, None))


def _job(run: Any) -> Any:
    return SimpleNamespace(__name__="jobs.example", run=run)
