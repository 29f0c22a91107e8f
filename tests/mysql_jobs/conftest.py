"""A function of the fixture's project, and a schema of its own for each test."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from local.emulator import Emulator, credentials
from local.mysql_server import MySQLServer
from mysql_jobs import migrate, migration_files
from settings.job_users import JobUser, rights_text
from testkit.job_modules import jobs_of
from tests.fixture import PROJECT
from tests.mysql_jobs.function import Function


@pytest.fixture(autouse=True)
def _project(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The jobs and the migrations are the fixture's: the engine's tests pass whatever a team has in lambda/."""
    monkeypatch.setitem(migration_files.FOLDERS, "project", PROJECT.migrations)
    with jobs_of(PROJECT):
        yield


@pytest.fixture
def variables(server: MySQLServer, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment variables of a function that uses a new schema as the administrator; set for this process."""
    name = f"test_{secrets.token_hex(5)}"  # no number: processes of `make mutants` would count alike
    _execute(server, f"CREATE DATABASE {name}")
    variables = {
        **credentials(emulator.region),
        "AWS_ENDPOINT_URL": emulator.url,
        "DATABASE_HOST": server.host,
        "DATABASE_PORT": str(server.port),
        "DATABASE_NAME": name,
        "DATABASE_ENDPOINT": "instance",
        "DATABASE_CERTIFICATES": str(server.certificate_authority),
        "DATABASE_USER": server.user,
        "DATABASE_AUTH": "secret",
        "DATABASE_SECRET": _secret(emulator, f"{name}/master", server.user, server.password),
        "RIGHTS": rights_text([JobUser("pulse", f"job_{name}", 3, {"pulse": frozenset({"INSERT", "SELECT"})})]),
        "JOBS_AUTH": "secret",
        "JOBS_SECRETS": f"{name}/",
    }
    _secret(emulator, f"{name}/pulse", f"job_{name}", "a password of 2 parts")
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    yield variables
    _execute(server, f"DROP DATABASE {name}")
    _execute(server, f"DROP USER IF EXISTS job_{name}")


@pytest.fixture
def query(server: MySQLServer, variables: dict[str, str]) -> Callable[[str], list[tuple[Any, ...]]]:
    """What a statement returns, asked by the administrator in the test's schema."""
    return lambda statement: _execute(server, statement, schema=variables["DATABASE_NAME"])


@pytest.fixture
def context() -> Any:
    """Lambda's context object, with 30 s left."""
    end = time.monotonic() + 30
    return SimpleNamespace(
        function_name="test-function",
        aws_request_id="request-1",
        get_remaining_time_in_millis=lambda: int((end - time.monotonic()) * 1000),
    )


@pytest.fixture
def function(context: Any, query: Callable[[str], list[tuple[Any, ...]]], monkeypatch: pytest.MonkeyPatch) -> Function:
    migrate.lambda_handler({}, context)
    query("CREATE TABLE work (id INT AUTO_INCREMENT PRIMARY KEY, start DATETIME(6) NULL, end DATETIME(6) NULL)")
    monkeypatch.setenv("JOB", "pulse")
    monkeypatch.setenv("MAX_WINDOW_MINUTES", "60")
    return Function(context, monkeypatch)


def _execute(server: MySQLServer, statement: str, schema: str | None = None) -> list[tuple[Any, ...]]:
    with server.connect() as connection, connection.cursor() as cursor:
        if schema:
            connection.select_db(schema)
        cursor.execute(statement)
        return list(cursor.fetchall())


def _secret(emulator: Emulator, name: str, user: str, password: str) -> str:
    value = json.dumps({"username": user, "password": password})
    arn: str = emulator.client("secretsmanager").create_secret(Name=name, SecretString=value)["ARN"]
    return arn
