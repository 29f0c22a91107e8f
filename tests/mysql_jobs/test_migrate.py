"""Migrations against a real server: once each, in order, forward only; and a user with just the rights it needs."""

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymysql
import pytest

from local.emulator import Emulator
from local.mysql_server import MySQLServer
from mysql_jobs import migrate, migration_files
from mysql_jobs.configuration import ConfigurationError
from tests.mysql_jobs.job_login import job_login

Query = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's migrations, with one in it; the engine's stay as they are."""
    monkeypatch.setitem(migration_files.FOLDERS, "project", tmp_path)
    (tmp_path / "0001_pulse.sql").write_text("CREATE TABLE pulse (a INT);\nINSERT INTO pulse VALUES (1);\n")
    return tmp_path


@pytest.fixture
def engine_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The engine's migrations, with one in it."""
    folder = tmp_path_factory.mktemp("engine")
    monkeypatch.setitem(migration_files.FOLDERS, "engine", folder)
    (folder / "0001_ledger.sql").write_text("CREATE TABLE ledger (a INT);\n")
    return folder


@pytest.mark.usefixtures("variables")
def test_each_migration_is_applied_once(context: Any, query: Query) -> None:
    applied = migrate.lambda_handler({}, context)["applied"]
    assert applied == [
        "mysql_jobs/migrations/0001_ledger.sql",
        "mysql_jobs/migrations/0002_windows.sql",
        "migrations/0001_pulse.sql",
        "migrations/0002_event.sql",
    ]
    assert migrate.lambda_handler({}, context)["applied"] == []
    assert query("SELECT origin, number, name, complete FROM migration ORDER BY origin, number") == [
        ("engine", 1, "0001_ledger", 1),
        ("engine", 2, "0002_windows", 1),
        ("project", 1, "0001_pulse", 1),
        ("project", 2, "0002_event", 1),
    ]


