"""Exactly once, never two at a time, nothing missed: runs of one job through the real handler, on a real server."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.fault_proxy import Fault, FaultProxy
from local.mysql_server import MySQLServer
from mysql_jobs import ledger
from mysql_jobs.connection import OutcomeUnknownError
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.job_lock import deadline_lock
from mysql_jobs.run import Run, RunEnded
from mysql_jobs.session import SealedError
from tests.mysql_jobs.function import EIGHT, Function, Job, work

Query = Callable[[str], list[tuple[Any, ...]]]
FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture
def proxy(server: MySQLServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    with FaultProxy(server) as proxy:
        monkeypatch.setenv("DATABASE_PORT", str(proxy.port))
        yield proxy


def test_the_ledgers_row_describes_the_run(function: Function, query: Query) -> None:
    before = datetime.now(UTC).replace(tzinfo=None)
    report = function.deliver(execution_id="one")
    after = datetime.now(UTC).replace(tzinfo=None)
    [row] = query("SELECT * FROM ledger")
    start, end = EIGHT - timedelta(hours=1), EIGHT
    assert row[:7] == ("pulse", 1, _naive(EIGHT), "one", _naive(start), _naive(end), "done")
    assert (row[7], json.loads(row[8])) == (None, {"inserted": 1})
    assert before <= row[9] <= after
    assert 0 <= row[10] <= 30_000
    assert (report["outcome"], report["window_start"], report["window_end"]) == (
        "done",
        "2026-11-23T07:00:00+00:00",
        "2026-11-23T08:00:00+00:00",
    )


def test_a_duplicate_delivery_does_nothing_and_is_no_error(
    function: Function, query: Query, caplog: pytest.LogCaptureFixture
) -> None:
    function.deliver()
    for _ in range(3):
        report = function.deliver()
        assert (report["outcome"], report["destroyed"]) == ("duplicate", "polite")
    assert len(_done(query)) == 1
    assert {record.levelno for record in caplog.records if record.message == "run"} == {logging.INFO}


def test_a_retry_after_a_failure_does_the_work(function: Function, query: Query) -> None:
    def fails(run: Run) -> None:
        work(run)
        raise ValueError("no such customer")

    function.do(fails)
    function.fail(ValueError)
    assert query("SELECT * FROM ledger") == []
    function.do(work)
    assert function.deliver()["outcome"] == "done"
    assert len(_done(query)) == 1


@pytest.mark.parametrize("action", ["reset", "close"])
def test_a_retry_after_a_lost_commit_answer_does_nothing(
    action: Any, function: Function, query: Query, proxy: FaultProxy
) -> None:
    proxy.strike(Fault(stage="answer", action=action, statement=b"COMMIT"))
    function.fail(OutcomeUnknownError)
    assert len(_done(query)) == 1
    assert function.deliver()["outcome"] == "duplicate"
    assert len(_done(query)) == 1


def test_a_retry_after_a_commit_that_never_arrived_does_the_work(
    function: Function, query: Query, proxy: FaultProxy
) -> None:
    proxy.strike(Fault(stage="statement", action="reset", statement=b"COMMIT"))
    function.fail(OutcomeUnknownError)
    assert _done(query) == []
    assert function.deliver()["outcome"] == "done"
    assert len(_done(query)) == 1


def test_an_overlapping_run_ends_at_once(
    function: Function, query: Query, server: MySQLServer, variables: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    function.deliver()
    with _locked(server, f"{variables['DATABASE_NAME']}.pulse"):
        report = function.deliver(EIGHT + FIVE_MINUTES)
    assert (report["outcome"], report["destroyed"]) == ("overlapping", "polite")
    assert {record.levelno for record in caplog.records if record.message == "run"} == {logging.INFO}
    assert function.deliver(EIGHT + 2 * FIVE_MINUTES)["window_start"] == EIGHT.isoformat()
    assert function.deliver(EIGHT + FIVE_MINUTES)["outcome"] == "superseded"
    assert len(_done(query)) == 2


@pytest.mark.parametrize("other", ["other.pulse", "{schema}.tally"])
def test_another_job_or_another_schema_keeps_nobody_out(
    other: str, function: Function, server: MySQLServer, variables: dict[str, str]
) -> None:
    with _locked(server, other.format(schema=variables["DATABASE_NAME"])):
        assert function.deliver()["outcome"] == "done"


def test_the_servers_lock_excludes_a_second_run(function: Function, query: Query) -> None:
    """Both through the handler: the second one inside the first one's work."""
    inner: list[str] = []

    def meets_itself(run: Run) -> dict[str, Any]:
        function.do(work)
        function.context.aws_request_id = "another request"
        inner.append(function.deliver(EIGHT + FIVE_MINUTES)["outcome"])
        inner.append(function.deliver(EIGHT)["outcome"])
        return work(run)

    function.do(meets_itself)
    assert (function.deliver()["outcome"], inner) == ("done", ["overlapping", "overlapping"])
    assert len(_done(query)) == 1


