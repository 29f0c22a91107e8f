"""What a run asks of the job's module, and what it hands on to the connection and the ledger."""

import contextlib
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

import pytest
from pymysql.cursors import Cursor, DictCursor

from mysql_jobs.claim import Claim
from mysql_jobs.request import Request, Window
from mysql_jobs.run import LONGEST_JSON, JobError, Outcome, Run, RunEnded, carry_out


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


START = datetime(2026, 11, 23, tzinfo=UTC)
WINDOW = Window(start=START, end=START + timedelta(hours=1))


class Made:
    """A run, of which everything that it hands on to is recorded."""

    def __init__(self, *, dry_run: bool = False, left: float = 60.0, progress: dict[str, Any] | None = None) -> None:
        self.calls = mock.Mock()
        self.calls.deadline.remaining.return_value = left
        self.claim = Claim(window=WINDOW, progress=progress or {}, sequence=None)
        self.parameters = object()
        self.run = Run(
            request=Request(job="pulse", scheduled_time=START, execution_id="one", window=None, dry_run=dry_run),
            claim=self.claim,
            ledger=self.calls.ledger,
            parameters=self.parameters,
            deadline=self.calls.deadline,
            connection=self.calls.connection,
        )

    def handed_on(self) -> list[Any]:
        """What the connection and the ledger were told."""
        return list(self.calls.mock_calls)

    def commits(self) -> list[Any]:
        """How often, and with what, the ledger was told to commit."""
        return list(self.calls.ledger.commit.call_args_list)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moments of the run's beginning and of each of its checkpoints."""
    moments: list[float] = []
    monkeypatch.setattr("mysql_jobs.run.time", SimpleNamespace(monotonic=lambda: moments.pop(0)))
    return moments


def test_a_job_sees_what_it_is_to_do() -> None:
    made = Made(dry_run=True, progress={"after": 7})
    run = made.run
    assert (run.scheduled_time, run.window, run.progress, run.dry_run) == (START, WINDOW, {"after": 7}, True)
    assert (run.parameters, run.deadline) == (made.parameters, made.calls.deadline)
    assert run.cursor(DictCursor) is made.calls.connection.cursor.return_value
    assert run.cursor() is made.calls.connection.cursor.return_value
    assert made.handed_on() == [mock.call.connection.cursor(DictCursor), mock.call.connection.cursor(Cursor)]


def test_the_work_and_the_row_are_one_commit() -> None:
    made = Made(progress={"after": 7})
    outcome = carry_out(_job(lambda _run: {"rows": 2}), made.run)
    assert outcome == Outcome(word="done", result={"rows": 2}, progress={"after": 7})
    assert made.handed_on() == [mock.call.ledger.commit(made.claim, "done", progress={"after": 7}, result={"rows": 2})]


def test_a_checkpoint_commits_its_progress_and_goes_on() -> None:
    made = Made()

    def job(run: Run) -> None:
        run.checkpoint({"after": 8})
        assert run.progress == {"after": 8}

    assert carry_out(_job(job), made.run) == Outcome(word="done", result={}, progress={"after": 8})
    assert made.handed_on() == [
        mock.call.ledger.commit(made.claim, "partial", progress={"after": 8}, go_on=True),
        mock.call.deadline.remaining(),
        mock.call.ledger.commit(made.claim, "done", progress={"after": 8}, result={}),
    ]


@pytest.mark.parametrize(
    ("moments", "left", "batches"),
    [
        ([100, 103], 6.0, 2),
        ([100, 103], 5.9, 1),
        ([100, 100.1], 1.0, 2),
        ([100, 103, 104], 6.0, 3),
        ([100, 103, 107], 6.0, 2),
        ([100, 101, 104], 5.9, 2),
    ],
)
def test_a_run_goes_on_while_twice_its_longest_batch_fits(
    moments: list[float], left: float, batches: int, clock: list[float]
) -> None:
    clock.extend(moments)
    made = Made(left=left)
    begun = []

    def job(run: Run) -> dict[str, Any]:
        for number in range(1, 4):
            begun.append(number)
            if not clock:
                break
            run.checkpoint({"batch": number})
        return {"all": True}

    outcome = carry_out(_job(job), made.run)
    assert begun[-1] == batches
    ended = batches == len(moments) - 1
    assert outcome.word == ("partial" if ended else "done")
    assert outcome.result == ({} if ended else {"all": True})
    assert [each.args[1] for each in made.commits()] == ["partial"] * (len(moments) - 1) + ["done"] * (not ended)


def test_a_run_that_has_ended_does_nothing_more() -> None:
    made = Made(left=0.0)

    def stubborn(run: Run) -> dict[str, Any]:
        for number in 1, 2:
            with contextlib.suppress(RunEnded):
                time.sleep(0.001)
                run.checkpoint({"batch": number})
        return {"all": True}

    assert carry_out(_job(stubborn), made.run) == Outcome(word="partial", result={}, progress={"batch": 1})
    assert len(made.commits()) == 1


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_dry_run_is_rolled_back_and_ends_at_its_first_checkpoint(checkpoint: bool) -> None:
    made = Made(dry_run=True)

    def job(run: Run) -> dict[str, Any]:
        if checkpoint:
            run.checkpoint({"batch": 1})
        return {"rows": 2}

    outcome = carry_out(_job(job), made.run)
    result, progress = ({}, {"batch": 1}) if checkpoint else ({"rows": 2}, {})
    assert outcome == Outcome(word="dry_run", result=result, progress=progress)
    assert made.handed_on() == [mock.call.connection.rollback()]


def test_a_failing_job_commits_nothing() -> None:
    made = Made()
    with pytest.raises(ZeroDivisionError):
        carry_out(_job(lambda _run: 1 / 0), made.run)
    assert made.handed_on() == []


@pytest.mark.parametrize("progress", [{"at": START}, {"at": (1, 2)}, {1: 2}, {"at": Decimal(1)}, {"at": {1}}])
def test_a_progress_that_would_not_come_back_as_it_is_is_refused(progress: Any) -> None:
    made = Made()
    with pytest.raises(JobError, match=r"run\.checkpoint gave"):
        carry_out(_job(lambda run: run.checkpoint(progress)), made.run)
    assert made.commits() == []


def test_the_longest_result_is_taken() -> None:
    longest = {"x": "x" * (LONGEST_JSON - len('{"x": ""}'))}
    assert carry_out(_job(lambda _run: longest), Made().run).result == longest
    assert LONGEST_JSON == 16_384
