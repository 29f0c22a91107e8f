"""The jobs' database user needs TLS, and has just the rights it needs: what the server is asked, and what it does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from mysql_jobs import migrate
from mysql_jobs.configuration import Database, Login
from mysql_jobs.deadline import Deadline
from mysql_jobs.jobs_user import grant

DATABASE = Database(
    host="host", port=3306, name="jobs", endpoint="instance", region="eu-central-1", certificates=Path("none.pem")
)


def test_the_user_needs_tls_also_one_that_was_there_before() -> None:
    method = "IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'"
    assert [each for each in _asked([], {}) if " USER " in each] == [
        f"CREATE USER IF NOT EXISTS `worker` {method} REQUIRE SSL",
        f"ALTER USER `worker` {method} REQUIRE SSL",
    ]


def test_only_the_difference_of_the_rights_is_granted_and_revoked() -> None:
    granted = [("event", "SELECT"), ("event", "DELETE"), ("gone", "INSERT")]
    asked = _asked(granted, {"event": frozenset({"SELECT", "INSERT"})})
    assert [each for each in asked if each.startswith(("GRANT", "REVOKE"))] == [
        "GRANT INSERT ON `jobs`.`event` TO `worker`",
        "REVOKE DELETE ON `jobs`.`event` FROM `worker`",
        "REVOKE INSERT ON `jobs`.`gone` FROM `worker`",
    ]


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


def _asked(granted: list[tuple[str, str]], rights: dict[str, frozenset[str]]) -> list[str]:
    """The statements, with a server on which these rights are granted."""
    cursor = mock.Mock()
    cursor.fetchall.return_value = granted
    grant(cursor, Login(user="worker", auth="iam", secret=""), rights, DATABASE, Deadline.after(60))
    return [call.args[0] for call in cursor.execute.call_args_list]
