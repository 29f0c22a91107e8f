"""The jobs' database user needs TLS, and has just the rights it needs: what the server is asked, and what it does."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import pymysql
import pytest

from mysql_jobs import migrate
from mysql_jobs.configuration import Database, Login
from mysql_jobs.credentials import Credentials
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.jobs_user import grant
from mysql_jobs.migration_files import MigrationError

DATABASE = Database(
    host="host", port=3306, name="jobs", endpoint="instance", region="eu-central-1", certificates="none.pem"
)


def test_the_user_needs_tls_also_one_that_was_there_before() -> None:
    method = "IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'"
    assert [each for each in _asked([], {}) if " USER " in each] == [
        f"CREATE USER IF NOT EXISTS `worker` {method} REQUIRE SSL",
        f"ALTER USER `worker` {method} REQUIRE SSL",
    ]


def test_only_the_difference_of_the_rights_is_granted_and_revoked() -> None:
    granted = [("jobs", "event", "SELECT"), ("jobs", "event", "DELETE"), ("shop", "gone", "INSERT")]
    asked = _asked(granted, {"event": frozenset({"SELECT", "INSERT"})})
    assert [each for each in asked if each.startswith(("GRANT", "REVOKE"))] == [
        "GRANT INSERT ON `jobs`.`event` TO `worker`",
        "REVOKE DELETE ON `jobs`.`event` FROM `worker`",
        "REVOKE INSERT ON `shop`.`gone` FROM `worker`",
    ]


def test_a_user_with_a_password_gets_the_one_of_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    authentication = mock.Mock()
    authentication.return_value.credentials.return_value = Credentials("worker", "hunter2")
    monkeypatch.setattr("mysql_jobs.jobs_user.Authentication", authentication)
    cursor = mock.Mock()
    cursor.fetchall.return_value = []
    login, deadline = Login(user="worker", auth="secret", secret="arn"), Deadline.after(60)
    grant(cursor, login, {}, DATABASE, deadline)
    assert authentication.mock_calls == [
        mock.call(login=login, database=DATABASE),
        mock.call().credentials(deadline),
    ]
    asked = cursor.execute.call_args_list
    assert asked[:2] == [
        mock.call(f"{verb} `worker` IDENTIFIED BY %s REQUIRE SSL", ("hunter2",))
        for verb in ("CREATE USER IF NOT EXISTS", "ALTER USER")
    ]
    assert asked[2].args[0].endswith(" WHERE grantee = %s")
    assert asked[2].args[1] == ("'worker'@'%'",)
    assert len(asked) == 3


def test_a_user_with_a_token_has_no_parameter_that_a_percent_sign_would_ask_for() -> None:
    cursor = mock.Mock()
    cursor.fetchall.return_value = []
    grant(cursor, Login(user="worker", auth="iam", secret=""), {}, DATABASE, Deadline.after(60))
    assert [call.args[1] for call in cursor.execute.call_args_list[:2]] == [None, None]


@pytest.mark.parametrize("error", [pymysql.err.ProgrammingError(1146, "no such table"), DeadlineExceeded("too late")])
def test_a_right_that_can_not_be_granted_is_named_with_its_statement(error: Exception) -> None:
    cursor = mock.Mock()
    cursor.fetchall.return_value = []
    cursor.execute.side_effect = [None, None, None, error]
    login = Login(user="worker", auth="iam", secret="")
    with pytest.raises(MigrationError) as caught:
        grant(cursor, login, {"event": frozenset({"SELECT"})}, DATABASE, Deadline.after(60))
    assert caught.value.__cause__ is error
    assert str(caught.value).startswith("granting SELECT on the table `jobs`.`event` failed: ")
    assert str(caught.value).endswith("\nGRANT SELECT ON `jobs`.`event` TO `worker`")


def test_the_server_lets_the_user_in_with_tls_only(
    variables: dict[str, str], context: Any, query: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    migrate.lambda_handler({}, context)
    required = f"SELECT ssl_type FROM mysql.user WHERE user = '{variables['JOBS_USER']}'"
    assert query(required) == [("ANY",)]
    query(f"ALTER USER {variables['JOBS_USER']} REQUIRE NONE")
    migrate.lambda_handler({}, context)
    assert query(required) == [("ANY",)]


@pytest.mark.parametrize("table", ["pulse", "event"])
def test_the_server_takes_a_right_back_that_no_job_needs(
    table: str, variables: dict[str, str], context: Any, query: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    migrate.lambda_handler({}, context)
    query(f"GRANT DELETE ON {table} TO {variables['JOBS_USER']}")
    migrate.lambda_handler({}, context)
    rights = f"SHOW GRANTS FOR {variables['JOBS_USER']}"
    assert not [each for (each,) in query(rights) if "DELETE" in each and f"`{table}`" in each]


def _asked(granted: list[tuple[str, str, str]], rights: dict[str, frozenset[str]]) -> list[str]:
    """The statements, with a server on which these rights are granted."""
    cursor = mock.Mock()
    cursor.fetchall.return_value = granted
    grant(cursor, Login(user="worker", auth="iam", secret=""), rights, DATABASE, Deadline.after(60))
    return [call.args[0] for call in cursor.execute.call_args_list]