@pytest.mark.usefixtures("variables")
def test_the_engine_ships_the_ledger_and_what_the_watcher_knows_alone(
    context: Any, query: Query, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project without migrations, or without their folder, is one whose jobs have no tables."""
    monkeypatch.setenv("RIGHTS", "{}")
    monkeypatch.setitem(migration_files.FOLDERS, "project", tmp_path / "none")
    assert migrate.lambda_handler({}, context)["applied"] == [
        "mysql_jobs/migrations/0001_ledger.sql",
        "mysql_jobs/migrations/0002_windows.sql",
    ]
    assert query("SHOW TABLES") == [("ledger",), ("migration",), ("migration_statement",), ("watched",)]


@pytest.mark.usefixtures("variables")
def test_the_engines_migrations_go_first(engine_folder: Path, folder: Path, context: Any, query: Query) -> None:
    (engine_folder / "0002_note.sql").write_text("CREATE TABLE note (a INT);\nINSERT INTO note VALUES (7);\n")
    (folder / "0002_copy.sql").write_text("CREATE TABLE copy AS SELECT a FROM note;\n")
    migrate.lambda_handler({}, context)
    assert query("SELECT a FROM copy") == [(7,)]


@pytest.mark.usefixtures("variables")
def test_a_later_engine_needs_no_renumbering(engine_folder: Path, folder: Path, context: Any) -> None:
    """The same number, and even the same name, in both sequences are two migrations."""
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INT);\n")
    migrate.lambda_handler({}, context)
    (engine_folder / "0002_more.sql").write_text("CREATE TABLE three (a INT);\n")
    assert migrate.lambda_handler({}, context)["applied"] == ["mysql_jobs/migrations/0002_more.sql"]
    assert migrate.lambda_handler({}, context)["applied"] == []


@pytest.mark.usefixtures("variables")
def test_a_migration_of_the_engine_that_changed_is_named(engine_folder: Path, folder: Path, context: Any) -> None:
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INT);\n")
    (engine_folder / "0002_more.sql").write_text("CREATE TABLE three (a INT);\n")
    migrate.lambda_handler({}, context)
    (engine_folder / "0002_more.sql").write_text("CREATE TABLE three (a BIGINT);\n")
    with pytest.raises(migration_files.MigrationError, match=r"^mysql_jobs/migrations/0002_more\.sql differs from"):
        migrate.lambda_handler({}, context)


@pytest.mark.usefixtures("folder", "variables")
def test_a_migration_of_the_engine_that_fails_is_named(engine_folder: Path, context: Any, query: Query) -> None:
    (engine_folder / "0002_more.sql").write_text("CREATE TABEL two (a INT);\n")
    with pytest.raises(
        migration_files.MigrationError, match=r"^mysql_jobs/migrations/0002_more\.sql, statement 1 of 1 failed"
    ):
        migrate.lambda_handler({}, context)
    assert ("pulse",) not in query("SHOW TABLES")


@pytest.mark.usefixtures("variables")
def test_a_new_file_is_applied_at_the_next_deploy(folder: Path, context: Any, query: Query) -> None:
    migrate.lambda_handler({}, context)
    (folder / "0002_more.sql").write_text("ALTER TABLE pulse ADD b INT;\n")
    assert migrate.lambda_handler({}, context)["applied"] == ["migrations/0002_more.sql"]
    assert query("SELECT a, b FROM pulse") == [(1, None)]


@pytest.mark.usefixtures("variables")
def test_a_deploy_continues_at_the_statement_that_failed(folder: Path, context: Any, query: Query) -> None:
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INT);\nINSERT INTO two VALUES ('x');\n")
    with pytest.raises(migration_files.MigrationError) as caught:
        migrate.lambda_handler({}, context)
    assert "migrations/0002_more.sql, statement 2 of 2 failed" in str(caught.value)
    assert "INSERT INTO two VALUES ('x')" in str(caught.value)
    assert "Incorrect integer value" in str(caught.value)
    # A file that never completed may be mended: what it did so far is not done again.
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INT);\nINSERT INTO two VALUES (7);\n")
    assert migrate.lambda_handler({}, context)["applied"] == ["migrations/0002_more.sql"]
    assert query("SELECT a FROM two") == [(7,)]


@pytest.mark.usefixtures("variables")
def test_a_statement_that_failed_may_be_removed(folder: Path, context: Any, query: Query) -> None:
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INT);\nINSERT INTO two VALUES ('x');\n")
    with pytest.raises(migration_files.MigrationError):
        migrate.lambda_handler({}, context)
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INT);\n")
    assert migrate.lambda_handler({}, context)["applied"] == ["migrations/0002_more.sql"]
    assert migrate.lambda_handler({}, context)["applied"] == []
    assert query("SELECT complete FROM migration WHERE origin = 'project' AND number = 2") == [(1,)]


@pytest.mark.usefixtures("variables")
def test_applied_statements_of_a_failed_file_may_not_change(folder: Path, context: Any) -> None:
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INT);\nINSERT INTO two VALUES ('x');\n")
    with pytest.raises(migration_files.MigrationError):
        migrate.lambda_handler({}, context)
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a CHAR(1));\nINSERT INTO two VALUES ('x');\n")
    with pytest.raises(
        migration_files.MigrationError, match=r"^migrations/0002_more\.sql differs .* the same file after them"
    ):
        migrate.lambda_handler({}, context)


@pytest.mark.usefixtures("variables")
def test_a_statement_that_takes_too_long_is_named(folder: Path, context: Any) -> None:
    (folder / "0002_long.sql").write_text("SET @slept = SLEEP(600);\n")
    context.get_remaining_time_in_millis = lambda: 4000
    with pytest.raises(
        migration_files.MigrationError,
        match=r"^migrations/0002_long\.sql, statement 1 of 1 failed: the run's time was used up",
    ):
        migrate.lambda_handler({}, context)


@pytest.mark.usefixtures("variables")
@pytest.mark.parametrize("missing", ["pulse", "ledger"])
def test_a_table_without_a_migration_is_named(missing: str, folder: Path, engine_folder: Path, context: Any) -> None:
    [file] = (engine_folder if missing == "ledger" else folder).iterdir()
    file.write_text("CREATE TABLE another (a INT);\n")
    with pytest.raises(migration_files.MigrationError) as caught:
        migrate.lambda_handler({}, context)
    assert re.match(rf"granting [A-Z, ]+ on `test_\w+`\.`{missing}` to job_\w+ failed: ", str(caught.value))
    assert f".{missing}' doesn't exist" in str(caught.value)


@pytest.mark.usefixtures("folder", "variables")
@pytest.mark.parametrize("rights", ["", '{"pulse":"SELECT, DROP"}', '{"a` TO evil -- ":"SELECT"}'])
def test_wrong_rights_are_refused_before_anything_is_done(
    rights: str, context: Any, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHTS", rights)
    with pytest.raises(ConfigurationError, match="RIGHTS"):
        migrate.lambda_handler({}, context)
    assert query("SHOW TABLES") == []


def test_new_rights_are_granted(
    variables: dict[str, str], context: Any, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.lambda_handler({}, context)
    monkeypatch.setenv("RIGHTS", variables["RIGHTS"].replace("INSERT", "DELETE"))
    migrate.lambda_handler({}, context)
    assert _grants(variables, query) == {"pulse": "SELECT, DELETE", "ledger": "SELECT, INSERT, UPDATE, DELETE"}


def test_rights_that_no_job_needs_are_revoked(variables: dict[str, str], context: Any, query: Query) -> None:
    migrate.lambda_handler({}, context)
    query(f"GRANT DELETE ON pulse TO {job_login(variables)['DATABASE_USER']}")
    migrate.lambda_handler({}, context)
    assert _grants(variables, query) == {"pulse": "SELECT, INSERT", "ledger": "SELECT, INSERT, UPDATE, DELETE"}


def test_a_new_password_replaces_the_old_one(
    variables: dict[str, str], emulator: Emulator, server: MySQLServer, context: Any
) -> None:
    migrate.lambda_handler({}, context)
    value = json.dumps({"username": job_login(variables)["DATABASE_USER"], "password": "another one"})
    emulator.client("secretsmanager").put_secret_value(
        SecretId=job_login(variables)["DATABASE_SECRET"], SecretString=value
    )
    migrate.lambda_handler({}, context)
    replace(server, user=job_login(variables)["DATABASE_USER"], password="another one").connect().close()


@pytest.mark.usefixtures("variables")
def test_an_applied_file_that_changed_stops_the_deploy(folder: Path, context: Any) -> None:
    migrate.lambda_handler({}, context)
    (folder / "0001_pulse.sql").write_text("CREATE TABLE pulse (a BIGINT);\n")
    with pytest.raises(
        migration_files.MigrationError, match=r"^migrations/0001_pulse\.sql differs from .* that was applied"
    ):
        migrate.lambda_handler({}, context)


@pytest.mark.usefixtures("variables")
def test_older_code_accepts_a_newer_database(
    folder: Path, engine_folder: Path, context: Any, caplog: pytest.LogCaptureFixture
) -> None:
    newer = [folder / "0002_more.sql", engine_folder / "0002_engine.sql"]
    for file in newer:
        file.write_text(f"CREATE TABLE {file.stem[5:]} (a INT);\n")
    migrate.lambda_handler({}, context)
    assert "does not have it" not in caplog.text
    for file in newer:
        file.unlink()
    assert migrate.lambda_handler({}, context)["applied"] == []
    for name in ("migrations/0002_more.sql", "mysql_jobs/migrations/0002_engine.sql"):
        assert f" {name} was applied to this database, but this version does not have it" in caplog.text


def test_the_jobs_user_has_the_least_privilege(
    variables: dict[str, str], server: MySQLServer, context: Any, query: Query
) -> None:
    migrate.lambda_handler({}, context)
    user, schema = job_login(variables)["DATABASE_USER"], variables["DATABASE_NAME"]
    assert {grant for (grant,) in query(f"SHOW GRANTS FOR {user}")} == {
        f"GRANT USAGE ON *.* TO `{user}`@`%`",
        f"GRANT SELECT, INSERT ON `{schema}`.`pulse` TO `{user}`@`%`",
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
        for statement in ("DROP TABLE pulse", "CREATE TABLE a (b INT)", "DELETE FROM pulse", "TABLE migration"):
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
    for (grant,) in query(f"SHOW GRANTS FOR {job_login(variables)['DATABASE_USER']}"):
        if match := re.fullmatch(rf"GRANT (.*) ON `{variables['DATABASE_NAME']}`\.`(.*)` TO .*", grant):
            granted[match[2]] = match[1]
    return granted


def test_a_migration_lets_writers_through_while_its_table_is_in_use(
    folder: Path, variables: dict[str, str], server: MySQLServer, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that waits for its table holds up all that come after it: so it lets go, and tries again."""
    migrate.lambda_handler({}, context)
    monkeypatch.setattr(migrate, "METADATA_LOCK_SECONDS", 1)
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0.5)
    (folder / "0002_more.sql").write_text("ALTER TABLE pulse ADD b INT;\n")
    written = 0
    with ThreadPoolExecutor(1) as thread, closing(server.connect()) as reader, closing(server.connect()) as writer:
        for each in (reader, writer):
            each.select_db(variables["DATABASE_NAME"])
        reader.begin()
        reader.query("SELECT * FROM pulse")
        migration = thread.submit(migrate.lambda_handler, {}, context)
        until = time.monotonic() + 3
        while time.monotonic() < until:
            writer.query("INSERT INTO pulse (a) VALUES (2)")  # waits behind the migration for a second, at most
            written += 1
        assert not migration.done()
        reader.rollback()
        assert migration.result()["applied"] == ["migrations/0002_more.sql"]
    assert written > 1


def test_a_table_that_stays_in_use_fails_the_migration_within_its_time(
    folder: Path, variables: dict[str, str], server: MySQLServer, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.lambda_handler({}, context)
    monkeypatch.setattr(migrate, "METADATA_LOCK_SECONDS", 1)
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 30.0)  # more than is left
    (folder / "0002_more.sql").write_text("ALTER TABLE pulse ADD b INT;\n")
    with closing(server.connect()) as reader:
        reader.select_db(variables["DATABASE_NAME"])
        reader.begin()
        reader.query("SELECT * FROM pulse")
        with pytest.raises(migration_files.MigrationError, match="Lock wait timeout exceeded"):
            migrate.lambda_handler({}, context)
    assert migrate.lambda_handler({}, context)["applied"] == ["migrations/0002_more.sql"]
