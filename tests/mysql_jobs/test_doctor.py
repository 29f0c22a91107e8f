"""Every line of the doctor, with a real server that provokes it; and that the doctor changes nothing."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from lab import mariadb_installation
from lab.mariadb_server import MariaDBServer
from local import mysql_installation, mysql_server
from local.environment import CACHE
from local.mysql_server import MySQLServer
from mysql_jobs import doctor
from mysql_jobs.credentials import Credentials
from mysql_jobs.deadline import Deadline
from mysql_jobs.doctor import DoctorError, Finding, Wanted, examine, refuse
from tests.mysql_jobs.foreign import APPLICATION, database_of, execute, started, written
from tests.mysql_jobs.known import Known

pytestmark = pytest.mark.integration

ALL = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
ITEMS = "Shop-Main.Order-Items"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MySQLServer]:
    """Another application's server, on which nothing is wrong."""
    with started(tmp_path_factory.mktemp("shop"), statements=APPLICATION) as server:
        yield server


def _wanted(server: Any, certificates: Path | None = None, **other: Any) -> Wanted:
    wanted = Wanted(
        database=database_of(server, certificates or server.certificate_authority, "Shop-Main"),
        own_schema="mysql_jobs",
        users={"job_archive": "secret"},
        tables={"Order-Items": frozenset({"SELECT", "DELETE"}), "shop_archive.1": ALL},
        connections=20,
        migrations=[],
    )
    return wanted._replace(**other)


def _examined(
    server: Any, wanted: Wanted, credentials: Credentials | None = None, seconds: float = 30
) -> Sequence[Finding]:
    known = Known(credentials=credentials or Credentials(server.user, server.password))
    return examine(wanted=wanted, authentication=known, deadline=Deadline.after(seconds), program_name="the doctor")


def test_nothing_is_found_on_a_server_as_it_should_be(shop: MySQLServer) -> None:
    """Not before the first deploy, and not after it, when the engine's tables and users are there."""
    assert _examined(shop, _wanted(shop)) == []
    ledger = "CREATE TABLE mysql_jobs.ledger (job INT, sequence INT)"
    log = "CREATE TABLE mysql_jobs.migration (origin INT, checksum INT)"
    attribute = '{"mysql_jobs": {"schema": "mysql_jobs", "job": "archive"}}'
    user = f"CREATE USER job_archive IDENTIFIED BY 'x' ATTRIBUTE '{attribute}'"
    execute(shop, "CREATE DATABASE mysql_jobs", ledger, log, user)
    try:
        assert _examined(shop, _wanted(shop)) == [], "also if the deploy ended between the user and its rights"
        execute(
            shop, "GRANT SELECT ON mysql_jobs.ledger TO job_archive", f"GRANT SELECT ON {_quoted(ITEMS)} TO job_archive"
        )
        assert _examined(shop, _wanted(shop)) == []
    finally:
        execute(shop, "DROP DATABASE mysql_jobs", "DROP USER job_archive")


def test_it_changes_nothing(shop: MySQLServer) -> None:
    before = written(shop), execute(shop, "SELECT user, host FROM mysql.user"), execute(shop, "SHOW DATABASES")
    missing = {**_wanted(shop).tables, "gone": ALL, "no_schema.gone": ALL}
    findings = _examined(shop, _wanted(shop, tables=missing, users={"job_archive": "iam", "shop": "iam"}))
    assert len(findings) == 4
    assert before == (
        *(written(shop), execute(shop, "SELECT user, host FROM mysql.user")),
        execute(shop, "SHOW DATABASES"),
    )


LINES = {
    "transaction_read_only": ("transaction_read_only = 1", "stops", "take no changes by default", "Set it to 0"),
    "require_secure_transport": ("require_secure_transport = 0", "warns", "without TLS", "Set it to 1"),
    "password_history": ("password_history = 5", "stops", "is 5: each deploy", 'or write auth = "iam"'),
    "password_reuse_interval": ("password_reuse_interval = 9", "stops", "is 9: each deploy", 'or write auth = "iam"'),
    "default_password_lifetime": ("default_password_lifetime = 90", "warns", "expire after so many", "Set it to 0"),
    "max_connections": ("max_connections = 19", "stops", "is 19, and this environment alone opens up to 20", "Raise"),
    "max_user_connections": ("max_user_connections = 19", "warns", "is 19 for each user without", "set it to 0"),
    "transaction_isolation": ("transaction_isolation = 'SERIALIZABLE'", "warns", "deadlocks", "REPEATABLE-READ"),
}


