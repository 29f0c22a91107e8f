"""The connections that a job's user may have are enough for its runs, whatever becomes of them: none is refused."""

import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest

from mysql_jobs import ledger, migrate
from mysql_jobs.deadline import DeadlineExceeded
from mysql_jobs.handler import lambda_handler
from mysql_jobs.run import Run
from settings.job_users import JobUser, most_connections, rights_text
from tests.mysql_jobs.job_login import job_login

Query = Callable[[str], list[tuple[Any, ...]]]
TIMES = 8


@pytest.fixture
def migrated(
    variables: dict[str, str], context: Any, query: Query, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], None]:
    """Makes this process the function of the job pulse, whose user may have so many connections."""

    def migrated(connections: int) -> None:
        login = job_login(variables)
        rights = {"pulse": frozenset({"INSERT", "SELECT"})}
        monkeypatch.setenv("RIGHTS", rights_text([JobUser("pulse", login["DATABASE_USER"], connections, rights)]))
        migrate.lambda_handler({}, context)
        for name, value in {**login, "JOB": "pulse", "MAX_WINDOW_MINUTES": "60"}.items():
            monkeypatch.setenv(name, value)

    return migrated


def _lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.name == "mysql_jobs" and record.message == "run"]


def _run(number: int, seconds: float, request: str = "") -> Any:
    end = time.monotonic() + seconds + 2  # the deadline's margin
    context = SimpleNamespace(
        function_name="pulse",
        aws_request_id=request or f"request {number}",
        get_remaining_time_in_millis=lambda: int((end - time.monotonic()) * 1000),
    )
    event = {"job": "pulse", "scheduled_time": f"2026-11-23T08:{number:02}:00Z", "execution_id": f"run {number}"}
    return lambda_handler(event, context)


def _overrun(run: Run) -> None:
    with run.cursor() as cursor:
        cursor.execute("SELECT SLEEP(60)")


def _nothing(run: Run) -> None:
    return None


def test_a_run_that_is_killed_and_the_next_one_have_a_connection(
    migrated: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    migrated(most_connections(1))
    for number in range(TIMES):
        job = _overrun if number % 2 == 0 else _nothing
        monkeypatch.setitem(sys.modules, "jobs.pulse", SimpleNamespace(__name__="jobs.x", run=job))
        if job is _overrun:
            with pytest.raises(DeadlineExceeded):
                _run(number, seconds=0.4)
        else:
            assert _run(number, seconds=5)["outcome"] == "done"
    assert [line.get("killed") for line in _lines(caplog)] == ["killed", None] * (TIMES // 2)
    assert {line["attempts"] for line in _lines(caplog)} == {1}


def test_with_one_connection_less_for_the_kill_it_would_fail(
    migrated: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    migrated(1)
    monkeypatch.setitem(sys.modules, "jobs.pulse", SimpleNamespace(__name__="jobs.x", run=_overrun))
    with pytest.raises(DeadlineExceeded):
        _run(0, seconds=0.4)
    [line] = _lines(caplog)
    assert "max_user_connections" in line["killed"]


def test_as_many_runs_at_once_as_there_may_be_and_their_kills_have_a_connection(
    migrated: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    migrated(most_connections(4))
    monkeypatch.setitem(sys.modules, "jobs.pulse", SimpleNamespace(__name__="jobs.x", run=_nothing))

    def runs(slot: int) -> None:
        for each in range(TIMES):
            _run(slot * TIMES + each, seconds=5)

    threads = [threading.Thread(target=runs, args=(slot,)) for slot in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(_lines(caplog)) == 4 * TIMES
    assert {line["attempts"] for line in _lines(caplog)} == {1}


@pytest.mark.parametrize("right", ["SELECT", "INSERT", "UPDATE", "DELETE"])
def test_each_right_on_the_ledger_is_one_that_runs_need(
    right: str,
    migrated: Callable[[int], None],
    query: Query,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledger, "KEPT_RUNS", 1)
    monkeypatch.setattr(ledger, "RUNS_PER_PRUNING", 2)
    monkeypatch.setitem(sys.modules, "jobs.pulse", SimpleNamespace(__name__="jobs.x", run=_two_steps))
    migrated(most_connections(1))
    query(f"REVOKE {right} ON ledger FROM {job_login(variables)['DATABASE_USER']}")
    with pytest.raises(pymysql.err.OperationalError, match=f"{right} command denied"):
        _five_runs()


def _five_runs() -> None:
    for number in range(5):
        _run(number, seconds=5)


def _two_steps(run: Run) -> None:
    run.checkpoint({"step": 1})
