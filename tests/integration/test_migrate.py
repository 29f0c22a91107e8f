"""Migrations against a real server: once each, in order, forward only; and a user with just the rights it needs."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymysql
import pytest

import migrate
from configuration import ConfigurationError
from local.emulator import Emulator
from local.mysql_server import MySQLServer

Query = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(migrate, "FOLDER", tmp_path)
    (tmp_path / "0001_heartbeat.sql").write_text(
        "CREATE TABLE ledger (a INT);\nCREATE TABLE heartbeat (a INT);\nINSERT INTO heartbeat VALUES (1);\n"
    )
    return tmp_path


@pytest.mark.usefixtures("variables")
def test_the_projects_own_migrations_apply_and_apply_once(context: Any, query: Query) -> None:
    applied = migrate.lambda_handler({}, context)["applied"]
    assert "0001_heartbeat" in applied
    assert migrate.lambda_handler({}, context)["applied"] == []
    assert query("SELECT name, complete FROM migration") == [(name, 1) for name in applied]


@pytest.mark.usefixtures("variables")
def test_a_new_file_is_applied_at_the_next_deploy(folder: Path, context: Any, query: Query) -> None:
    migrate.lambda_handler({}, context)
    (folder / "0002_more.sql").write_text("ALTER TABLE heartbeat ADD b INT;\n")
    assert migrate.lambda_handler({}, context)["applied"] == ["0002_more"]
    assert query("SELECT a, b FROM heartbeat") == [(1, None)]


@pytest.mark.usefixtures("variables")
def test_a_failing_statement_is_shown_and_the_next_deploy_continues_there(
    folder: Path, context: Any, query: Query
) -> None:
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INT);\nINSERT INTO two VALUES ('x');\n")
    with pytest.raises(migrate.MigrationError) as caught:
        migrate.lambda_handler({}, context)
    assert "0002_more.sql, statement 2 of 2 failed" in str(caught.value)
    assert "INSERT INTO two VALUES ('x')" in str(caught.value)
    assert "Incorrect integer value" in str(caught.value)
    # A file that never completed may be mended: what it did so far is not done again.
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INT);\nINSERT INTO two VALUES (7);\n")
    assert migrate.lambda_handler({}, context)["applied"] == ["0002_more"]
    assert query("SELECT a FROM two") == [(7,)]


@pytest.mark.usefixtures("variables")
def test_a_failing_statement_may_be_taken_out(folder: Path, context: Any, query: Query) -> None:
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INT);\nINSERT INTO two VALUES ('x');\n")
    with pytest.raises(migrate.MigrationError):
        migrate.lambda_handler({}, context)
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INT);\n")
    assert migrate.lambda_handler({}, context)["applied"] == ["0002_more"]
    assert migrate.lambda_handler({}, context)["applied"] == []
    assert query("SELECT complete FROM migration WHERE number = 2") == [(1,)]


@pytest.mark.usefixtures("variables")
def test_what_a_failed_file_did_already_cannot_be_changed(folder: Path, context: Any) -> None:
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INT);\nINSERT INTO two VALUES ('x');\n")
    with pytest.raises(migrate.MigrationError):
        migrate.lambda_handler({}, context)
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a CHAR(1));\nINSERT INTO two VALUES ('x');\n")
    with pytest.raises(migrate.MigrationError, match=r"0002_more\.sql differs .* into the same file after them"):
        migrate.lambda_handler({}, context)


@pytest.mark.usefixtures("variables")
def test_a_statement_that_outlasts_the_deploy_is_named(folder: Path, context: Any) -> None:
    (folder / "0002_long.sql").write_text("SET @slept = SLEEP(600);\n")
    context.get_remaining_time_in_millis = lambda: 4000
    with pytest.raises(
        migrate.MigrationError, match=r"0002_long\.sql, statement 1 of 1 failed: the run's time was used up"
    ):
        migrate.lambda_handler({}, context)


@pytest.mark.usefixtures("variables")
@pytest.mark.parametrize(("made", "missing"), [("ledger", "heartbeat"), ("heartbeat", "ledger")])
def test_a_table_that_no_migration_makes_is_named(made: str, missing: str, folder: Path, context: Any) -> None:
    (folder / "0001_heartbeat.sql").write_text(f"CREATE TABLE {made} (a INT);\n")
    with pytest.raises(migrate.MigrationError) as caught:
        migrate.lambda_handler({}, context)
    assert f"granting a right to the table {missing} failed: " in str(caught.value)
    assert f".{missing}' doesn't exist" in str(caught.value)


@pytest.mark.usefixtures("folder", "variables")
@pytest.mark.parametrize("rights", ["", '{"heartbeat":"SELECT, DROP"}', '{"a` TO evil -- ":"SELECT"}'])
def test_wrong_rights_are_refused_before_anything_is_done(
    rights: str, context: Any, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHTS", rights)
    with pytest.raises(ConfigurationError, match="RIGHTS"):
        migrate.lambda_handler({}, context)
    assert query("SHOW TABLES") == []


def test_rights_that_a_job_asks_for_anew_are_given(
    variables: dict[str, str], context: Any, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.lambda_handler({}, context)
    monkeypatch.setenv("RIGHTS", '{"heartbeat":"DELETE, SELECT"}')
    migrate.lambda_handler({}, context)
    assert _grants(variables, query) == {"heartbeat": "SELECT, DELETE", "ledger": "SELECT, INSERT, UPDATE, DELETE"}


def test_rights_that_no_job_asks_for_any_more_are_taken_back(
    variables: dict[str, str], context: Any, query: Query
) -> None:
    migrate.lambda_handler({}, context)
    query(f"GRANT DELETE ON heartbeat TO {variables['JOBS_USER']}")
    migrate.lambda_handler({}, context)
    assert _grants(variables, query) == {"heartbeat": "SELECT, INSERT", "ledger": "SELECT, INSERT, UPDATE, DELETE"}


def test_a_new_password_replaces_the_old_one(
    variables: dict[str, str], emulator: Emulator, server: MySQLServer, context: Any
) -> None:
    migrate.lambda_handler({}, context)
    value = json.dumps({"username": variables["JOBS_USER"], "password": "another one"})
    emulator.client("secretsmanager").put_secret_value(SecretId=variables["JOBS_SECRET"], SecretString=value)
    migrate.lambda_handler({}, context)
    replace(server, user=variables["JOBS_USER"], password="another one").connect().close()


@pytest.mark.usefixtures("variables")
def test_an_applied_file_that_changed_stops_the_deploy(folder: Path, context: Any) -> None:
    migrate.lambda_handler({}, context)
    (folder / "0001_heartbeat.sql").write_text("CREATE TABLE heartbeat (a BIGINT);\n")
    with pytest.raises(migrate.MigrationError, match=r"0001_heartbeat\.sql differs from .* that was applied"):
        migrate.lambda_handler({}, context)


@pytest.mark.usefixtures("variables")
def test_code_that_is_rolled_back_accepts_the_database_of_newer_code(
    folder: Path, context: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INT);\n")
    migrate.lambda_handler({}, context)
    (folder / "0002_more.sql").unlink()
    assert migrate.lambda_handler({}, context)["applied"] == []
    assert "0002_more.sql was applied to this database but is not in migrations/" in caplog.text


def test_the_jobs_user_may_change_its_rows_and_nothing_else(
    variables: dict[str, str], server: MySQLServer, context: Any, query: Query
) -> None:
    migrate.lambda_handler({}, context)
    user, schema = variables["JOBS_USER"], variables["DATABASE_NAME"]
    assert {grant for (grant,) in query(f"SHOW GRANTS FOR {user}")} == {
        f"GRANT USAGE ON *.* TO `{user}`@`%`",
        f"GRANT SELECT, INSERT ON `{schema}`.`heartbeat` TO `{user}`@`%`",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON `{schema}`.`ledger` TO `{user}`@`%`",
    }
    with (
        pymysql.connect(
            host=server.host,
            port=server.port,
            user=user,
            password="a password of 2 parts",
            database=schema,
            ssl_ca=str(server.certificate_authority),
        ) as connection,
        connection.cursor() as cursor,
    ):
        for statement in ("DROP TABLE heartbeat", "CREATE TABLE a (b INT)", "DELETE FROM heartbeat", "TABLE migration"):
            with pytest.raises(pymysql.err.OperationalError, match="denied"):
                cursor.execute(statement)


@pytest.mark.usefixtures("variables")
def test_it_leaves_no_connection(server: MySQLServer, context: Any, query: Query) -> None:
    migrate.lambda_handler({}, context)
    attributes = "SELECT ATTR_VALUE FROM performance_schema.session_connect_attrs WHERE ATTR_NAME = 'program_name'"
    assert ("test-function request-1",) not in query(attributes)


def _grants(variables: dict[str, str], query: Query) -> dict[str, str]:
    """What the jobs' user may do with which table of the schema."""
    granted = {}
    for (grant,) in query(f"SHOW GRANTS FOR {variables['JOBS_USER']}"):
        if match := re.fullmatch(rf"GRANT (.*) ON `{variables['DATABASE_NAME']}`\.`(.*)` TO .*", grant):
            granted[match[2]] = match[1]
    return granted