@pytest.mark.parametrize("where", LINES)
def test_a_setting_of_the_server_is_found(where: str, shop: MySQLServer) -> None:
    provoke, severity, what, remedy = LINES[where]
    _found_while(shop, f"SET GLOBAL {provoke}", f"SET GLOBAL {where} = DEFAULT", (severity, where, what, remedy))


@pytest.mark.parametrize(
    ("mode", "what"),
    [
        ("", "is not strict"),
        ("STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES", "has NO_BACKSLASH_ESCAPES"),
        ("STRICT_TRANS_TABLES,ANSI_QUOTES", "has ANSI_QUOTES"),
    ],
)
def test_an_odd_sql_mode_is_found(mode: str, what: str, shop: MySQLServer) -> None:
    _found_while(
        shop, f"SET GLOBAL sql_mode = '{mode}'", "SET GLOBAL sql_mode = DEFAULT", ("warns", "sql_mode", what, " jobs")
    )


def test_read_uncommitted_is_found(shop: MySQLServer) -> None:
    wrong = ("warns", "transaction_isolation", "may still roll back", "REPEATABLE-READ")
    uncommitted = "SET GLOBAL transaction_isolation = 'READ-UNCOMMITTED'"
    _found_while(shop, uncommitted, "SET GLOBAL transaction_isolation = DEFAULT", wrong)


def test_a_binary_log_that_takes_no_change_is_found(shop: MySQLServer) -> None:
    execute(shop, "SET GLOBAL transaction_isolation = 'READ-COMMITTED'")
    try:
        wrong = ("stops", "binlog_format", "transaction_isolation READ-COMMITTED", "ROW, or to MIXED")
        _found_while(shop, "SET GLOBAL binlog_format = STATEMENT", "SET GLOBAL binlog_format = DEFAULT", wrong)
        execute(shop, "SET GLOBAL binlog_format = MIXED")
        assert _examined(shop, _wanted(shop)) == []
    finally:
        execute(shop, "SET GLOBAL transaction_isolation = DEFAULT", "SET GLOBAL binlog_format = DEFAULT")


@pytest.mark.parametrize("name", ["read_only", "super_read_only"])
def test_a_server_that_takes_no_changes_is_found(name: str, shop: MySQLServer) -> None:
    wrong = ("stops", "read_only", "a reader or a replica", "the endpoint of the writer")
    off = "SET GLOBAL super_read_only = 0, GLOBAL read_only = 0"
    _found_while(shop, f"SET GLOBAL {name} = 1", off, wrong)


def test_a_reader_of_aurora_is_found(tmp_path: Path) -> None:
    with started(tmp_path / "server", statements=APPLICATION) as server:
        reader = replace(server, command=(*server.command, "--innodb-read-only", "--skip-log-bin")).restart()
        try:
            [finding] = _examined(reader, _wanted(reader))
        finally:
            reader.stop()
    assert finding.severity == "stops"
    assert "innodb_read_only" in finding.where


def test_a_password_policy_that_ours_break_is_found(shop: MySQLServer) -> None:
    wrong = ("stops", "validate_password.special_char_count", "letters and digits only", 'auth = "iam"')
    component = "COMPONENT 'file://component_validate_password'"
    _found_while(shop, f"INSTALL {component}", f"UNINSTALL {component}", wrong)
    execute(shop, f"INSTALL {component}")
    try:
        execute(shop, "SET GLOBAL validate_password.policy = LOW")
        assert _examined(shop, _wanted(shop)) == []
    finally:
        execute(shop, f"UNINSTALL {component}")


def test_what_concerns_passwords_concerns_no_login_by_iam(shop: MySQLServer) -> None:
    execute(shop, "SET GLOBAL password_history = 5, GLOBAL default_password_lifetime = 9")
    try:
        [finding] = _examined(shop, _wanted(shop, users={"job_archive": "iam"}))
    finally:
        execute(shop, "SET GLOBAL password_history = 0, GLOBAL default_password_lifetime = 0")
    assert finding[:2] == ("stops", "AWSAuthenticationPlugin")
    assert "Enable IAM authentication" in finding.remedy


