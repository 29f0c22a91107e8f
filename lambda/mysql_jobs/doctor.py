"""The doctor: everything about a database that was there before which the jobs can't work with, found at once.

It changes nothing. What a user may do, it asks the server itself, by statements that fail for another reason if they
are allowed: who is granted something does not exist, nor what is altered. docs/doctor.md has all of its lines, and
what it does not ask, as the engine works with any value of it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import pymysql
from pymysql.constants import CR, ER
from pymysql.cursors import Cursor

from mysql_jobs import job_users
from mysql_jobs.configuration import RIGHTS, Database
from mysql_jobs.connection import connect
from mysql_jobs.credentials import Authentication, CredentialsError
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.table_name import quoted, split

CONNECT_SECONDS = 60.0
"""How long a server that restarts is waited for."""
DENIED = {
    ER.ACCESS_DENIED_ERROR,
    ER.COLUMNACCESS_DENIED_ERROR,
    ER.DBACCESS_DENIED_ERROR,
    ER.SPECIFIC_ACCESS_DENIED_ERROR,
    ER.TABLEACCESS_DENIED_ERROR,
}
ALLOWED = {
    ER.BAD_DB_ERROR,
    ER.CANNOT_USER,
    ER.CANT_CREATE_USER_WITH_GRANT,
    ER.NO_SUCH_TABLE,
}
"""How a server refuses a statement that it would allow if what it names were there."""
TABLE_RIGHTS = "ALTER, CREATE, DELETE, DROP, INDEX, INSERT, REFERENCES, SELECT, UPDATE"
"""What migrations need in a schema, and what the server wants of whoever gives rights to rows."""
READ_ONLY = ("read_only", "super_read_only", "innodb_read_only")
IAM_PLUGIN = "AWSAuthenticationPlugin"
ER_PLUGIN_IS_NOT_LOADED = 1524
"""Which PyMySQL lacks."""
SIGNS = {
    "ledger": {"job", "sequence"},
    "migration": {"origin", "checksum"},
    "migration_statement": {"origin", "outcome"},
}
"""Columns that show that a table of this name is the engine's."""


class DoctorError(Exception):
    """The database is not as the jobs need it; the message has all that is wrong, each with its remedy."""


class Finding(NamedTuple):
    """Something that is not right."""

    severity: Literal["stops", "warns"]
    """Whether nothing can be deployed, or whether people should know."""
    where: str
    """The server variable, the table, the user …"""
    what: str
    remedy: str

    def __str__(self) -> str:
        """As it stands in a message."""
        return f"{self.where}: {self.what}. {self.remedy}"


class Wanted(NamedTuple):
    """What an environment needs of its database."""

    database: Database
    own_schema: str
    users: Mapping[str, Literal["iam", "secret"]]
    """The jobs' users, and how they log in."""
    tables: Mapping[str, frozenset[str]]
    """The rights that jobs need, by the names in TABLES."""
    connections: int | None
    """How many the environment opens at most; None if nobody has counted."""
    migrations: Sequence[str]
    """The statements of the project's migrations: they may make a table that is not there yet."""

    @property
    def places(self) -> dict[tuple[str, str], frozenset[str]]:
        """The rights by schema and table."""
        return {split(name, self.database.name): rights for name, rights in self.tables.items()}


