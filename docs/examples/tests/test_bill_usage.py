"""Each hour of a customer's is billed once: what is asked again after a failure has the same key."""

from __future__ import annotations

import pytest

from testkit.aws import Aws
from testkit.database import Database
from testkit.job import Job
from testkit.web_api import WebApi

USAGE = [
    {"hour": "2026-11-23 07:00:00", "customer": "ada", "units": 7},
    {"hour": "2026-11-23 08:00:00", "customer": "ada", "units": 8},
    {"hour": "2026-11-23 08:00:00", "customer": "grace", "units": 80},
    {"hour": "2026-11-23 09:00:00", "customer": "ada", "units": 9},
]
WINDOW = ("2026-11-23T08:10Z", "2026-11-23T09:10Z")
KEY = "the-key-of-the-billing-api"


@pytest.fixture(autouse=True)
def _usage(database: Database, aws: Aws, web_api: WebApi) -> None:
    database.insert("usage_hourly", USAGE)
    aws.secret("billing-api", KEY)
    web_api.answers = [(201, {"number": "b-1"}), (201, {"number": "b-2"}), (201, {"number": "b-3"})]


def _keys(web_api: WebApi) -> list[str]:
    return [each.headers["idempotency-key"] for each in web_api.asked]


def test_the_hours_that_end_in_the_window_are_billed(job: Job, database: Database, aws: Aws, web_api: WebApi) -> None:
    report = job("bill_usage", window=WINDOW, parameters={"host": web_api.host}, aws=aws)
    assert (report["result"], report["leaked"]) == ({"billed": 2}, [])
    assert _keys(web_api) == ["usage/ada/2026-11-23T08", "usage/grace/2026-11-23T08"]
    assert web_api.asked[1].json() == {"customer": "grace", "hour": "2026-11-23T08:00:00+00:00", "units": 80}
    assert web_api.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert database.rows("SELECT customer, units, number FROM bill ORDER BY customer") == [
        ("ada", 8, "b-1"),
        ("grace", 80, "b-2"),
    ]
    assert KEY not in str(report)


def test_what_a_run_that_was_killed_has_committed_is_not_asked_for_again(
    job: Job, database: Database, aws: Aws, web_api: WebApi
) -> None:
    job("bill_usage", window=WINDOW, parameters={"host": web_api.host}, aws=aws, killed="before_commit")
    assert job.again()["outcome"] == "done"
    assert _keys(web_api) == ["usage/ada/2026-11-23T08", "usage/grace/2026-11-23T08"]
    assert database.rows("SELECT COUNT(*) FROM bill") == [(2,)]


def test_what_a_run_that_failed_has_asked_for_is_asked_again_with_the_same_key(
    job: Job, database: Database, aws: Aws, web_api: WebApi
) -> None:
    web_api.answers = [(201, {"number": "b-1"}), (500, {}), (201, {"number": "b-1"}), (201, {"number": "b-2"})]
    with pytest.raises(RuntimeError, match="the billing API answered 500 for grace, 2026-11-23T08"):
        job("bill_usage", window=WINDOW, parameters={"host": web_api.host}, aws=aws)
    assert database.rows("SELECT COUNT(*) FROM bill") == [(0,)]
    job.again()
    assert _keys(web_api) == [f"usage/{each}/2026-11-23T08" for each in ("ada", "grace", "ada", "grace")]


def test_an_answer_that_is_lost_is_not_asked_for_again_in_the_same_run(job: Job, aws: Aws, web_api: WebApi) -> None:
    web_api.answers = ["closes"]
    with pytest.raises(Exception, match=r"Connection aborted|Max retries"):
        job("bill_usage", window=WINDOW, parameters={"host": web_api.host}, aws=aws)
    assert len(web_api.asked) == 1


def test_an_api_that_is_silent_is_given_up_within_the_deadline(
    job: Job, database: Database, aws: Aws, web_api: WebApi
) -> None:
    web_api.answers = [(201, {"number": "b-1"}), "hangs"]
    with pytest.raises(Exception, match=web_api.host.partition(":")[0]):
        job("bill_usage", window=WINDOW, parameters={"host": web_api.host}, aws=aws, deadline=4)
    assert (job.report["outcome"], job.report["leaked"]) == ("failed", [])
    assert job.report["duration_ms"] < 4_000
    assert database.rows("SELECT COUNT(*) FROM bill") == [(0,)]


def test_a_dry_run_calls_nobody(job: Job, web_api: WebApi) -> None:
    report = job("bill_usage", window=WINDOW, parameters={"host": web_api.host}, dry_run=True)
    assert report["outcome"] == "dry_run"
    assert web_api.asked == []
