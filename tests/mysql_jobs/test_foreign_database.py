"""On another application's server, under load: its jobs run on tables that were there, and nothing else changes."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pymysql
import pytest

from local.mysql_server import MySQLServer
from mysql_jobs import doctor, migrate, migration_files
from mysql_jobs.credentials import Credentials
from mysql_jobs.doctor import DoctorError
from mysql_jobs.run import Run
from testkit.function import Context, configured
from tests.mysql_jobs.foreign import APPLICATION, execute, started, written
from tests.mysql_jobs.function import EIGHT, Function

pytestmark = pytest.mark.integration

ITEMS = "`Shop-Main`.`Order-Items`"
TABLES = {"Order-Items": "DELETE, SELECT", "shop_archive.1": "INSERT, SELECT", "Shop-Main.a.b `c`": "SELECT"}
OURS = "job_archive"
RIGHTS = {"pulse": {"user": OURS, "connections": 5, "tables": TABLES}}
FILLED = (
    f"INSERT INTO {ITEMS} (sku, sold_at) VALUES ('old', '2020-01-01'), ('older', '2019-01-01'), ('new', '2026-11-23')",
    "INSERT INTO `Shop-Main`.ledger VALUES (1, 'the shop''s own')",
    "INSERT INTO `Shop-Main`.old_log VALUES ('a line')",
    "CREATE TABLE `Shop-Main`.load_on_it (id INT AUTO_INCREMENT PRIMARY KEY)",
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MySQLServer]:
    with started(tmp_path_factory.mktemp("shop"), statements=(*APPLICATION, *FILLED)) as server:
        yield server


@pytest.fixture
def function(shop: MySQLServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    """A job of an environment that has adopted the server; the project has no migrations."""
    monkeypatch.setitem(migration_files.FOLDERS, "project", tmp_path)
    variables = {
        "AWS_REGION": "eu-central-1",
        "DATABASE_ORIGIN": "existing",
        "DATABASE_HOST": shop.host,
        "DATABASE_PORT": str(shop.port),
        "DATABASE_NAME": "Shop-Main",
        "OWN_SCHEMA": "mysql_jobs",
        "DATABASE_ENDPOINT": "instance",
        "DATABASE_CERTIFICATES": str(shop.certificate_authority),
        "DATABASE_USER": shop.user,
        "DATABASE_AUTH": "secret",
        "DATABASE_SECRET": "master",
        "CONNECTIONS_NEEDED": "10",
        "RIGHTS": json.dumps(RIGHTS),
        "JOBS_AUTH": "secret",
        "JOBS_SECRETS": "jobs/",
        "JOB": "pulse",
        "MAX_WINDOW_MINUTES": "60",
    }
    secrets = {
        "master": Credentials(shop.user, shop.password),
        "jobs/pulse": Credentials(OURS, "a password of 2 parts"),
    }
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    with configured({}, secrets):
        function = Function(_context(), monkeypatch)
        function.do(_archive)
        yield function
    execute(shop, "DROP DATABASE IF EXISTS mysql_jobs", f"DROP USER IF EXISTS {OURS}")


def _context() -> Context:
    return Context.of("test-migrate", "request-1", seconds=60)


def _deploy() -> Any:
    return migrate.lambda_handler({}, _context())


def _as_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_USER", OURS)
    monkeypatch.setenv("DATABASE_SECRET", "jobs/pulse")


def _archive(run: Run) -> dict[str, Any]:
    """Move what was sold long ago into another schema's table."""
    with run.cursor() as cursor:
        cursor.execute(f"SELECT id, sold_at FROM {ITEMS} WHERE sold_at < '2021-01-01'")
        old = cursor.fetchall()
        cursor.executemany("INSERT INTO shop_archive.`1` VALUES (%s, %s)", old)
        cursor.execute(f"DELETE FROM {ITEMS} WHERE sold_at < '2021-01-01'")
        cursor.execute("SELECT COUNT(*) FROM `Shop-Main`.`a.b ``c```")
    return {"archived": len(old)}