class Server:
    """What the server says of itself."""

    def __init__(self, cursor: Cursor) -> None:
        """Ask for its variables."""
        self.cursor = cursor
        cursor.execute("SHOW GLOBAL VARIABLES")
        self.variables: dict[str, str] = dict(cursor.fetchall())
        self.version = self.variables["version"]

    def __getitem__(self, variable: str) -> str:
        """The value of a variable; empty if the server has none of this name."""
        return self.variables.get(variable, "")

    def is_on(self, variable: str) -> bool:
        """Whether a switch is on."""
        return self[variable] in ("ON", "1")

    def number(self, variable: str) -> int:
        """The value of a number; 0 if the server has none of this name."""
        return int(self[variable] or 0)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What a statement returns."""
        self.cursor.execute(statement, values or None)
        return list(self.cursor.fetchall())

    def refusal(self, statement: str) -> tuple[int, str]:
        """Return the number and the text of the error of a statement that must fail in any case.

        Raises:
            pymysql.MySQLError: the connection failed.
        """
        try:
            self.cursor.execute(statement)
        except pymysql.MySQLError as error:
            code = error.args[0]
            if not isinstance(code, int) or 2000 <= code < 3000:
                raise
            return code, str(error.args[1])
        raise AssertionError(f"this was to fail: {statement}")

    def denies(self, statement: str) -> str | None:
        """Return why the server does not allow a statement that must fail in any case; None if it would.

        Raises:
            pymysql.MySQLError: the connection failed.
        """
        code, text = self.refusal(statement)
        if code in ALLOWED:
            return None
        return text if code in DENIED else f"{text} ({code})"

    def hides(self, table: str) -> str | None:
        """Return why the server does not let this user read a table that is there; None if it does.

        Raises:
            pymysql.MySQLError: it refuses for another reason, or the connection failed.
        """
        try:
            self.rows(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608 (own names)
        except pymysql.MySQLError as error:
            if error.args[0] not in DENIED:
                raise
            return str(error.args[1])
        return None

    @property
    def user(self) -> str:
        """Whom the server takes this session for, as in a statement."""
        [(account,)] = self.rows("SELECT CURRENT_USER()")
        name, _, host = account.rpartition("@")
        return f"{quoted(name)}@{quoted(host)}"

    @property
    def writes(self) -> bool:
        """Whether it takes changes: what a user may do, a server that does not can't be asked."""
        return not any(map(self.is_on, (*READ_ONLY, "transaction_read_only")))


def examine(*, wanted: Wanted, authentication: Authentication, deadline: Deadline, program_name: str) -> list[Finding]:
    """Return all that is not right about the database, what stops first; the migrations' user asks.

    Raises:
        DeadlineExceeded, pymysql.MySQLError: the connection was lost meanwhile.
    """
    try:
        connection = connect(
            database=wanted.database,
            authentication=authentication,
            deadline=deadline.within(CONNECT_SECONDS),
            program_name=program_name,
            limited=False,
        )
    except (CredentialsError, DeadlineExceeded, pymysql.MySQLError) as error:
        return [_unreachable(error, wanted.database)]
    try:
        with connection.cursor() as cursor:
            return diagnose(cursor, wanted)
    finally:
        connection.destroy()


def diagnose(cursor: Cursor, wanted: Wanted) -> list[Finding]:
    """Return all that is not right, as `cursor` shows it; what stops comes first."""
    server = Server(cursor)
    findings = list(_product(server))
    if not findings:
        # The deadline bounds what is asked. The server's own limit may be too short for its dictionary: 3024.
        cursor.execute("SET SESSION max_execution_time = 0")
        findings = [each for check in CHECKS for each in check(server, wanted)]
    return sorted(findings, key=lambda each: each.severity)  # stable: otherwise in the order of the checks


def refuse(findings: Sequence[Finding]) -> None:
    """Make sure that nothing stops.

    Raises:
        DoctorError: something does.
    """
    if stops := [f"- {each}" for each in findings if each.severity == "stops"]:
        raise DoctorError("\n".join(["nothing was changed in the database, as it is not what the jobs need:", *stops]))


def _stops(where: str, what: str, remedy: str) -> Finding:
    return Finding("stops", where, what, remedy)


def _warns(where: str, what: str, remedy: str) -> Finding:
    return Finding("warns", where, what, remedy)


