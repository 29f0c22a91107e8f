"""The order of a run, and what of it happens however it ends: destroyed, put back, looked for leaks, written."""

import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from mysql_jobs import handler
from mysql_jobs.claim import Claim
from mysql_jobs.handler import lambda_handler
from mysql_jobs.request import EventError, Window
from tests.mysql_jobs.function import EIGHT

EVENT = {"job": "pulse", "scheduled_time": "2026-11-23T08:00:00Z", "execution_id": "one"}
CLAIM = Claim(window=Window(start=EIGHT.replace(hour=7), end=EIGHT), progress={}, sequence=None)
CONTEXT: Any = SimpleNamespace(
    function_name="jobs-pulse", aws_request_id="request-1", get_remaining_time_in_millis=lambda: 60_000
)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """All that a run is made of, as it is called."""
    parts = mock.Mock()
    parts.read_own_schema.return_value = "own"
    parts.JobLock.return_value.orphan = "an orphan"
    parts.Ledger.return_value.claim.return_value = CLAIM
    parts.Report.return_value.timing.return_value = mock.MagicMock()
    parts.Report.return_value.timing.return_value.__exit__.return_value = None
    parts.writable.side_effect = lambda error, _secrets: error
    parts.job = mock.Mock(spec=["run"])
    for name in ("Report", "ProcessState", "Inventory", "writable", "read_parameters", "read_terms", "JobLock"):
        monkeypatch.setattr(handler, name, getattr(parts, name))
    for name in (
        "following",
        "read_max_hours",
        "read_timetable",
        "read_database",
        "read_own_schema",
        "read_login",
        "Authentication",
        "connect",
        "Ledger",
        "Run",
        "carry_out",
    ):
        monkeypatch.setattr(handler, name, getattr(parts, name))
    monkeypatch.setenv("JOB", "pulse")
    monkeypatch.setenv("METRICS", "jobs/basic")
    monkeypatch.setitem(sys.modules, "jobs.pulse", parts.job)
    return parts


def _said(parts: Any) -> list[str]:
    """What the report was told, by the names of its methods."""
    calls = [each[0] for each in parts.Report.return_value.method_calls]
    return [each for each in calls if not each.startswith("timing().")]


AFTER = ["restored", "leaked", "write"]


def test_a_run_claims_works_and_is_gone(parts: Any) -> None:
    assert lambda_handler(EVENT, CONTEXT) is parts.Report.return_value.write.return_value
    report, connection = parts.Report.return_value, parts.connect.return_value
    assert parts.Report.call_args == mock.call(job="pulse", request_id="request-1", metrics="jobs/basic")
    assert _said(parts) == [
        *("requested", "timing", "connected", "timing", "met", "began", "ended", "destroyed", "followed"),
        *AFTER,
    ]
    assert [each.args for each in report.timing.call_args_list] == [("connect",), ("work",)]
    [request] = report.requested.call_args.args
    assert (request.scheduled_time, request.execution_id) == (EIGHT, "one")
    database = parts.read_database.return_value
    assert parts.Authentication.call_args == mock.call(login=parts.read_login.return_value, database=database)
    asked = parts.connect.call_args.kwargs
    deadline = asked["deadline"]
    assert 50 < deadline.remaining() <= 58
    assert asked == {
        "database": database,
        "authentication": parts.Authentication.return_value,
        "deadline": deadline,
        "program_name": "jobs-pulse request-1",
    }
    assert parts.JobLock.call_args.kwargs == {
        "connection": connection,
        "schema": "own",
        "request": request,
        "request_id": "request-1",
        "deadline": deadline,
    }
    lock, ledger = parts.JobLock.return_value, parts.Ledger.return_value
    assert parts.Ledger.call_args.kwargs == {
        "connection": connection,
        "schema": "own",
        "request": request,
        "lock": lock,
    }
    assert ledger.claim.call_args == mock.call(parts.read_terms.return_value)
    assert parts.Run.call_args.kwargs == {
        "request": request,
        "claim": CLAIM,
        "ledger": ledger,
        "parameters": parts.read_parameters.return_value,
        "deadline": deadline,
        "connection": connection,
        "outside": None,
    }
    assert parts.read_parameters.call_args.args[0] is parts.job
    assert parts.carry_out.call_args == mock.call(parts.job, parts.Run.return_value)
    assert report.ended.call_args == mock.call(parts.carry_out.return_value)
    followed = parts.following.call_args
    assert followed.args == (request, CLAIM, parts.carry_out.return_value)
    assert followed.kwargs.pop("began") <= followed.kwargs.pop("now")
    assert followed.kwargs == {
        "timetable": parts.read_timetable.return_value,
        "most": parts.read_max_hours.return_value,
    }
    assert report.followed.call_args == mock.call(parts.following.return_value)
    assert report.began.call_args == mock.call(CLAIM)
    assert report.connected.call_args == mock.call(connection)
    assert report.met.call_args == mock.call("an orphan")
    assert report.destroyed.call_args == mock.call(connection.destroy.return_value)
    assert report.restored.call_args == mock.call(parts.ProcessState.return_value.restore.return_value)
    assert report.leaked.call_args == mock.call(parts.Inventory.take.return_value.leaked_since.return_value)


