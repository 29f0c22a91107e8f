"""What a deploy does about each migration and each marker, with the log and the server in a test's hands."""

import logging
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pymysql
import pytest
from pymysql.constants import ER

from mysql_jobs import migrate
from mysql_jobs.connection import OutcomeUnknownError
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.migration_files import Migration, MigrationError, Origin, checksum
from mysql_jobs.migration_log import Applied, Marker, Outcome, Statement

BEGAN = datetime(2026, 11, 23, 8, 30)  # noqa: DTZ001 (MySQL's DATETIME has no zone)
COMMAND = "make migrate-resolve ENV=<environment> MIGRATION=migrations/0002_more.sql STATEMENT="


def _migration(*statements: str, origin: Origin = "project", number: int = 2, name: str = "0002_more") -> Migration:
    return Migration(origin=origin, number=number, name=name, statements=statements)


MORE = _migration("FIRST", "SECOND")


def _applied(*statements: str, complete: bool, name: str = "0002_more") -> Applied:
    return Applied(name=name, checksum=checksum(statements), statements=len(statements), complete=complete)


def _marker(outcome: Outcome = "unknown", number: int = 2) -> Marker:
    return Marker(statement=Statement.of(MORE, number), tables={}, outcome=outcome, began_at=BEGAN)


@pytest.fixture
def log() -> Any:
    log = mock.Mock()
    log.markers.return_value = []
    log.applied.return_value = {}
    return log


@pytest.fixture
def cursor() -> Any:
    cursor = mock.Mock()
    cursor.nextset.return_value = None
    return cursor