def _unreachable(error: Exception, database: Database) -> Finding:
    cause = error.__cause__ if isinstance(error, DeadlineExceeded) else error  # the last attempt's
    code = cause.args[0] if isinstance(cause, pymysql.MySQLError) and cause.args else None
    remedies: dict[object, str] = {
        CR.CR_CONN_HOST_ERROR: "Correct the endpoint and the port, or let the migrations' security group in",
        CR.CR_SSL_CONNECTION_ERROR: "Let the server offer TLS, with a certificate of an authority that is trusted here",
        ER.ACCESS_DENIED_ERROR: "Correct the user and the password in the migrations' secret",
        ER.BAD_DB_ERROR: "Write a schema that is there, in [database] name",
        ER.DBACCESS_DENIED_ERROR: f"GRANT the migrations' user rights on {quoted(database.name)}.*",
    }
    remedy = remedies.get(code, "Let the migrations reach the database, and log in")
    if "certificate verify failed" in str(error):
        remedy = remedies[CR.CR_SSL_CONNECTION_ERROR]
    return _stops(f"{database.host}:{database.port}", f"the migrations can't connect: {error}", remedy)


def _product(server: Server) -> Iterator[Finding]:
    """What makes all other questions moot."""
    if "mariadb" in f"{server.version} {server['version_comment']}".lower():
        remedy = "Use RDS for MySQL or Aurora MySQL: the limits of a run, as max_execution_time, MariaDB does not have"
        yield _stops("version", f"this is MariaDB {server.version}, not MySQL", remedy)
    elif _major(server.version) < 8:
        remedy = "Upgrade it to MySQL 8.4, or to version 3 of Aurora MySQL"
        yield _stops("version", f"MySQL {server.version} is older than 8.0", remedy)


def _major(version: str) -> int:
    found = re.match(r"\d+", version)
    return int(found[0]) if found else 0


def _takes_changes(server: Server, wanted: Wanted) -> Iterator[Finding]:
    if on := [name for name in READ_ONLY if server.is_on(name)]:
        yield _stops(
            ", ".join(on),
            "this server takes no changes: it is a reader or a replica",
            "Write the endpoint of the writer: of Aurora, the cluster's own, neither its reader's nor an instance's",
        )
    if server.is_on("transaction_read_only"):
        yield _stops("transaction_read_only", "transactions take no changes by default", "Set it to 0")


def _encryption(server: Server, wanted: Wanted) -> Iterator[Finding]:
    if not server.is_on("require_secure_transport"):
        what = "others may log in without TLS, their passwords and rows readable on the way; the jobs never do"
        yield _warns("require_secure_transport", what, "Set it to 1 once all clients use TLS")


def _logins(server: Server, wanted: Wanted) -> Iterator[Finding]:
    if "iam" in wanted.users.values() and server.writes:
        # The server looks for the plugin before it looks for the user, who does not exist. AWS says that it is not
        # loaded where IAM authentication is not enabled:
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html
        nobody = quoted(secrets.token_hex(8))
        code, text = server.refusal(f"ALTER USER {nobody} IDENTIFIED WITH {IAM_PLUGIN} AS 'RDS'")
        if code == ER_PLUGIN_IS_NOT_LOADED:
            remedy = 'Enable IAM authentication on the instance or cluster, or write auth = "secret"'
            yield _stops("AWSAuthenticationPlugin", f'auth = "iam" needs it: {text}', remedy)
    if "secret" in wanted.users.values():
        yield from _passwords(server)


def _passwords(server: Server) -> Iterator[Finding]:
    for name in ("password_history", "password_reuse_interval"):
        if server.number(name):
            what = f"is {server[name]}: each deploy says the jobs' passwords again, and is refused (3638)"
            yield _stops(name, what, 'Set it to 0, or write auth = "iam"')
    if server.number("default_password_lifetime"):
        what = f"is {server['default_password_lifetime']}: the jobs' passwords expire after so many days (1820)"
        yield _warns("default_password_lifetime", what, 'Set it to 0, write auth = "iam", or deploy before')
    for separator in (".", "_"):  # the component's, and the plugin's that it follows
        special = f"validate_password{separator}special_char_count"
        if server[f"validate_password{separator}policy"] not in ("", "0", "LOW") and server.number(special):
            what = f"is {server[special]}, and the jobs' passwords have letters and digits only (1819)"
            yield _stops(special, what, 'Set it to 0, or write auth = "iam"')