def test_nothing_changes_but_what_was_asked_for(
    function: Function, shop: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _all_of(shop)
    with _load(shop) as load:
        assert _deploy() == {
            "applied": ["mysql_jobs/migrations/0001_ledger.sql", "mysql_jobs/migrations/0002_windows.sql"]
        }
        deployed = _all_of(shop)
        _as_the_job(monkeypatch)
        run = function.deliver(EIGHT)
        assert (run["outcome"], run["result"]) == ("done", {"archived": 2})
        assert function.deliver(EIGHT)["outcome"] == "duplicate"
    assert load.errors == []
    assert execute(shop, "SELECT COUNT(*) FROM `Shop-Main`.load_on_it") == [(load.rows,)]
    assert load.rows > 0
    new = {each: after for each, after in deployed.items() if before.get(each) != after}
    assert before.keys() <= deployed.keys()
    assert sorted(new) == [
        ("grants", f"{OURS}@%"),
        ("schema", "mysql_jobs"),
        *(("table", f"mysql_jobs.{table}") for table in ("ledger", "migration", "migration_statement", "watched")),
        ("user", f"{OURS}@%"),
    ]
    assert set(new["grants", f"{OURS}@%"].split("\n")) == {
        f"GRANT USAGE ON *.* TO `{OURS}`@`%`",
        f"GRANT SELECT, DELETE ON {ITEMS} TO `{OURS}`@`%`",
        f"GRANT SELECT, INSERT ON `shop_archive`.`1` TO `{OURS}`@`%`",
        f"GRANT SELECT ON `Shop-Main`.`a.b ``c``` TO `{OURS}`@`%`",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON `mysql_jobs`.`ledger` TO `{OURS}`@`%`",
    }
    after = _all_of(shop)
    changed = {name for (kind, name), was in deployed.items() if after[kind, name] != was}
    assert changed == {"Shop-Main.Order-Items", "shop_archive.1", "mysql_jobs.ledger"}
    assert execute(shop, f"SELECT sku FROM {ITEMS}") == [("new",)]
    assert execute(shop, "SELECT job, outcome FROM mysql_jobs.ledger") == [("pulse", "done")]
    execute(shop, f"DELETE FROM {ITEMS}", FILLED[0], "DELETE FROM shop_archive.`1`")


def test_a_database_that_is_not_as_it_should_be_stops_the_deploy_before_anything_changes(
    function: Function, shop: MySQLServer, caplog: pytest.LogCaptureFixture
) -> None:
    execute(shop, "SET GLOBAL password_history = 3, GLOBAL sql_mode = ''")
    before, position = _all_of(shop), written(shop)
    try:
        with pytest.raises(DoctorError, match=r"(?s)^nothing was changed in the database.*- password_history: is 3"):
            _deploy()
        assert (_all_of(shop), written(shop)) == (before, position)
    finally:
        execute(shop, "SET GLOBAL password_history = 0, GLOBAL sql_mode = DEFAULT")
    assert "the doctor: sql_mode: is not strict" in caplog.text, "what only warns is told, too"
    assert _deploy()["applied"]


def test_the_doctor_alone_tells_what_it_found(function: Function, shop: MySQLServer) -> None:
    execute(shop, "SET GLOBAL sql_mode = ''")
    try:
        found = migrate.lambda_handler({"doctor": True}, _context())["findings"]
    finally:
        execute(shop, "SET GLOBAL sql_mode = DEFAULT")
    assert [each["where"] for each in json.loads(json.dumps(found))] == ["sql_mode"]
    assert execute(shop, "SHOW DATABASES LIKE 'mysql_jobs'") == [], "nothing is migrated"


def test_a_database_that_the_environment_made_is_examined_on_demand_only(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    examine = mock.Mock(return_value=[])
    monkeypatch.setattr(doctor, "examine", examine)
    monkeypatch.setenv("DATABASE_ORIGIN", "made")
    assert _deploy()["applied"]
    assert not examine.called
    assert migrate.lambda_handler({"doctor": True}, _context()) == {"findings": []}
    assert examine.call_count == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"autocommit": "0"},
        {"completion_type": "2"},
        {"default_storage_engine": "MyISAM"},
        {"sql_mode": "''"},
        {"sql_mode": "'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,HIGH_NOT_PRECEDENCE'"},
        {"sql_safe_updates": "1", "sql_require_primary_key": "1"},
        {"transaction_isolation": "'READ-COMMITTED'"},
        {"transaction_isolation": "'READ-UNCOMMITTED'"},
        {"transaction_isolation": "'SERIALIZABLE'"},
        {"binlog_format": "STATEMENT"},
        {"time_zone": "'+05:00'", "character_set_server": "latin1", "event_scheduler": "0"},
        {"max_execution_time": "1", "wait_timeout": "1", "innodb_lock_wait_timeout": "1"},
    ],
    ids=str,
)
def test_the_engine_works_with_whatever_the_doctor_does_not_stop_at(
    settings: dict[str, str], function: Function, shop: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(shop, *(f"SET GLOBAL {name} = {value}" for name, value in settings.items()))
    try:
        assert not [each for each in _findings() if each["severity"] == "stops"]
        _deploy()
        engines = "SELECT DISTINCT engine FROM information_schema.tables WHERE table_schema = 'mysql_jobs'"
        assert execute(shop, engines) == [("InnoDB",)]
        _as_the_job(monkeypatch)
        assert function.deliver(EIGHT)["outcome"] == "done"
        assert function.deliver(EIGHT)["outcome"] == "duplicate"
    finally:
        execute(shop, *(f"SET GLOBAL {name} = DEFAULT" for name in settings))
        execute(shop, f"DELETE FROM {ITEMS}", FILLED[0], "DELETE FROM shop_archive.`1`", "COMMIT")


def _findings() -> Any:
    return migrate.lambda_handler({"doctor": True}, _context())["findings"]


def _all_of(server: MySQLServer) -> dict[tuple[str, str], str]:
    """Everything on the server, by kind and name: schemas, tables with their rows, users, grants, variables."""
    found: dict[tuple[str, str], str] = {}
    for (schema,) in execute(server, "SHOW DATABASES"):
        found["schema", schema] = str(execute(server, f"SHOW CREATE DATABASE `{schema}`"))
        if schema in ("information_schema", "mysql", "performance_schema", "sys"):
            continue
        for table, kind in execute(server, f"SHOW FULL TABLES IN `{schema}`"):
            place = f"`{schema}`.`{table.replace('`', '``')}`"
            defined = str(execute(server, f"SHOW CREATE TABLE {place}")) if table != "load_on_it" else ""
            rows = "" if kind == "VIEW" or not defined else str(execute(server, f"CHECKSUM TABLE {place}"))
            found["table", f"{schema}.{table}"] = defined + rows
    for user, host in execute(server, "SELECT user, host FROM mysql.user"):
        found["user", f"{user}@{host}"] = str(execute(server, f"SHOW CREATE USER `{user}`@`{host}`"))
        grants = [grant for (grant,) in execute(server, f"SHOW GRANTS FOR `{user}`@`{host}`")]
        found["grants", f"{user}@{host}"] = "\n".join(grants)
    for name, value in execute(server, "SHOW GLOBAL VARIABLES WHERE variable_name NOT LIKE 'gtid%'"):
        found["variable", name] = value
    return found


@contextmanager
def _load(server: MySQLServer) -> Iterator[Any]:
    """The application at work, as long as the context lasts."""
    load = SimpleNamespace(rows=0, errors=[])
    ends = threading.Event()

    def work() -> None:
        with closing(server.connect()) as connection, connection.cursor() as cursor:
            while not ends.is_set():
                try:
                    cursor.execute("INSERT INTO `Shop-Main`.load_on_it () VALUES ()")
                    cursor.execute(f"SELECT sku FROM {ITEMS} WHERE sold_at > '2026-01-01' FOR UPDATE")
                    load.rows += 1
                except pymysql.MySQLError as error:
                    load.errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield load
    finally:
        ends.set()
        thread.join()
