"""What a run asks of the job's module."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mysql_jobs.run import LONGEST_JSON, JobError, Run, carry_out


class _NoDatabase:
    """Stands in for everything that a run only hands on to."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_arguments, **_named: None


def _run() -> Run:
    request = SimpleNamespace(scheduled_time=None, dry_run=False)
    claim = SimpleNamespace(window=None, progress={})
    database: Any = _NoDatabase()
    return Run(
        request=cast(Any, request),
        claim=cast(Any, claim),
        ledger=database,
        parameters=None,
        deadline=database,
        connection=database,
    )


def _job(run: Any) -> Any:
    return SimpleNamespace(__name__="jobs.example", run=run)


def test_a_job_may_return_nothing_or_what_json_can_say() -> None:
    assert carry_out(_job(lambda _run: None), _run()).result == {}
    assert carry_out(_job(lambda _run: {"sum": Decimal("1.5"), "rows": 2}), _run()).result == {"sum": "1.5", "rows": 2}


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (SimpleNamespace(__name__="jobs.empty"), "jobs.empty has no function run"),
        (_job(lambda _run: 5), r"jobs\.example\.run gave int: give a dict"),
        (_job(lambda run: run.checkpoint(5)), r"run\.checkpoint gave int: give a dict"),
        (_job(lambda _run: {"x": "x" * LONGEST_JSON}), "gave 16393 characters of JSON: give at most 16384"),
    ],
)
def test_a_job_that_breaks_the_contract_is_named(job: Any, message: str) -> None:
    with pytest.raises(JobError, match=message):
        carry_out(job, _run())


def test_a_result_that_is_no_json_fails_before_the_commit() -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        carry_out(_job(lambda _run: {"mean": float("nan")}), _run())