def test_a_refused_run_does_no_work_and_is_gone(parts: Any) -> None:
    parts.Ledger.return_value.claim.return_value = "duplicate"
    lambda_handler(EVENT, CONTEXT)
    assert _said(parts) == [*("requested", "timing", "connected", "timing", "met", "refused", "destroyed"), *AFTER]
    assert parts.Report.return_value.refused.call_args == mock.call("duplicate")
    assert not parts.carry_out.called


@pytest.mark.parametrize("fails", ["carry_out", "claim"])
def test_a_run_that_fails_is_destroyed_put_back_and_raised(fails: str, parts: Any) -> None:
    error = KeyboardInterrupt()
    (parts.carry_out if fails == "carry_out" else parts.Ledger.return_value.claim).side_effect = error
    with pytest.raises(KeyboardInterrupt):
        lambda_handler(EVENT, CONTEXT)
    assert _said(parts)[-5:] == ["destroyed", "failed", *AFTER]
    assert "met" in _said(parts)
    assert parts.Report.return_value.failed.call_args == mock.call(error)


@pytest.mark.parametrize("how", ["USES", "uses"])
@pytest.mark.parametrize("fails", [False, True])
def test_what_a_job_has_reached_is_destroyed_before_its_connection(
    how: str, fails: bool, parts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mysql_jobs.outside.outside.Outside", parts.Outside)
    parts.job = mock.Mock(spec=["run", how])
    monkeypatch.setitem(sys.modules, "jobs.pulse", parts.job)
    parts.carry_out.side_effect = ValueError("failed") if fails else None
    with pytest.raises(ValueError, match="failed") if fails else nullcontext():
        lambda_handler(EVENT, CONTEXT)
    deadline = parts.connect.call_args.kwargs["deadline"]
    assert parts.Outside.of.call_args == mock.call(parts.job, parts.read_parameters.return_value, deadline)
    assert parts.Run.call_args.kwargs["outside"] is parts.Outside.of.return_value
    calls = [each[0] for each in parts.mock_calls]
    assert calls.index("Outside.of().destroy") < calls.index("connect().destroy")
    reached = parts.Report.return_value.reached
    assert reached.call_args == mock.call(parts.Outside.of.return_value.destroy.return_value)


def test_an_error_that_lambda_could_not_write_is_raised_as_one_that_it_can(parts: Any) -> None:
    told = ValueError("told")
    parts.carry_out.side_effect = ValueError("\udc80")
    parts.writable.side_effect = lambda _error, _secrets: told
    with pytest.raises(ValueError, match="told") as caught:
        lambda_handler(EVENT, CONTEXT)
    assert caught.value is told
    assert caught.value.__suppress_context__


def test_a_bad_event_connects_to_nothing_and_has_its_line(parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EventError):
        lambda_handler({**EVENT, "job": "tally"}, CONTEXT)
    assert _said(parts) == ["failed", *AFTER]
    assert not parts.connect.called
    monkeypatch.delenv("JOB")
    with pytest.raises(Exception, match="JOB is missing"):
        lambda_handler(EVENT, CONTEXT)
    assert parts.Report.call_args == mock.call(job="", request_id="request-1", metrics="jobs/basic")


@pytest.mark.parametrize("fails", ["restore", "leaked_since"])
def test_the_line_is_written_even_if_looking_for_leaks_fails(fails: str, parts: Any) -> None:
    parts.ProcessState.return_value.restore.side_effect = ValueError("restore") if fails == "restore" else None
    leaked = parts.Inventory.take.return_value.leaked_since
    leaked.side_effect = ValueError("leaked_since") if fails == "leaked_since" else None
    with pytest.raises(ValueError, match=fails):
        lambda_handler(EVENT, CONTEXT)
    assert _said(parts)[-1] == "write"


@pytest.mark.parametrize("imported", [False, True])
def test_what_a_module_sets_while_it_is_imported_is_kept(
    imported: bool, parts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds for each of its runs; but it is imported in the first one only."""
    if not imported:
        monkeypatch.delitem(sys.modules, "jobs.pulse")
    names: list[str] = []

    def load(name: str) -> Any:
        assert not parts.ProcessState.return_value.note.called
        assert parts.Authentication.called, "what it imports would not be noted, nor put back"
        names.append(name)
        return parts.job

    monkeypatch.setattr("mysql_jobs.handler.importlib.import_module", load)
    lambda_handler(EVENT, CONTEXT)
    assert names == ["jobs.pulse"]
    assert parts.ProcessState.return_value.note.called is not imported


def test_what_follows_is_decided_after_the_lock_is_free(parts: Any) -> None:
    """A scheduled time that comes meanwhile finds the lock taken, and nobody else will see to it."""
    moments: list[Any] = []
    parts.connect.return_value.destroy.side_effect = lambda: moments.append(datetime.now(UTC))
    lambda_handler(EVENT, CONTEXT)
    assert parts.following.call_args.kwargs["now"] >= moments[0]


def test_a_job_runs_the_module_that_it_names(parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB", "second")
    monkeypatch.setenv("MODULE", "pulse")
    lambda_handler({**EVENT, "job": "second"}, CONTEXT)
    assert parts.carry_out.call_args.args[0] is parts.job
    assert parts.Report.call_args.kwargs["job"] == "second"


def test_the_handlers_time_is_now_and_in_utc(parts: Any) -> None:
    lambda_handler({"dry_run": True}, CONTEXT)
    [request] = parts.Report.return_value.requested.call_args.args
    assert request.scheduled_time.utcoffset().total_seconds() == 0
    assert request.execution_id == "request-1"