def test_a_catch_up_takes_one_longest_window_per_run(function: Function, query: Query) -> None:
    function.deliver(EIGHT)
    for number in range(5):
        function.deliver(EIGHT + timedelta(hours=3) + number * FIVE_MINUTES)
    windows = _done(query)
    hours = [(8, 0), (9, 0), (10, 0), (11, 0), (11, 15), (11, 20)]
    assert [end for _start, end in windows] == [datetime(2026, 11, 23, *time) for time in hours]  # noqa: DTZ001
    _follow_each_other(windows)


def test_late_and_reordered_deliveries_leave_no_gap_and_no_overlap(function: Function, query: Query) -> None:
    outcomes = [function.deliver(EIGHT + number * FIVE_MINUTES)["outcome"] for number in (0, 3, 1, 2, 3, 0, 5, 4)]
    assert outcomes == ["done", "done", "superseded", "superseded", "duplicate", "duplicate", "done", "superseded"]
    _follow_each_other(_done(query))


def test_times_are_utc_whatever_the_servers_time_zone(function: Function, query: Query) -> None:
    query("SET GLOBAL time_zone = '+05:30'")
    try:
        function.deliver(EIGHT + timedelta(microseconds=1))
        function.deliver(EIGHT + timedelta(microseconds=2))
    finally:
        query("SET GLOBAL time_zone = 'SYSTEM'")
    assert _done(query)[1] == (
        _naive(EIGHT + timedelta(microseconds=1)),
        _naive(EIGHT + timedelta(microseconds=2)),
    )
    _follow_each_other(_done(query))


def _batches(count: int, end: Callable[[Run, int], None] = lambda _run, _number: None) -> Job:
    """A job of `count` batches, each of which shows in the table."""

    def job(run: Run) -> dict[str, Any]:
        first = int(run.progress.get("batches", 0))
        for number in range(first + 1, count + 1):
            with run.cursor() as cursor:
                cursor.execute("INSERT INTO work (id) VALUES (%s)", (number,))
            end(run, number)
            run.checkpoint({"batches": number})
        return {"from": first}

    return job


def _out_of_time_after_two(run: Run, number: int) -> None:
    if number == 2:
        run.deadline = Deadline.after(0)


def test_a_job_that_has_time_for_all_its_batches_is_done(function: Function, query: Query) -> None:
    function.do(_batches(4))
    report = function.deliver()
    assert (report["outcome"], report["result"], report["progress"]) == ("done", {"from": 0}, {"batches": 4})
    assert query("SELECT outcome, progress, result FROM ledger") == [("done", '{"batches": 4}', '{"from": 0}')]
    assert query("SELECT id FROM work") == [(1,), (2,), (3,), (4,)]