def test_a_login_that_the_server_knows_is_fine(shop: MySQLServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's plugin is on AWS only: one that is here stands in for it."""
    monkeypatch.setattr(doctor, "IAM_PLUGIN", "caching_sha2_password")
    assert _examined(shop, _wanted(shop, users={"job_archive": "iam"})) == []


def test_connections_that_may_not_suffice_are_found(shop: MySQLServer) -> None:
    assert _examined(shop, _wanted(shop, connections=None)) == []
    [finding] = _examined(shop, _wanted(shop, connections=151))
    assert finding[:2] == ("warns", "max_connections")
    assert "is 151: " in finding.what


def test_empty_time_zones_are_found(tmp_path: Path) -> None:
    installation = mysql_installation.find_or_fetch(CACHE, progress=print)
    settings = {"require_secure_transport": "1"}
    with MySQLServer.start(installation, tmp_path, settings=settings, progress=print) as server:
        execute(server, *APPLICATION)
        findings = _examined(server, _wanted(server))
    _is([("warns", "mysql.time_zone_name", "The engine needs them not", "mysql_tzinfo_to_sql")], findings)


@pytest.mark.parametrize(
    ("tables", "finding"),
    [
        ({"gone": {"SELECT"}}, ("stops", "Shop-Main.gone", "it is not there", "Correct the name in TABLES")),
        ({"nowhere.gone": {"SELECT"}}, ("stops", "nowhere.gone", "it is not there", "Correct the name")),
        ({"order-items": {"SELECT"}}, ("stops", "Shop-Main.order-items", "it is not there", "Correct the name")),
        ({"old_log": {"INSERT"}}, ("warns", "Shop-Main.old_log", "is MyISAM", "ENGINE = InnoDB")),
    ],
)
def test_a_table_that_no_job_can_work_on_is_found(
    tables: dict[str, set[str]], finding: tuple[str, ...], shop: MySQLServer
) -> None:
    rights = {name: frozenset(each) for name, each in tables.items()}
    _is([finding], _examined(shop, _wanted(shop, tables=rights)))


@pytest.mark.parametrize("name", ["old_log", "sold", "a.b `c`", "ledger"])
def test_a_table_of_any_name_that_is_read_is_fine(name: str, shop: MySQLServer) -> None:
    tables = {f"Shop-Main.{name}": frozenset({"SELECT"})}
    assert _examined(shop, _wanted(shop, tables=tables)) == []


def test_a_table_that_a_migration_makes_is_not_missed(shop: MySQLServer) -> None:
    wanted = _wanted(shop, tables={"Report": ALL}, migrations=["CREATE TABLE `Report` (a INT)"])
    assert _examined(shop, wanted) == []
    _is(
        [("stops", "Shop-Main.Report", "it is not there", "")],
        _examined(shop, wanted._replace(migrations=["CREATE TABLE Reports (a INT)"])),
    )


@pytest.mark.parametrize(
    ("statements", "finding"),
    [
        (["CREATE TABLE mysql_jobs.x (a INT)"], ("stops", "mysql_jobs", "is not the engine's: it has x", "another")),
        (["CREATE TABLE mysql_jobs.ledger (a INT)"], ("stops", "mysql_jobs.ledger", "not the engine's", "another")),
        (["CREATE TABLE mysql_jobs.migration (a INT)"], ("stops", "mysql_jobs.migration", "not the", "another")),
    ],
)
def test_a_schema_of_the_engines_name_is_found(
    statements: list[str], finding: tuple[str, ...], shop: MySQLServer
) -> None:
    execute(shop, "CREATE DATABASE mysql_jobs")
    try:
        assert _examined(shop, _wanted(shop)) == [], "an empty one is as good as none"
        execute(shop, *statements)
        _is([finding], _examined(shop, _wanted(shop)))
    finally:
        execute(shop, "DROP DATABASE mysql_jobs")


def test_a_table_in_the_way_is_found_where_the_engine_has_no_schema_of_its_own(shop: MySQLServer) -> None:
    findings = _examined(shop, _wanted(shop, own_schema="Shop-Main"))
    _is([("stops", "Shop-Main.ledger", "not the engine's", "another schema")], findings)


@pytest.mark.parametrize("host", ["%", "10.0.0.1"])
def test_a_user_of_a_jobs_name_is_found(host: str, shop: MySQLServer) -> None:
    user = f"job_archive@'{host}'"
    execute(shop, f"CREATE USER {user} IDENTIFIED BY 'x'", f"GRANT SELECT ON `Shop-Main`.user TO {user}")
    try:
        findings = _examined(shop, _wanted(shop))
    finally:
        execute(shop, f"DROP USER {user}")
    _is([("stops", f"job_archive@{host}", "no migration of this environment has made it", "RENAME USER")], findings)


@pytest.mark.parametrize(
    ("lacks", "what"),
    [
        ("CREATE USER ON *.*", "make users"),
        ("ALTER ON mysql_jobs.*", "make tables in `mysql_jobs`"),
        ("GRANT OPTION ON mysql_jobs.*", "give jobs DELETE, INSERT, SELECT, UPDATE ON `mysql_jobs`.`ledger`"),
        ("DELETE ON `Shop-Main`.*", "give jobs DELETE, SELECT ON `Shop-Main`.`Order-Items`"),
        ("GRANT OPTION ON shop_archive.*", "give jobs DELETE, INSERT, SELECT, UPDATE ON `shop_archive`.`1`"),
        ("SELECT ON mysql.*", "can't see which users are there"),
    ],
)
def test_a_right_that_the_migrations_lack_is_found_with_the_statement_that_gives_it(
    lacks: str, what: str, shop: MySQLServer
) -> None:
    """And the statement of the remedy gives it, indeed."""
    credentials = _weak(shop, lacks)
    try:
        [finding] = _examined(shop, _wanted(shop), credentials)
        assert finding.severity == "stops"
        assert what in finding.what
        execute(shop, finding.remedy)
        assert _examined(shop, _wanted(shop), credentials) == []
    finally:
        execute(shop, f"DROP USER {credentials.user}")


def test_the_jobs_schema_is_one_to_make_tables_in_if_there_are_migrations(shop: MySQLServer) -> None:
    credentials = _weak(shop, "CREATE ON `Shop-Main`.*")
    try:
        assert _examined(shop, _wanted(shop), credentials) == []
        [finding] = _examined(shop, _wanted(shop, migrations=["CREATE TABLE a (a INT)"]), credentials)
        assert "make tables in `Shop-Main`" in finding.what
    finally:
        execute(shop, f"DROP USER {credentials.user}")


def test_rights_of_a_role_count(shop: MySQLServer) -> None:
    """On RDS, the master user has its own from the role rds_superuser_role."""
    credentials = _weak(shop, "CREATE USER ON *.*")
    try:
        execute(
            shop,
            *("CREATE ROLE master", "GRANT CREATE USER ON *.* TO master", f"GRANT master TO {credentials.user}"),
            f"SET DEFAULT ROLE master TO {credentials.user}",
        )
        assert _examined(shop, _wanted(shop), credentials) == []
    finally:
        execute(shop, f"DROP USER {credentials.user}", "DROP ROLE master")


def test_all_is_found_at_once_what_stops_first(shop: MySQLServer) -> None:
    settings = ("password_history", "require_secure_transport", "sql_mode")
    execute(shop, "SET GLOBAL password_history = 5, GLOBAL require_secure_transport = 0, GLOBAL sql_mode = ''")
    try:
        findings = _examined(shop, _wanted(shop, tables={"gone": ALL}))
    finally:
        execute(shop, *(f"SET GLOBAL {each} = DEFAULT" for each in settings), "SET GLOBAL require_secure_transport = 1")
    assert [each.where for each in findings] == [
        *("password_history", "Shop-Main.gone", "sql_mode", "require_secure_transport")
    ]
    with pytest.raises(DoctorError) as caught:
        refuse(findings)
    assert [each.partition(":")[0] for each in str(caught.value).split("\n")[1:]] == [
        *("- password_history", "- Shop-Main.gone")
    ]
    refuse(findings[2:])


def test_names_in_small_letters_only_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installation = mysql_installation.find_or_fetch(CACHE, progress=print)
    folding = replace(installation, launch=(*installation.launch, "--lower-case-table-names=1"))
    monkeypatch.setattr(mysql_server, "INITIALIZED", tmp_path / "initialized")
    with MySQLServer.start(folding, tmp_path / "server", progress=print) as server:
        execute(server, *APPLICATION)
        findings = _examined(server, _wanted(server, tables={"Order-Items": ALL, "shop_archive.1": ALL}))
        stops = [each for each in findings if each.severity == "stops"]
    _is([("stops", "Shop-Main.Order-Items", "has capitals", "Write shop-main.order-items")], stops)


def test_mariadb_is_named_as_such(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    tls = [f"--ssl-{each}={tmp_path / 'server.pem'}" for each in ("cert", "key")]
    installation = mariadb_installation.find_or_fetch(CACHE, progress=print)
    with MariaDBServer.start(installation, tmp_path / "server", options=tls, progress=print) as server:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE `Shop-Main`")
        findings = _examined(server, _wanted(server, tmp_path / "ca.pem"))
    _is([("stops", "version", f"this is MariaDB {server.version.partition('-')[0]}", "Use RDS for MySQL")], findings)


@pytest.mark.parametrize(("version", "found"), [("5.7.44-log", True), ("8.0.39", False), ("8.4.5", False)])
def test_an_old_version_is_found(version: str, found: bool) -> None:
    """No such server runs here: what it would say."""

    class Cursor:
        def execute(self, statement: str) -> None:
            assert statement == "SHOW GLOBAL VARIABLES"

        def fetchall(self) -> list[tuple[str, str]]:
            return [("version", version), ("version_comment", "Source distribution")]

    cursor: Any = Cursor()
    server = doctor.Server(cursor)
    wrong = [("stops", "version", f"MySQL {version} is older than 8.0", "Upgrade it to MySQL 8.4")]
    _is(wrong if found else [], list(doctor._product(server)))


def test_a_server_that_can_not_be_logged_in_to_is_a_finding(shop: MySQLServer, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    cases: list[tuple[Wanted, Credentials | None, str]] = [
        (_wanted(shop, tmp_path / "other.pem"), None, "a certificate of an authority that is trusted"),
        (_wanted(shop), Credentials(shop.user, "wrong"), "Correct the user and the password"),
        (_wanted(shop, database=database_of(shop, shop.certificate_authority, "gone")), None, "a schema that is there"),
        (_wanted(shop, database=_wanted(shop).database._replace(port=1)), None, "security group"),
    ]
    for wanted, credentials, remedy in cases:
        [finding] = _examined(shop, wanted, credentials, seconds=1)
        assert finding.severity == "stops"
        assert finding.where == f"localhost:{wanted.database.port}"
        assert remedy in finding.remedy


def _found_while(server: MySQLServer, provoke: str, undo: str, finding: tuple[str, ...]) -> None:
    execute(server, provoke)
    try:
        findings = _examined(server, _wanted(server))
    finally:
        execute(server, undo, "SET GLOBAL require_secure_transport = 1")
    _is([finding], findings)


def _is(expected: Sequence[tuple[str, ...]], findings: Sequence[Finding]) -> None:
    """Whether these findings are those, and no more."""
    assert len(findings) == len(expected), findings
    for finding, (severity, where, what, remedy) in zip(findings, expected, strict=True):
        assert finding.severity == severity
        assert where in finding.where
        assert what in finding.what
        assert remedy in finding.remedy


def _weak(server: MySQLServer, lacks: str) -> Credentials:
    """Somebody who may do all that the migrations need, but for one right."""
    credentials = Credentials(f"weak_{secrets.token_hex(4)}", "a password")
    rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES"
    execute(
        server,
        f"CREATE USER {credentials.user} IDENTIFIED BY '{credentials.password}'",
        f"GRANT CREATE USER ON *.* TO {credentials.user}",
        f"GRANT SELECT ON mysql.* TO {credentials.user}",
        *(
            f"GRANT {rights} ON {schema}.* TO {credentials.user} WITH GRANT OPTION"
            for schema in ("mysql_jobs", "`Shop-Main`", "shop_archive")
        ),
        f"REVOKE {lacks} FROM {credentials.user}",
    )
    return credentials


def _quoted(name: str) -> str:
    return ".".join(f"`{each}`" for each in name.split("."))
