"""Each job has a database user of its own, and just its rights: what the server is asked, and what it does."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pymysql
import pytest

from local.emulator import Emulator
from local.mysql_server import MySQLServer
from mysql_jobs import job_users, migrate
from mysql_jobs.configuration import OWN_RIGHTS, Database, JobUser, Login
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.migration_files import MigrationError
from settings.job_users import JobUser as Told
from settings.job_users import rights_text

Query = Callable[[str], list[tuple[Any, ...]]]
DATABASE = Database(
    host="host", port=3306, name="jobs", endpoint="instance", region="eu-central-1", certificates="none.pem"
)
LEDGER = [("'worker'@'%'", "`jobs`.`ledger`", right) for right in ("DELETE", "INSERT", "SELECT", "UPDATE")]
OURS = ("worker", "%", "AWSAuthenticationPlugin", "ANY", 3, '{"job": "pulse", "schema": "jobs"}')
SELECT = {"event": frozenset({"SELECT"})}


class Users:
    """Users of a test's schema, as jobs have them: `deploy` makes the migrations do what it says."""

    def __init__(
        self, variables: dict[str, str], context: Any, query: Query, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.prefix = f"j{variables['DATABASE_NAME'][4:]}"
        self._variables = variables
        self._context = context
        self._query = query
        self._secrets = emulator.client("secretsmanager")
        self._monkeypatch = monkeypatch
        self._made: set[str] = {"pulse"}

    def name(self, job: str) -> str:
        return f"{self.prefix}_{job}"

    def deploy(self, **jobs: dict[str, str]) -> None:
        """Migrate, with these jobs and their rights."""
        for job in jobs.keys() - self._made:
            value = json.dumps({"username": self.name(job), "password": "a password"})
            self._secrets.create_secret(Name=self._variables["JOBS_SECRETS"] + job, SecretString=value)
            self._made.add(job)
        users = [
            Told(job, self.name(job), 3, {table: frozenset(rights.split(", ")) for table, rights in tables.items()})
            for job, tables in jobs.items()
        ]
        self._monkeypatch.setenv("RIGHTS", rights_text(users))
        migrate.lambda_handler({}, self._context)

    def all(self) -> set[str]:
        """The jobs whose users are on the server."""
        found = self._query(f"SELECT user FROM mysql.user WHERE user LIKE '{self.prefix}%'")
        return {name.removeprefix(f"{self.prefix}_") for (name,) in found}

    def grants(self, job: str) -> set[str]:
        schema = self._variables["DATABASE_NAME"]
        found = self._query(f"SHOW GRANTS FOR `{self.name(job)}`")
        return {each.removeprefix("GRANT ").partition(" TO ")[0].replace(f"`{schema}`.", "") for (each,) in found}

    def drop(self) -> None:
        for user, host in self._query(f"SELECT user, host FROM mysql.user WHERE user LIKE '{self.prefix}%'"):
            self._query(f"DROP USER `{user}`@`{host}`")


@pytest.fixture
def users(
    variables: dict[str, str], context: Any, query: Query, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Users]:
    users = Users(variables, context, query, emulator, monkeypatch)
    yield users
    users.drop()


LEDGERS = "SELECT, INSERT, UPDATE, DELETE ON `ledger`"
NOTHING = "USAGE ON *.*"


def test_each_user_has_the_rights_of_its_job_alone(users: Users) -> None:
    users.deploy(tally={"event": "SELECT", "event_hourly": "DELETE, INSERT, SELECT"}, sweep={"event": "DELETE, SELECT"})
    assert users.grants("tally") == {NOTHING, LEDGERS, "SELECT ON `event`", "SELECT, INSERT, DELETE ON `event_hourly`"}
    assert users.grants("sweep") == {NOTHING, LEDGERS, "SELECT, DELETE ON `event`"}


def test_the_server_refuses_a_job_the_tables_of_another(users: Users, server: MySQLServer, query: Query) -> None:
    users.deploy(tally={"event": "SELECT"}, pulse2={"pulse": "SELECT, INSERT"})
    [(schema,)] = query("SELECT DATABASE()")
    with closing(replace(server, user=users.name("tally"), password="a password").connect()) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM {schema}.event")
            with pytest.raises(pymysql.err.OperationalError) as refused:
                cursor.execute(f"SELECT COUNT(*) FROM {schema}.pulse")
    assert refused.value.args[0] == 1142


def test_the_server_lets_a_user_in_with_tls_only_and_no_more_than_its_connections(
    users: Users, server: MySQLServer, query: Query
) -> None:
    users.deploy(tally={})
    stated = f"SELECT ssl_type, max_user_connections FROM mysql.user WHERE user = '{users.name('tally')}'"
    assert query(stated) == [("ANY", 3)]
    query(f"ALTER USER {users.name('tally')} REQUIRE NONE WITH MAX_USER_CONNECTIONS 0")
    users.deploy(tally={})
    assert query(stated) == [("ANY", 3)]
    login = replace(server, user=users.name("tally"), password="a password")
    there = [login.connect() for _ in range(3)]
    with pytest.raises(pymysql.err.OperationalError) as refused:
        login.connect()
    for each in there:
        each.close()
    assert refused.value.args[0] == 1226


@pytest.mark.parametrize(
    "right",
    [
        "DELETE ON event",
        "INSERT, UPDATE ON pulse",
        "SELECT (id) ON event",
        "SELECT ON {schema}.*",
        "SELECT ON mysql.*",
        "SELECT ON mysql.user",
        "PROCESS ON *.*",
    ],
)
def test_a_right_that_the_job_does_not_need_is_taken_back_wherever_it_is(
    right: str, users: Users, query: Query
) -> None:
    [(schema,)] = query("SELECT DATABASE()")
    users.deploy(tally={"event": "INSERT"})
    before = users.grants("tally")
    query(f"GRANT {right.format(schema=schema)} TO {users.name('tally')}")
    assert users.grants("tally") != before
    users.deploy(tally={"event": "INSERT"})
    assert users.grants("tally") == before


def test_a_user_that_somebody_else_made_is_left_alone_and_nothing_is_done(users: Users, query: Query) -> None:
    query(
        f'CREATE USER {users.name("tally")} IDENTIFIED BY \'theirs\' ATTRIBUTE \'{{"mysql_jobs": {{"schema": "x"}}}}\''
    )
    query(f"CREATE USER {users.name('sweep')}@'10.%' IDENTIFIED BY 'theirs'")
    before = query("SELECT * FROM mysql.user ORDER BY user, host")
    with pytest.raises(MigrationError) as stopped:
        users.deploy(tally={"event": "SELECT"}, sweep={}, other={})
    assert f"has the users {users.name('sweep')}, {users.name('tally')} already" in str(stopped.value)
    assert query("SELECT * FROM mysql.user ORDER BY user, host") == before
    assert query("SHOW TABLES LIKE 'pulse'") == []


def test_a_user_stays_for_a_week_after_its_job_and_goes_then(
    users: Users, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    query(f"CREATE USER {users.name('theirs')} IDENTIFIED BY 'theirs'")
    users.deploy(tally={"event": "SELECT"}, sweep={})
    rights = users.grants("tally")
    _later(monkeypatch, days=0)
    users.deploy(sweep={})
    _later(monkeypatch, days=6.9)
    users.deploy(sweep={})
    assert users.all() == {"tally", "sweep", "theirs"}
    assert users.grants("tally") == rights
    _later(monkeypatch, days=7.1)
    users.deploy(sweep={})
    assert users.all() == {"sweep", "theirs"}


def test_the_user_that_all_jobs_had_is_not_touched(users: Users, query: Query, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions of version 0.1 run on during the deploy, and after it is rolled back."""
    [(schema,)] = query("SELECT DATABASE()")
    query("CREATE USER jobs IDENTIFIED BY 'a password' REQUIRE SSL")
    try:
        users.deploy(tally={"event": "SELECT"})
        query(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.ledger TO jobs")
        before = query("SHOW GRANTS FOR jobs")
        for days in (0, 8):
            _later(monkeypatch, days=days)
            users.deploy(tally={"event": "SELECT"})
        assert query("SHOW GRANTS FOR jobs") == before
    finally:
        query("DROP USER jobs")


def test_a_job_that_comes_back_keeps_its_user(users: Users, query: Query, monkeypatch: pytest.MonkeyPatch) -> None:
    users.deploy(tally={"event": "SELECT"})
    users.deploy()
    users.deploy(tally={"event": "SELECT"})  # as when a deploy is rolled back
    [(note,)] = query(f"SELECT attribute FROM information_schema.user_attributes WHERE user = '{users.name('tally')}'")
    assert "gone_since" not in note
    _later(monkeypatch, days=8)
    users.deploy()
    assert users.all() == {"tally"}


def test_what_is_as_it_should_be_is_not_touched() -> None:
    assert _changed([OURS], [*LEDGER, ("'worker'@'%'", "`jobs`.`event`", "SELECT")], SELECT) == []


def test_a_new_user_is_made_with_its_token_its_limit_and_who_made_it() -> None:
    note = '{"mysql_jobs": {"schema": "jobs", "job": "pulse"}}'
    assert _changed([], [], {}) == [
        (
            "CREATE USER `worker` IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL"
            " WITH MAX_USER_CONNECTIONS 3 ATTRIBUTE %s",
            (note,),
        ),
        ("GRANT DELETE, INSERT, SELECT, UPDATE ON `jobs`.`ledger` TO `worker`",),
    ]


@pytest.mark.parametrize(
    "there",
    [
        (*OURS[:2], "caching_sha2_password", *OURS[3:]),
        (*OURS[:3], "", *OURS[4:]),
        (*OURS[:4], 0, OURS[5]),
        (*OURS[:5], '{"job": "pulse", "schema": "jobs", "gone_since": "2026-11-23T08:00:00+00:00"}'),
    ],
)
def test_a_user_that_differs_is_altered(there: tuple[Any, ...]) -> None:
    [(statement, parameters)] = _changed([there], LEDGER, {})
    assert statement.startswith("ALTER USER `worker` IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL WITH")
    assert json.loads(parameters[0]) == {"mysql_jobs": {"schema": "jobs", "job": "pulse", "gone_since": None}}


def test_only_the_difference_of_the_rights_is_granted_and_revoked() -> None:
    granted = [
        ("'worker'@'%'", f"`jobs`.`{table}`", right) for table, right in (("event", "DELETE"), ("gone", "INSERT"))
    ]
    others = [("'worker'@'10.%'", "*.*", "SELECT"), ("'other'@'%'", "*.*", "SELECT")]
    assert _changed([OURS], [*LEDGER, *granted, *others], SELECT) == [
        ("GRANT SELECT ON `jobs`.`event` TO `worker`",),
        ("REVOKE DELETE ON `jobs`.`event` FROM `worker`",),
        ("REVOKE INSERT ON `jobs`.`gone` FROM `worker`",),
    ]


@pytest.mark.parametrize("error", [pymysql.err.ProgrammingError(1146, "no such table"), DeadlineExceeded("too late")])
def test_a_right_that_can_not_be_granted_is_named_with_its_statement(error: Exception) -> None:
    with pytest.raises(MigrationError) as caught:
        _changed([OURS], LEDGER, SELECT, error=error)
    assert caught.value.__cause__ is error
    assert str(caught.value).startswith("granting SELECT on `jobs`.`event` to worker failed: ")
    assert str(caught.value).endswith("\nGRANT SELECT ON `jobs`.`event` TO `worker`")


def _changed(
    known: list[tuple[Any, ...]],
    granted: list[tuple[str, str, str]],
    rights: dict[str, frozenset[str]],
    error: Exception | None = None,
) -> list[tuple[Any, ...]]:
    """The statements that change something, on a server with these users and rights."""
    cursor = mock.Mock()
    changed: list[tuple[Any, ...]] = []

    def execute(statement: str, *parameters: object) -> None:
        cursor.fetchall.return_value = known if statement == job_users.USERS else granted
        if statement not in (job_users.USERS, job_users.GRANTED):
            changed.append((statement, *parameters))
            if error is not None:
                raise error

    cursor.execute.side_effect = execute
    user = JobUser(job="pulse", login=Login("worker", "iam", ""), connections=3, rights=rights, own=OWN_RIGHTS)
    job_users.update(cursor, [user], DATABASE, Deadline.after(60), own_schema=DATABASE.name)
    return changed


def _later(monkeypatch: pytest.MonkeyPatch, *, days: float) -> None:
    now = datetime.now(UTC) + timedelta(days=days)
    clock = mock.Mock(wraps=datetime)
    clock.now.return_value = now
    monkeypatch.setattr(job_users, "datetime", clock)