def test_the_next_run_continues_a_partial_run(function: Function, query: Query) -> None:
    function.do(_batches(4, _out_of_time_after_two))
    report = function.deliver()
    assert (report["outcome"], report["progress"], report["result"]) == ("partial", {"batches": 2}, {})
    assert query("SELECT outcome, progress, result FROM ledger") == [("partial", '{"batches": 2}', None)]
    assert query("SELECT id FROM work") == [(1,), (2,)]
    report = function.deliver(EIGHT + FIVE_MINUTES)
    assert (report["outcome"], report["result"], report["window_end"]) == ("done", {"from": 2}, EIGHT.isoformat())
    assert query("SELECT id FROM work") == [(1,), (2,), (3,), (4,)]
    assert query("SELECT sequence, outcome, scheduled_time FROM ledger") == [(1, "done", _naive(EIGHT))]
    function.do(work)
    assert function.deliver(EIGHT + 2 * FIVE_MINUTES)["window_start"] == EIGHT.isoformat()
    assert function.deliver(EIGHT)["outcome"] == "duplicate"


def test_work_of_many_runs_is_done_by_a_chain_of_them(function: Function, query: Query) -> None:
    """Each is asked for by the answer of the one before, as Lambda's destination does."""
    function.do(_batches(7, lambda run, number: _out_of_time_after_two(run, (number - 1) % 2 + 1)))
    reports = _chain(function, {"job": "pulse", "scheduled_time": EIGHT.isoformat(), "execution_id": "one"})
    assert [each["outcome"] for each in reports] == ["partial", "partial", "partial", "done"]
    assert [each.get("continued") for each in reports] == [None, 1, 2, 3]
    assert query("SELECT id FROM work") == [(number,) for number in range(1, 8)]
    assert query("SELECT sequence, outcome, execution_id FROM ledger") == [(1, "done", "one")]


def test_an_outage_is_caught_up_by_a_chain_of_runs(function: Function, query: Query) -> None:
    function.deliver(EIGHT)
    late = EIGHT + timedelta(hours=5)
    reports = _chain(function, {"scheduled_time": late.isoformat()})
    assert [each["outcome"] for each in reports] == ["done"] * 5
    assert [each["stuck"] for each in reports] == [0] * 5
    _follow_each_other(_done(query))
    assert _done(query)[-1] == (_naive(late - timedelta(hours=1)), _naive(late))
    assert function.deliver(late)["outcome"] == "duplicate"


