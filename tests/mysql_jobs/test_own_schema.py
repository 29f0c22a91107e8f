"""On a database that was there before, the engine's tables are in a schema of their own, and no other gets any."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.fault_proxy import FaultProxy
from local.mysql_server import MySQLServer
from mysql_jobs import migrate, migration_files
from mysql_jobs.configuration import ConfigurationError, read_database, read_own_schema
from mysql_jobs.migration_files import MigrationError
from mysql_jobs.run import Run
from tests.mysql_jobs.function import EIGHT, Function
from tests.mysql_jobs.job_login import job_login

Query = Callable[[str], list[tuple[Any, ...]]]
ENGINES = [("ledger",), ("migration",), ("migration_statement",), ("watched",)]


@pytest.fixture
def own(variables: dict[str, str], query: Query, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The engine's own schema; the project has no migrations, and the jobs no tables."""
    schema = f"own_{variables['DATABASE_NAME'].removeprefix('test_')}"
    monkeypatch.setenv("OWN_SCHEMA", schema)
    monkeypatch.setenv("RIGHTS", "{}")
    yield schema
    query(f"DROP DATABASE IF EXISTS {schema}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's migrations: none."""
    monkeypatch.setitem(migration_files.FOLDERS, "project", tmp_path)
    return tmp_path


@pytest.fixture
def pulse(
    variables: dict[str, str], own: str, folder: Path, context: Any, query: Query, monkeypatch: pytest.MonkeyPatch
) -> Function:
    """A job that works on tables of another application's."""
    query("CREATE TABLE `Order-Items` (id INT AUTO_INCREMENT PRIMARY KEY, at DATETIME(6))")
    login = job_login(variables)
    told = {"user": login["DATABASE_USER"], "connections": 3, "tables": {"Order-Items": "INSERT, SELECT"}}
    monkeypatch.setenv("RIGHTS", json.dumps({"pulse": told}))
    migrate.lambda_handler({}, context)
    monkeypatch.setenv("JOB", "pulse")
    monkeypatch.setenv("MAX_WINDOW_MINUTES", "60")
    for name, value in login.items():
        monkeypatch.setenv(name, value)
    function = Function(context, monkeypatch)
    function.do(_order)
    return function


def _order(run: Run) -> dict[str, Any]:
    with run.cursor() as cursor:
        cursor.execute("INSERT INTO `Order-Items` (at) VALUES (%s)", (run.scheduled_time,))
    return {}


@pytest.mark.usefixtures("folder")
def test_the_schema_of_the_jobs_gets_nothing(own: str, context: Any, query: Query) -> None:
    query("CREATE TABLE kept (a INT)")
    assert migrate.lambda_handler({}, context)["applied"] == [
        "mysql_jobs/migrations/0001_ledger.sql",
        "mysql_jobs/migrations/0002_windows.sql",
    ]
    assert query("SHOW TABLES") == [("kept",)]
    assert query(f"SHOW TABLES IN {own}") == ENGINES
    assert migrate.lambda_handler({}, context)["applied"] == []


def test_its_character_set_is_not_the_servers(own: str, folder: Path, context: Any, query: Query) -> None:
    before = query("SELECT @@GLOBAL.character_set_server")[0][0]
    query("SET GLOBAL character_set_server = latin1")
    try:
        migrate.lambda_handler({}, context)
    finally:
        query(f"SET GLOBAL character_set_server = {before}")
    asked = f"SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = '{own}'"
    assert query(asked) == [("utf8mb4",)]


def test_a_run_records_itself_there(pulse: Function, own: str, query: Query) -> None:
    assert pulse.deliver(EIGHT)["outcome"] == "done"
    assert pulse.deliver(EIGHT)["outcome"] == "duplicate"
    assert query("SELECT COUNT(*) FROM `Order-Items`") == [(1,)]
    assert query(f"SELECT job, outcome FROM {own}.ledger") == [("pulse", "done")]
    assert query("SHOW TABLES") == [("Order-Items",)]


def test_a_run_takes_six_round_trips_there_too(
    pulse: Function, server: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulse.do(lambda _run: None)
    pulse.deliver(EIGHT.replace(hour=7))  # the first login of a user takes one more
    asked = []

    def observe(place: str) -> None:
        if place.startswith("request: ") and not place.endswith(": quit"):
            asked.append(place)

    with FaultProxy(server) as proxy:
        proxy.observer = observe
        monkeypatch.setenv("DATABASE_PORT", str(proxy.port))
        pulse.deliver(EIGHT)
    assert len(asked) == 6


def test_the_projects_migrations_work_in_the_jobs_schema(own: str, folder: Path, context: Any, query: Query) -> None:
    """Also after one that has failed, and one that chose another schema."""
    (folder / "0001_note.sql").write_text(f"CREATE TABLE note (a INT);\nUSE {own};\nCREATE TABEL more (a INT);\n")
    with pytest.raises(MigrationError, match=r"^migrations/0001_note\.sql, statement 3 of 3 failed"):
        migrate.lambda_handler({}, context)
    (folder / "0001_note.sql").write_text(f"CREATE TABLE note (a INT);\nUSE {own};\nCREATE TABLE more (a INT);\n")
    (folder / "0002_next.sql").write_text("CREATE TABLE next AS SELECT a FROM note;\n")
    migrate.lambda_handler({}, context)
    assert query("SHOW TABLES") == [("more",), ("next",), ("note",)]
    assert query(f"SHOW TABLES IN {own}") == ENGINES


@pytest.mark.parametrize("made", [True, False])
def test_an_interrupted_statement_is_looked_for_where_it_worked(
    made: bool, own: str, folder: Path, context: Any, query: Query
) -> None:
    (folder / "0001_note.sql").write_text("CREATE TABLE note (a INT);\n")
    migrate.lambda_handler({}, context)
    query(f"UPDATE {own}.migration SET complete = 0, statements = 0 WHERE origin = 'project'")
    query(f"UPDATE {own}.migration SET checksum = '{migration_files.checksum(())}' WHERE origin = 'project'")
    query(
        f"INSERT INTO {own}.migration_statement (origin, number, name, statement, statements, text, checksum, tables,"
        " outcome) VALUES ('project', 1, '0001_note', 1, 1, 'CREATE TABLE note (a INT)',"
        f" '{migration_files.checksum(('CREATE TABLE note (a INT)',))}', '{{}}', 'unknown')"
    )
    if not made:
        query("DROP TABLE note")
    migrate.lambda_handler({}, context)
    assert query("SHOW TABLES") == [("note",)]
    assert query(f"SELECT COUNT(*) FROM {own}.migration_statement") == [(0,)]


NAMES = {"DATABASE_HOST": "h", "DATABASE_PORT": "3306", "DATABASE_ENDPOINT": "instance", "AWS_REGION": "eu-central-1"}


def test_without_one_the_engines_tables_stay_where_they_are() -> None:
    assert read_own_schema({"DATABASE_NAME": "jobs"}) == "jobs"
    assert read_own_schema({"DATABASE_NAME": "jobs", "OWN_SCHEMA": "mysql_jobs"}) == "mysql_jobs"


@pytest.mark.parametrize("name", ["", "Own", "own-schema", "o" * 32, "own`"])
def test_a_wrong_name_of_it_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="OWN_SCHEMA"):
        read_own_schema({"DATABASE_NAME": "jobs", "OWN_SCHEMA": name})


@pytest.mark.parametrize("name", ["Shop-Prod", "shop.main", "s" * 64])
def test_with_one_the_jobs_schema_may_have_any_name(name: str) -> None:
    """Without one, locks are named by it, and a lock's name has 64 characters at most."""
    assert read_database({**NAMES, "DATABASE_NAME": name, "OWN_SCHEMA": "own"}).name == name
    with pytest.raises(ConfigurationError, match="DATABASE_NAME"):
        read_database({**NAMES, "DATABASE_NAME": name})


@pytest.mark.parametrize("name", ["mysql", "SYS", "s" * 65, "s\nt"])
def test_the_jobs_schema_is_not_the_servers_own(name: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_NAME"):
        read_database({**NAMES, "DATABASE_NAME": name, "OWN_SCHEMA": "own"})