@pytest.fixture(autouse=True)
def fate(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What becomes of an interrupted statement, of which the table `pulse` shows something."""
    found = mock.Mock()
    found.table_definitions.return_value = {"pulse": "of its definition"}
    found.changed_tables.return_value = ["event", "pulse"]
    monkeypatch.setattr(migrate, "interrupted_statement", found)
    return found.fate


def _worked(log: Any) -> list[Any]:
    return [each for each in log.mock_calls if each[0] not in ("markers", "applied")]


def test_each_statement_has_its_marker_and_its_record_and_the_file_is_complete_then(log: Any, cursor: Any) -> None:
    assert migrate.apply([MORE], log, cursor, Deadline.after(60)) == ["migrations/0002_more.sql"]
    first, second = Statement.of(MORE, 1), Statement.of(MORE, 2)
    tables = {"pulse": "of its definition"}
    assert _worked(log) == [
        *(mock.call.begin(first, tables), mock.call.record(first)),
        *(mock.call.begin(second, tables), mock.call.record(second)),
        mock.call.complete(second),
    ]
    assert cursor.mock_calls == [mock.call.execute(each) for each in ("FIRST",)] + [
        *(mock.call.nextset(), mock.call.execute("SECOND"), mock.call.nextset())
    ]


@pytest.mark.parametrize("code", [1064, 1146])
def test_a_number_that_an_error_only_mentions_is_not_its_own(code: int, log: Any, cursor: Any) -> None:
    cursor.execute.side_effect = pymysql.err.OperationalError(code, ER.TABLE_EXISTS_ERROR)
    with pytest.raises(MigrationError, match=r"\nCorrect it, and deploy again$"):
        migrate.apply([MORE], log, cursor, Deadline.after(60))


def test_what_was_applied_is_not_applied_again(log: Any, cursor: Any) -> None:
    first = _migration("ENGINE", origin="engine", number=2)
    log.applied.return_value = {
        ("engine", 2): _applied("ENGINE", complete=True),
        ("project", 2): _applied("FIRST", complete=False),
    }
    assert migrate.apply([first, MORE], log, cursor, Deadline.after(60)) == ["migrations/0002_more.sql"]
    assert [call.args[0] for call in cursor.execute.call_args_list] == ["SECOND"]
    log.applied.return_value[("project", 2)] = _applied("FIRST", "SECOND", complete=True)
    assert migrate.apply([first, MORE], log, cursor, Deadline.after(60)) == []
    log.applied.return_value[("project", 2)] = _applied("FIRST", "SECOND", complete=False)
    assert migrate.apply([MORE], log, cursor, Deadline.after(60)) == ["migrations/0002_more.sql"]
    assert len(cursor.execute.call_args_list) == 1


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (_applied("OTHER", complete=False), "the same file after them"),
        (_applied("FIRST", "SECOND", complete=True, name="0002_other"), "a new migration"),
        (_applied("FIRST", complete=True), "a new migration"),
        (_applied("FIRST", "SECOND", "THIRD", complete=True), "a new migration"),
    ],
)
def test_a_file_that_changed_stops_the_deploy(before: Applied, message: str, log: Any, cursor: Any) -> None:
    log.applied.return_value = {("project", 2): before}
    with pytest.raises(MigrationError, match=rf"^migrations/0002_more\.sql differs .* what is new into {message}$"):
        migrate.apply([MORE], log, cursor, Deadline.after(60))
    assert not cursor.execute.called


def test_a_migration_that_is_not_here_is_said_and_no_error(
    log: Any, cursor: Any, fate: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log.applied.return_value = {("project", 3): _applied("X", complete=True, name="0003_later")}
    log.markers.return_value = [_marker()]
    with caplog.at_level(logging.WARNING):
        assert migrate.apply([], log, cursor, Deadline.after(60)) == []
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "migrations/0002_more.sql, statement 2 of 2 was not recorded as applied, and this version does not have it",
        "migrations/0003_later.sql was applied to this database, but this version does not have it",
    ]
    assert _worked(log) == []
    assert not fate.called
    assert {record.name for record in caplog.records} == {"mysql_jobs"}


@pytest.mark.parametrize(
    ("known", "calls"),
    [
        ("applied", [mock.call.record(Statement.of(MORE, 2))]),
        ("rolled back", [mock.call.forget(Statement.of(MORE, 2))]),
    ],
)
def test_an_interrupted_statement_whose_fate_is_certain_is_settled(
    known: str, calls: list[Any], log: Any, cursor: Any, fate: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log.markers.return_value = [_marker()]
    log.applied.return_value = {("project", 2): _applied("FIRST", "SECOND", complete=True)}
    fate.return_value = known
    migrate.apply([MORE], log, cursor, Deadline.after(60))
    assert _worked(log) == calls
    assert fate.call_args_list == [mock.call(cursor, _marker(), ["event", "pulse"])]
    assert "began at 2026-11-23 08:30:00 UTC and was interrupted" in caplog.text
    assert "(the tables that changed since: event, pulse)" in caplog.text


def test_one_that_nobody_knows_about_is_a_question(log: Any, cursor: Any, fate: Any) -> None:
    log.markers.return_value = [_marker()]
    fate.return_value = None
    with pytest.raises(MigrationError, match="whether it is in effect is not known") as caught:
        migrate.apply([MORE], log, cursor, Deadline.after(60))
    assert f"`{COMMAND}applied` if it is, `{COMMAND}rolled-back` if not" in str(caught.value)
    assert _worked(log) == []


def test_one_that_the_server_refused_needs_no_decision(log: Any, cursor: Any, fate: Any) -> None:
    log.markers.return_value = [_marker("failed", number=1)]
    migrate.apply([MORE], log, cursor, Deadline.after(60))
    assert not fate.called
    assert len(cursor.execute.call_args_list) == 2


@pytest.mark.parametrize("error", [pymysql.err.ProgrammingError(1064, "syntax"), DeadlineExceeded("too late")])
def test_a_statement_that_fails_is_noted_and_named(error: Exception, log: Any, cursor: Any) -> None:
    cursor.execute.side_effect = error
    with pytest.raises(MigrationError, match=r"^migrations/0002_more\.sql, statement 1 of 2 failed: ") as caught:
        migrate.apply([MORE], log, cursor, Deadline.after(60))
    assert str(caught.value).endswith("\nFIRST\nCorrect it, and deploy again")
    assert caught.value.__cause__ is error
    assert [each[0] for each in _worked(log)] == ["begin", "refused"]


def test_an_error_behind_the_first_result_is_one_of_the_statement(log: Any, cursor: Any) -> None:
    cursor.nextset.side_effect = [True, pymysql.err.OperationalError(1644, "of a procedure")]
    with pytest.raises(MigrationError, match="of a procedure"):
        migrate.apply([MORE], log, cursor, Deadline.after(60))
    assert [each[0] for each in _worked(log)] == ["begin", "refused"]


@pytest.mark.parametrize(
    "lost",
    [pymysql.err.OperationalError(2013, "lost"), DeadlineExceeded("too late"), OutcomeUnknownError("lost")],
    ids=repr,
)
def test_a_lost_connection_leaves_the_question_to_the_next_deploy(lost: Exception, log: Any, cursor: Any) -> None:
    cursor.execute.side_effect = pymysql.err.OperationalError(2013, "lost")
    log.refused.side_effect = lost
    with pytest.raises(MigrationError, match="the next deploy finds out what became of it, or asks"):
        migrate.apply([MORE], log, cursor, Deadline.after(60))


@pytest.mark.parametrize(
    "code",
    [
        *(ER.BAD_TABLE_ERROR, ER.CANT_DROP_FIELD_OR_KEY, ER.DUP_FIELDNAME, ER.DUP_KEYNAME),
        ER.TABLE_EXISTS_ERROR,
    ],
)
def test_one_that_is_in_effect_already_may_be_said_to_be(code: int, log: Any, cursor: Any) -> None:
    cursor.execute.side_effect = pymysql.err.OperationalError(code, "already")
    with pytest.raises(MigrationError) as caught:
        migrate.apply([MORE], log, cursor, Deadline.after(60))
    assert f"`{COMMAND}applied`" in str(caught.value)


@pytest.mark.parametrize(("word", "method"), [("applied", "record"), ("rolled-back", "forget")])
def test_a_persons_word_decides(word: str, method: str, log: Any) -> None:
    statement = Statement.of(MORE, 2)
    log.markers.return_value = [_marker()]
    assert migrate.resolve(log, {"resolve": "migrations/0002_more.sql", "statement": word}) == {
        "resolved": "migrations/0002_more.sql, statement 2 of 2",
        "statement": word,
        "text": "SECOND",
    }
    assert _worked(log) == [getattr(mock.call, method)(statement)]


@pytest.mark.parametrize(
    ("event", "markers", "message"),
    [
        ({"resolve": "migrations/0003_x.sql", "statement": "applied"}, [], r"; there are none$"),
        (
            {"resolve": "migrations/0003_x.sql", "statement": "applied"},
            [_marker()],
            r"^migrations/0003_x\.sql has no .*; there are: migrations/0002_more\.sql$",
        ),
        ({"resolve": "migrations/0002_more.sql"}, [_marker()], "the statement is None: write applied"),
        ({"resolve": "migrations/0002_more.sql", "statement": "yes"}, [_marker()], "the statement is 'yes'"),
    ],
)
def test_a_word_about_nothing_or_that_is_none_is_refused(
    event: dict[str, str], markers: list[Marker], message: str, log: Any
) -> None:
    log.markers.return_value = markers
    with pytest.raises(MigrationError, match=message):
        migrate.resolve(log, event)
    assert _worked(log) == []


@pytest.mark.parametrize(("left", "wait"), [(60.0, 55.0), (5.0, 0.0), (1.0, 0.0)])
def test_another_deploy_is_waited_for_but_for_the_last_seconds(left: float, wait: float, log: Any, cursor: Any) -> None:
    """In these, the run says that it has waited."""
    cursor.fetchall.return_value = [(1, None)]
    deadline: Any = SimpleNamespace(require=lambda _doing: left)
    with migrate._lock(cursor, log, deadline):
        pass
    assert cursor.execute.call_args.args[1] == ("mysql-jobs migrations", wait, "mysql-jobs migrations")


@pytest.mark.parametrize(
    ("markers", "at_work"),
    [
        ([], "It is at no statement"),
        ([_marker("failed")], "It is at no statement"),
        ([_marker()], "It is at migrations/0002_more.sql, statement 2 of 2\nSECOND"),
    ],
)
@pytest.mark.parametrize("taken", [0, None])
def test_a_deploy_that_is_still_at_work_is_named(
    taken: int | None, markers: list[Marker], at_work: str, log: Any, cursor: Any
) -> None:
    cursor.fetchall.return_value = [(taken, 7)]
    log.markers.return_value = markers
    entered = False
    with pytest.raises(MigrationError) as caught, migrate._lock(cursor, log, Deadline.after(60)):
        entered = True
    assert not entered
    assert "(session 7)" in str(caught.value)
    assert str(caught.value).endswith(at_work)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The handler, in whose hands everything is recorded."""
    calls = mock.Mock()
    calls.connect.return_value.cursor.return_value = mock.MagicMock()
    calls.read_migrations.side_effect = lambda _folder, origin: (_migration("X", origin=origin),)
    calls.apply.return_value = ["a.sql"]
    calls.lock.return_value = mock.MagicMock()
    for name in ("connect", "Authentication", "read_migrations", "read_job_users", "read_login", "read_database"):
        monkeypatch.setattr(migrate, name, getattr(calls, name))
    monkeypatch.setattr(migrate, "read_own_schema", calls.read_own_schema)
    calls.read_own_schema.return_value = calls.read_database.return_value.name = "jobs"
    monkeypatch.setattr(migrate, "_lock", calls.lock)
    for name in ("MigrationLog", "resolve", "apply", "job_users", "logger"):
        monkeypatch.setattr(migrate, name, getattr(calls, name))
    calls.resolve.return_value = {"resolved": "it"}
    return calls


@pytest.fixture
def invoke() -> Callable[[object], dict[str, Any]]:
    context: Any = SimpleNamespace(
        function_name="migrate", aws_request_id="request-1", get_remaining_time_in_millis=lambda: 60_000
    )
    return lambda event: migrate.lambda_handler(event, context)


@pytest.mark.parametrize("event", [{}, None, ["resolve"], {"other": 1}])
def test_a_deploy_migrates_grants_and_is_gone(event: object, deployed: Any, invoke: Any) -> None:
    assert invoke(event) == {"applied": ["a.sql"]}
    connection = deployed.connect.return_value
    cursor = connection.cursor.return_value.__enter__.return_value
    log = deployed.MigrationLog.return_value
    database = deployed.read_database.return_value
    assert deployed.connect.call_args.kwargs == {
        "database": database,
        "authentication": deployed.Authentication.return_value,
        "deadline": mock.ANY,
        "program_name": "migrate request-1",
    }
    deadline = deployed.connect.call_args.kwargs["deadline"]
    assert 50 < deadline.remaining() <= 58
    assert deployed.Authentication.call_args == mock.call(login=deployed.read_login.return_value, database=database)
    assert deployed.MigrationLog.call_args == mock.call(connection, cursor, "jobs")
    assert log.create.called
    assert deployed.lock.call_args == mock.call(cursor, log, deadline)
    [migrations, *others] = deployed.apply.call_args.args
    assert [each.origin for each in migrations] == ["engine", "project"]
    assert others == [log, cursor, deadline, {}], "both sequences work in the session's schema"
    users = deployed.read_job_users.return_value
    assert [
        each for each in deployed.mock_calls if each[0] in {"apply", "job_users.refuse_others", "job_users.update"}
    ] == [
        mock.call.job_users.refuse_others(cursor, users, "jobs"),
        mock.call.apply(migrations, *others),
        mock.call.job_users.update(cursor, users, database, deadline, own_schema="jobs"),
    ]
    assert deployed.logger.info.call_args == mock.call("migrated", extra={"applied": ["a.sql"]})
    assert connection.destroy.call_count == 1


def test_a_persons_word_migrates_nothing(deployed: Any, invoke: Any) -> None:
    event = {"resolve": "migrations/0002_more.sql", "statement": "applied"}
    assert invoke(event) == {"resolved": "it"}
    assert deployed.resolve.call_args == mock.call(deployed.MigrationLog.return_value, event)
    assert not deployed.apply.called
    assert not deployed.grant.called
    assert deployed.logger.info.call_args == mock.call("resolved", extra={"resolved": "it"})
    assert deployed.connect.return_value.destroy.call_count == 1


def test_a_deploy_that_fails_is_gone_too(deployed: Any, invoke: Any) -> None:
    deployed.apply.side_effect = MigrationError("no")
    with pytest.raises(MigrationError):
        invoke({})
    assert deployed.connect.return_value.destroy.call_count == 1
    assert not deployed.logger.info.called
