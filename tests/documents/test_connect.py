"""docs/connect.md: its entry is one that an environment may have, and its migration does what the page says, here too.

Only RDS has AWSAuthenticationPlugin. Its stand-ins: no plugin at all, another one, and a password.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest
from pymysql.constants import ER

from local.mysql_server import MySQLServer
from mysql_jobs.migration_files import read_migrations
from rehearsal.trial import Trial
from settings.environment import ClientSettings
from settings.project import ROOT, Project
from testkit.database import Database, new_database
from tests.documents.documents import blocks

PLUGIN = "WITH AWSAuthenticationPlugin AS 'RDS'"
LIMIT = "MAX_USER_CONNECTIONS 40"
PASSWORD = "stand-in"
LOCKED = 3118
"""ER_ACCOUNT_HAS_BEEN_LOCKED, which PyMySQL has no name for."""

Migrated = Callable[..., AbstractContextManager[Database]]


def _block(document: str, text: str) -> str:
    [block] = [each for each in blocks([ROOT / document]) if text in each.text]
    return block.text


def test_its_client_is_one_that_an_environment_may_have_with_the_limit_of_its_user() -> None:
    [client] = tomllib.loads(_block("docs/connect.md", "[[database.clients]]"))["database"]["clients"]
    assert f"MAX_USER_CONNECTIONS {ClientSettings(**client).connections}" == LIMIT
    assert LIMIT in _block("docs/connect.md", PLUGIN)


def test_the_authorities_that_it_names_are_there() -> None:
    shell = _block("docs/connect.md", "--ssl-mode=VERIFY_IDENTITY")
    [file] = [word.partition("=")[2] for word in shell.split() if word.startswith("--ssl-ca=")]
    assert (ROOT / file).is_file()


@pytest.fixture
def migrated(server: MySQLServer, tmp_path: Path) -> Iterator[Migrated]:
    """A schema with the invoices of docs/jobs.md, and the page's migration with some of its text replaced."""

    @contextmanager
    def migrated(*, login: str = PLUGIN, limit: str = LIMIT) -> Iterator[Database]:
        project = Project(tmp_path / "project")
        project.jobs.mkdir(parents=True)
        project.migrations.mkdir()
        (project.migrations / "0001_invoice.sql").write_text(_block("docs/jobs.md", "CREATE TABLE"))
        text = _block("docs/connect.md", PLUGIN)
        for old, new in ((PLUGIN, login), (LIMIT, limit)):
            assert text.count(old) == 1
            text = text.replace(old, new)
        (project.migrations / "0002_shop.sql").write_text(text)
        with new_database(server, project) as database:
            database.migrate({})
            yield database

    yield migrated
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("DROP USER IF EXISTS shop")


@pytest.mark.integration
def test_where_the_plugin_is_not_there_nobody_can_log_in_and_the_rights_are_the_same(
    migrated: Migrated, server: MySQLServer
) -> None:
    with migrated() as database:
        assert "ACCOUNT LOCK" in _user(database)
        assert database.rows("SHOW GRANTS FOR shop")[1:] == [
            (f"GRANT SELECT, INSERT, UPDATE ON `{database.name}`.`invoice` TO `shop`@`%`",)
        ]
        with pytest.raises(pymysql.OperationalError) as caught:
            _connect(server, database, password="")
        assert caught.value.args[0] == LOCKED
        database.migrate({"invoice": frozenset({"SELECT"})})  # the next deploy


@pytest.mark.integration
def test_where_a_plugin_is_there_the_user_is_its_with_tls_and_the_limit(
    migrated: Migrated, server: MySQLServer
) -> None:
    with migrated(login="WITH sha256_password") as database:
        user = _user(database)
        assert "IDENTIFIED WITH 'sha256_password'" in user
        assert "REQUIRE SSL WITH MAX_USER_CONNECTIONS 40" in user
        assert "ACCOUNT UNLOCK" in user
        assert not database.rows("SELECT 1 FROM information_schema.routines WHERE routine_schema = DATABASE()")


@pytest.mark.integration
def test_the_shop_has_its_table_over_tls_and_no_more_connections_than_it_said(
    migrated: Migrated, server: MySQLServer
) -> None:
    with migrated(login=f"BY '{PASSWORD}'", limit="MAX_USER_CONNECTIONS 2") as database:
        with closing(_connect(server, database)) as first, first.cursor() as cursor:
            cursor.execute("INSERT INTO invoice (paid_at) VALUES (NULL)")
            for forbidden in ("DELETE FROM invoice", "SELECT * FROM ledger", "SELECT * FROM invoice_archive"):
                with pytest.raises(pymysql.OperationalError) as caught:
                    cursor.execute(forbidden)
                assert caught.value.args[0] == ER.TABLEACCESS_DENIED_ERROR
            with closing(_connect(server, database)):
                with pytest.raises(pymysql.OperationalError) as caught:
                    _connect(server, database)
                assert caught.value.args[0] == ER.USER_LIMIT_REACHED
        with pytest.raises(pymysql.OperationalError):
            _connect(server, database, tls=False)


@pytest.mark.integration
def test_make_diff_says_that_the_user_is_new_and_each_right_and_asks_about_the_procedure(
    server: MySQLServer, tmp_path: Path
) -> None:
    for name, document, text in (("0001_invoice", "jobs", "CREATE TABLE"), ("0002_shop", "connect", PLUGIN)):
        (tmp_path / f"{name}.sql").write_text(_block(f"docs/{document}.md", text))
    invoice, shop = read_migrations(tmp_path, "project")
    with Trial.on(server) as trial:
        try:
            assert list(trial.apply([invoice])) == []
            found = [(each.kind, each.text) for each in trial.findings(shop)]
        finally:
            with closing(server.connect()) as connection, connection.cursor() as cursor:
                cursor.execute("DROP USER IF EXISTS shop")
    assert {kind for kind, _ in found} == {"access", "unclassified"}
    assert [text for kind, text in found if kind == "unclassified"] == [
        "statement 2 calls a procedure, which may do anything"
    ]
    rights = [text.partition("'shop'@'%' ")[2].partition(" ")[0] for kind, text in found if kind == "access"]
    assert sorted(filter(None, rights)) == ["INSERT", "SELECT", "UPDATE", "USAGE"]


def _user(database: Database) -> str:
    [(text,)] = database.rows("SHOW CREATE USER shop")
    return str(text)


def _connect(
    server: MySQLServer, database: Database, *, password: str = PASSWORD, tls: bool = True
) -> pymysql.Connection[Any]:
    return pymysql.connect(
        host=server.host,
        port=server.port,
        user="shop",
        password=password,
        database=database.name,
        autocommit=True,
        ssl_disabled=not tls,
        ssl_ca=str(server.certificate_authority),
        ssl_verify_identity=True,
    )