def test_what_was_missed_is_covered_by_one_run_or_skipped_as_the_job_says(
    function: Function, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    function.deliver(EIGHT)
    monkeypatch.setenv("CATCH_UP", "latest")
    later = EIGHT + timedelta(hours=5)
    assert function.deliver(later)["window_start"] == EIGHT.isoformat()
    monkeypatch.setenv("CATCH_UP", "none")
    monkeypatch.setenv("SCHEDULE", "rate(5 minutes)")
    latest = later + timedelta(hours=5)
    report = function.deliver(latest)
    assert (report["skipped_from"], report["window_start"]) == (
        later.isoformat(),
        (latest - FIVE_MINUTES).isoformat(),
    )
    rows = query("SELECT sequence, outcome, window_start, window_end FROM ledger ORDER BY sequence")
    _follow_each_other([row[2:] for row in rows])
    assert [row[:2] for row in rows] == [(1, "done"), (2, "done"), (3, "skipped"), (4, "done")]
    assert len(_done(query)) == 3


def test_a_job_that_does_not_get_on_is_not_run_again_at_once(function: Function, query: Query) -> None:
    def stands_still(run: Run) -> None:
        run.deadline = Deadline.after(0)
        run.checkpoint({"batches": 0})

    function.do(stands_still)
    first = function.deliver()
    assert (first["outcome"], first["stuck"], first["next"]["continued"]["number"]) == ("partial", 0, 1)
    second = function.by_hand(first["next"], "request-2")
    assert (second["outcome"], second["stuck"], "next" in second) == ("partial", 1, False)
    assert query("SELECT outcome FROM ledger") == [("partial",)]


def test_a_chain_that_was_taken_over_ends(function: Function, query: Query) -> None:
    """Where a function runs once at a time, each scheduled time would else add a chain that never meets another."""
    function.do(_batches(9, lambda run, number: _out_of_time_after_two(run, (number - 1) % 2 + 1)))
    first = function.deliver(execution_id="first")["next"]
    second = function.deliver(EIGHT + FIVE_MINUTES, execution_id="second")["next"]
    assert function.by_hand(first, "request-3")["outcome"] == "superseded"
    assert function.by_hand(second, "request-4")["outcome"] == "partial"
    assert query("SELECT execution_id, progress FROM ledger") == [("second", '{"batches": 6}')]


def test_the_next_scheduled_time_takes_over_what_no_run_follows(function: Function, query: Query) -> None:
    function.do(_batches(4, _out_of_time_after_two))
    lost = function.deliver(execution_id="one")["next"]
    assert function.deliver(EIGHT + FIVE_MINUTES, execution_id="two")["result"] == {"from": 2}
    function.do(work)
    assert function.by_hand(lost, "request-2")["outcome"] == "superseded", "it came after all"
    assert query("SELECT id FROM work") == [(1,), (2,), (3,), (4,)]


@pytest.mark.parametrize("retried", [EIGHT, EIGHT + FIVE_MINUTES])
def test_a_failure_after_a_checkpoint_loses_and_repeats_nothing(
    retried: datetime, function: Function, query: Query
) -> None:
    def fails(_run: Run, number: int) -> None:
        if number == 3:
            raise ValueError("in the third batch")

    function.do(_batches(4, fails))
    function.fail(ValueError)
    assert query("SELECT outcome, progress FROM ledger") == [("partial", '{"batches": 2}')]
    function.do(_batches(4))
    assert function.deliver(retried)["result"] == {"from": 2}
    assert query("SELECT id FROM work") == [(1,), (2,), (3,), (4,)]


def test_except_exception_does_not_stop_a_checkpoint(function: Function, query: Query) -> None:
    caught = []

    def stubborn(run: Run) -> dict[str, Any]:
        run.deadline = Deadline.after(0)
        for number in range(1, 4):
            try:
                with run.cursor() as cursor:
                    cursor.execute("INSERT INTO work (id) VALUES (%s)", (number,))
                run.checkpoint({"batches": number})
            except RunEnded:  # the job's mistake
                caught.append(number)
        return {"batches": 3}

    function.do(stubborn)
    assert function.deliver()["outcome"] == "partial"
    assert caught == [1, 2, 3]
    assert query("SELECT id FROM work") == [(1,)]
    assert query("SELECT outcome, progress FROM ledger") == [("partial", '{"batches": 1}')]


@pytest.mark.parametrize("statement", ["COMMIT", "BEGIN", "CREATE TABLE other (n INT)"])
def test_a_job_that_commits_by_itself_fails_and_is_not_recorded(
    statement: str, function: Function, query: Query
) -> None:
    def commits(run: Run) -> dict[str, Any]:
        work(run)
        run.cursor().execute(statement)
        return work(run)

    function.do(commits)
    function.fail(SealedError)
    assert query("SELECT * FROM ledger") == _done(query) == []


def test_a_dry_run_says_what_it_would_have_done_and_does_nothing(function: Function, query: Query) -> None:
    function.deliver()
    report = function.by_hand({"dry_run": True})
    assert (report["outcome"], report["result"]) == ("dry_run", {"inserted": 1})
    assert report["window_start"] == EIGHT.isoformat()
    assert function.by_hand({"dry_run": True, "scheduled_time": EIGHT.isoformat()})["outcome"] == "duplicate"
    assert len(_done(query)) == 1
    assert len(query("SELECT * FROM ledger")) == 1


def test_a_dry_run_ends_at_its_first_checkpoint(function: Function, query: Query) -> None:
    """It would otherwise hold the locks of all batches until its end."""
    function.do(_batches(4))
    report = function.by_hand({"dry_run": True})
    assert (report["outcome"], report["progress"]) == ("dry_run", {"batches": 1})
    assert query("SELECT * FROM ledger") == query("SELECT * FROM work") == []


def test_a_window_by_hand_is_done_once_per_execution_id(function: Function, query: Query) -> None:
    function.deliver()
    window = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"}
    assert function.by_hand({"window": window})["outcome"] == "done"
    assert function.by_hand({"window": window})["outcome"] == "duplicate"  # Lambda's own retry
    assert function.by_hand({"window": window}, "request-2")["outcome"] == "done"
    assert function.by_hand({"window": window, "execution_id": "mine"}, "request-3")["outcome"] == "done"
    assert function.by_hand({"window": window, "execution_id": "mine"}, "request-4")["outcome"] == "duplicate"
    assert function.by_hand({"window": window, "dry_run": True}, "request-5")["outcome"] == "dry_run"
    november = (datetime(2026, 11, 1), datetime(2026, 11, 2))  # noqa: DTZ001
    assert _done(query)[1:] == [november] * 3
    assert function.deliver(EIGHT + FIVE_MINUTES)["window_start"] == EIGHT.isoformat()


def test_a_window_by_hand_continues_where_its_deadline_stopped_it(function: Function, query: Query) -> None:
    event = {"window": {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"}, "execution_id": "mine"}
    function.do(_batches(4, _out_of_time_after_two))
    assert function.by_hand(event)["outcome"] == "partial"
    assert function.by_hand(event, "request-2")["result"] == {"from": 2}
    assert query("SELECT id FROM work") == [(1,), (2,), (3,), (4,)]
    assert query("SELECT outcome, scheduled_time FROM ledger") == [("done", None)]


def test_the_ledger_is_pruned_but_keeps_the_last_window(
    function: Function, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "KEPT_RUNS", 5)
    monkeypatch.setattr(ledger, "RUNS_PER_PRUNING", 1)
    for number in range(12):
        function.deliver(EIGHT + number * FIVE_MINUTES)
    assert query("SELECT sequence FROM ledger") == [(number,) for number in range(8, 13)]
    for number in range(8):
        event = {"window": {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"}}
        function.by_hand(event, f"request-{number}")
    assert query("SELECT sequence FROM ledger WHERE scheduled_time IS NOT NULL") == [(12,)]
    assert function.deliver(EIGHT)["outcome"] == "superseded"
    _follow_each_other([window for window in _done(query) if window[0] > datetime(2026, 11, 3)])  # noqa: DTZ001
    report = function.deliver(EIGHT + 12 * FIVE_MINUTES)
    assert report["window_start"] == (EIGHT + 11 * FIVE_MINUTES).isoformat()


def test_a_run_without_time_for_its_work_is_not_recorded(function: Function, query: Query) -> None:
    def sleeps(run: Run) -> None:
        work(run)
        run.cursor().execute("DO SLEEP(60)")

    function.do(sleeps)
    function.context.get_remaining_time_in_millis = lambda: 3000
    function.fail(DeadlineExceeded)
    assert query("SELECT * FROM ledger") == _done(query) == []


def _chain(function: Function, event: dict[str, Any]) -> list[dict[str, Any]]:
    """The reports of a run and of all that follow it."""
    reports: list[dict[str, Any]] = []
    while event:
        reports.append(function.by_hand(event, f"request-{len(reports)}"))
        event = reports[-1].get("next", {})
    return reports


def _done(query: Query) -> list[tuple[datetime, datetime]]:
    return [(start, end) for start, end in query("SELECT start, end FROM work ORDER BY id")]


def _follow_each_other(windows: list[tuple[datetime, datetime]]) -> None:
    assert all(start < end for start, end in windows)
    assert [end for _start, end in windows[:-1]] == [start for start, _end in windows[1:]]


def _naive(time: datetime) -> datetime:
    return time.replace(tzinfo=None)


@contextmanager
def _locked(server: MySQLServer, name: str) -> Iterator[None]:
    """A run that has another minute holds the lock."""
    until = deadline_lock(name, time.time() + 60)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0) FROM DUAL WHERE GET_LOCK(%s, 0)", (name, until))
        assert cursor.fetchone() == (1,)
        yield
        cursor.execute("DO RELEASE_ALL_LOCKS()")
