"""One run against a real server: what it leaves there, what it leaves here, and what its log line says."""

import json
import logging
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest

from local.emulator import Emulator
from local.mysql_server import MySQLServer
from mysql_jobs import migrate
from mysql_jobs.configuration import ConfigurationError
from mysql_jobs.deadline import DeadlineExceeded
from mysql_jobs.handler import lambda_handler
from mysql_jobs.request import EventError
from mysql_jobs.run import Run
from tests.mysql_jobs.job_login import job_login

Query = Callable[[str], list[tuple[Any, ...]]]
EVENT = {"job": "pulse", "scheduled_time": "2026-11-23T08:00:00Z", "execution_id": "one"}
SCHEDULED_TIME = datetime(2026, 11, 23, 8)  # noqa: DTZ001 (MySQL's DATETIME has no zone)


@pytest.fixture(autouse=True)
def _migrated(variables: dict[str, str], context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is migrated, and this process is the job's function."""
    migrate.lambda_handler({}, context)
    for name, value in job_login(variables).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("JOB", "pulse")
    monkeypatch.setenv("MAX_WINDOW_MINUTES", "60")


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Run], Any]], None]:
    """Puts a function in the place of the job's `run`."""
    return lambda run: monkeypatch.setitem(sys.modules, "jobs.pulse", SimpleNamespace(__name__="jobs.x", run=run))


def test_a_run_works_commits_and_sends_quit(context: Any, query: Query, caplog: pytest.LogCaptureFixture) -> None:
    aborted = _aborted_clients(query)
    report = lambda_handler(EVENT, context)
    assert query("SELECT scheduled_time, connections, max_connections FROM pulse") == [
        (SCHEDULED_TIME, report["result"]["connections"], report["result"]["max_connections"])
    ]
    assert (report["outcome"], report["destroyed"], report["request_id"]) == ("done", "polite", "request-1")
    assert {"connect_ms", "work_ms", "destroy_ms", "duration_ms"} <= set(report)
    [line] = [record for record in caplog.records if record.name == "mysql_jobs" and record.message == "run"]
    assert report.items() <= vars(line).items()
    assert json.loads(json.dumps(report)) == report
    assert _aborted_clients(query) == aborted


def test_nothing_of_a_run_is_left(variables: dict[str, str], server: MySQLServer, context: Any) -> None:
    threads = threading.enumerate()
    lambda_handler(EVENT, context)
    assert threading.enumerate() == threads
    assert _left_open(server, job_login(variables)["DATABASE_USER"]) == 0


def test_a_failing_job_is_rolled_back_destroyed_and_raised(
    variables: dict[str, str],
    server: MySQLServer,
    job: Callable[[Callable[[Run], Any]], None],
    context: Any,
    query: Query,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept: list[Any] = []

    def work(run: Run) -> None:
        cursor = run.cursor()
        kept.append((run, cursor))
        cursor.execute(
            "INSERT INTO pulse (scheduled_time, server_version, connections, max_connections, uptime_seconds)"
            " VALUES (NOW(), 'x', 1, 1, 1)"
        )
        raise ValueError("no such customer")

    job(work)
    with pytest.raises(ValueError, match="no such customer"):
        lambda_handler(EVENT, context)
    assert query("SELECT COUNT(*) FROM pulse") == [(0,)]
    assert _left_open(server, job_login(variables)["DATABASE_USER"]) == 0
    [line] = [vars(record) for record in caplog.records if record.name == "mysql_jobs" and record.message == "run"]
    assert line["levelno"] == logging.ERROR
    assert (line["outcome"], line["error"], line["destroyed"]) == ("failed", "ValueError: no such customer", "polite")


def test_a_result_that_is_no_dict_is_refused_before_the_commit(
    job: Callable[[Callable[[Run], Any]], None], context: Any, query: Query
) -> None:
    def work(run: Run) -> int:
        return run.cursor().execute(
            "INSERT INTO pulse (scheduled_time, server_version, connections, max_connections, uptime_seconds)"
            " VALUES (NOW(), 'x', 1, 1, 1)"
        )

    job(work)
    with pytest.raises(Exception, match="gave int: give a dict"):
        lambda_handler(EVENT, context)
    assert query("SELECT COUNT(*) FROM pulse") == [(0,)]


@pytest.mark.parametrize(
    ("event", "variable", "error"),
    [
        ({**EVENT, "scheduled_time": "soon"}, None, EventError),
        ({**EVENT, "job": "tally"}, None, EventError),
        (EVENT, "DATABASE_HOST", ConfigurationError),
        (EVENT, "DATABASE_SECRET", ConfigurationError),
        (EVENT, "JOB", ConfigurationError),
        (EVENT, "MAX_WINDOW_MINUTES", ConfigurationError),
    ],
)
def test_bad_input_is_an_error_and_nothing_is_done(
    event: object,
    variable: str | None,
    error: type[Exception],
    context: Any,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if variable:
        monkeypatch.delenv(variable)
    connections = _connections_ever(query)
    with pytest.raises(error, match=variable):
        lambda_handler(event, context)
    assert _connections_ever(query) == connections + 1  # the question itself
    [line] = [record for record in caplog.records if record.name == "mysql_jobs" and record.message == "run"]
    assert vars(line)["outcome"] == "failed"


def test_a_run_without_time_does_not_begin(context: Any, query: Query) -> None:
    context.get_remaining_time_in_millis = lambda: 1500
    connections = _connections_ever(query)
    with pytest.raises(DeadlineExceeded):
        lambda_handler(EVENT, context)
    assert _connections_ever(query) == connections + 1


def test_a_wrong_password_is_shown_without_it(
    variables: dict[str, str], emulator: Emulator, context: Any, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.client("secretsmanager").put_secret_value(
        SecretId=job_login(variables)["DATABASE_SECRET"],
        SecretString=json.dumps({"username": job_login(variables)["DATABASE_USER"], "password": "hunter2"}),
    )
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        lambda_handler(EVENT, context)
    assert "hunter2" not in caplog.text + str([vars(record) for record in caplog.records])


@pytest.mark.parametrize("secret", ["hunter2", '{"username": "jobs"}', '["hunter2"]'])
def test_a_malformed_secret_is_named_and_not_shown(
    secret: str, variables: dict[str, str], emulator: Emulator, context: Any, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.client("secretsmanager").put_secret_value(
        SecretId=job_login(variables)["DATABASE_SECRET"], SecretString=secret
    )
    with pytest.raises(Exception, match="is not a JSON object with username and password"):
        lambda_handler(EVENT, context)
    assert "hunter2" not in caplog.text


def test_a_secret_that_is_not_there_is_named(
    context: Any, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    monkeypatch.setenv("DATABASE_SECRET", job_login(variables)["DATABASE_SECRET"] + "x")
    with pytest.raises(Exception, match=r"Secrets Manager refused .*/pulsex: .*ResourceNotFoundException"):
        lambda_handler(EVENT, context)


def _aborted_clients(query: Query) -> int:
    [(_name, count)] = query("SHOW GLOBAL STATUS LIKE 'Aborted_clients'")
    return int(count)


def _connections_ever(query: Query) -> int:
    [(_name, count)] = query("SHOW GLOBAL STATUS LIKE 'Connections'")
    return int(count)


def _left_open(server: MySQLServer, user: str) -> int:
    for _ in range(250):
        if not (count := server.open_connections(user)):
            return 0
        threading.Event().wait(0.02)
    return count