def _connections(server: Server, wanted: Wanted) -> Iterator[Finding]:
    most, needed = server.number("max_connections"), wanted.connections
    if needed is None:
        return
    if needed > most:
        what = f"is {most}, and this environment alone opens up to {needed}"
        yield _stops("max_connections", what, "Raise it, or lower the jobs' concurrency")
        return
    [(_name, used)] = server.rows("SHOW GLOBAL STATUS LIKE 'Max_used_connections'")
    if needed + int(used) > most:
        what = f"is {most}: {used} were in use at once already, and this environment opens up to {needed} more"
        yield _warns("max_connections", what, "Raise it, or lower the jobs' concurrency")
    if 0 < (of_a_user := server.number("max_user_connections")) < needed:
        what = f"is {of_a_user} for each user without a limit of its own, and this environment opens up to {needed}"
        yield _warns("max_user_connections", what, "Raise it, or set it to 0")


def _time_zones(server: Server, wanted: Wanted) -> Iterator[Finding]:
    if server.rows("SELECT CONVERT_TZ('2026-01-01', 'UTC', 'Europe/Berlin')") == [(None,)]:
        what = "are empty: CONVERT_TZ gives NULL for a zone that has a name. The engine needs them not, a job may"
        yield _warns("mysql.time_zone_name", what, "Load them (mysql_tzinfo_to_sql), or let jobs work in UTC")


def _sql_mode(server: Server, wanted: Wanted) -> Iterator[Finding]:
    modes = set(server["sql_mode"].split(","))
    remedies = {
        "NO_BACKSLASH_ESCAPES": r"a backslash in a text is itself: a job's '\'' and '\n' mean something else",
        "ANSI_QUOTES": '"…" is a name, not a text: a job that writes texts so fails',
    }
    if not modes & {"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"}:
        what = "is not strict: what does not fit a column is cut or made 0, and no job hears of it"
        yield _warns("sql_mode", what, "Add STRICT_TRANS_TABLES, or check what jobs write")
    for mode, what in remedies.items():
        if mode in modes:
            yield _warns("sql_mode", f"has {mode}: {what}", "Write jobs accordingly, or take it out")


def _isolation(server: Server, wanted: Wanted) -> Iterator[Finding]:
    isolation = server["transaction_isolation"]
    if isolation == "SERIALIZABLE":
        what = "is SERIALIZABLE: runs lock what they read, and may end in deadlocks with each other (1213)"
        yield _warns("transaction_isolation", what, "Set it to REPEATABLE-READ or READ-COMMITTED")
    if isolation == "READ-UNCOMMITTED":
        what = "is READ-UNCOMMITTED: jobs read what others may still roll back"
        yield _warns("transaction_isolation", what, "Set it to REPEATABLE-READ or READ-COMMITTED")
    if server.is_on("log_bin") and server["binlog_format"] == "STATEMENT" and isolation.startswith("READ-"):
        what = f"is STATEMENT, and transaction_isolation {isolation}: InnoDB refuses every change so (1665)"
        yield _stops("binlog_format", what, "Set it to ROW, or to MIXED")


def _tables(server: Server, wanted: Wanted) -> Iterator[Finding]:
    folds = server["lower_case_table_names"] != "0"
    made = "\n".join(wanted.migrations).lower()
    for (schema, table), rights in wanted.places.items():
        name = f"{schema}.{table}"
        if folds and name != name.lower():
            what = "has capitals, and with lower_case_table_names = 1 this server has small letters only"
            yield _stops(name, what, f"Write {name.lower()} in TABLES")
            continue
        found = server.rows(
            "SELECT engine FROM information_schema.tables WHERE table_schema = %s AND table_name = %s", schema, table
        )
        if not found and not re.search(rf"(?<![\w$]){re.escape(table.lower())}(?![\w$])", made):
            what = "a job has rights on it, and it is not there, or the migrations' user may not see it"
            yield _stops(name, what, "Correct the name in TABLES, or CREATE TABLE in a migration")
        for (engine,) in found:
            if engine not in ("InnoDB", None) and rights - {"SELECT"}:  # None: of a view
                what = f"is {engine}: what a job that fails has changed there stays, and its retry does it again"
                yield _warns(name, what, "ALTER TABLE … ENGINE = InnoDB")


def _own_schema(server: Server, wanted: Wanted) -> Iterator[Finding]:
    rows = server.rows(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s", wanted.own_schema
    )
    columns: dict[str, set[str]] = {}
    for table, column in rows:
        columns.setdefault(table, set()).add(column)
    remedy = "Write another schema for the engine's own tables"
    if foreign := [table for table, signs in SIGNS.items() if table in columns and not signs <= columns[table]]:
        what = "has this name and is not the engine's"
        yield from (_stops(f"{wanted.own_schema}.{table}", what, remedy) for table in foreign)
    elif columns and wanted.own_schema != wanted.database.name and "migration" not in columns:
        what = f"this schema is there already, and is not the engine's: it has {', '.join(sorted(columns)[:5])}"
        yield _stops(wanted.own_schema, what, remedy)


def _users(server: Server, wanted: Wanted) -> Iterator[Finding]:
    """Users of our names that another has made: ours say so in their attribute."""
    if denied := server.hides("mysql.user"):
        remedy = f"GRANT SELECT ON mysql.* TO {server.user}"
        yield _stops("mysql.user", f"the migrations' user can't see which users are there: {denied}", remedy)
        return
    for name, host in job_users.others(server.cursor, wanted.users, wanted.own_schema):
        what = "this user is there already, and no migration of this environment has made it"
        yield _stops(f"{name}@{host}", what, "Drop it if nobody needs it, or rename it (RENAME USER)")


def _privileges(server: Server, wanted: Wanted) -> Iterator[Finding]:
    if not server.writes:
        return
    nobody, nothing = quoted(secrets.token_hex(8)), quoted(secrets.token_hex(8))
    if denied := server.denies(f"DROP USER {nobody}"):
        yield _may_not(server, "make users", denied, "CREATE USER ON *.*")
    schemas = {wanted.own_schema: None, **({wanted.database.name: None} if wanted.migrations else {})}
    for schema in map(quoted, schemas):
        make = f"CREATE TABLE {schema}.{nobody} LIKE {schema}.{nothing}"
        if denied := server.denies(make) or server.denies(f"ALTER TABLE {schema}.{nothing} ADD x INT"):
            yield _may_not(server, f"make tables in {schema}", denied, f"{TABLE_RIGHTS} ON {schema}.*")
    for place, rights in {(wanted.own_schema, "ledger"): RIGHTS, **wanted.places}.items():
        granted = f"{', '.join(sorted(rights))} ON {quoted(*place)}"
        if denied := server.denies(f"GRANT {granted} TO {nobody}"):
            # The ledger may not be there yet, and then nothing can be granted on it.
            right = granted if place in wanted.places else f"{TABLE_RIGHTS} ON {quoted(wanted.own_schema)}.*"
            yield _may_not(server, f"give jobs {granted}", denied, right, " WITH GRANT OPTION")


def _may_not(server: Server, what: str, denied: str, right: str, option: str = "") -> Finding:
    user = server.user
    return _stops(user, f"the migrations' user may not {what}: {denied}", f"GRANT {right} TO {user}{option}")


Check = Callable[[Server, Wanted], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    _takes_changes,
    _logins,
    _connections,
    _tables,
    _own_schema,
    _users,
    _privileges,
    _isolation,
    _sql_mode,
    _encryption,
    _time_zones,
)
