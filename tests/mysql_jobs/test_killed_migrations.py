"""Wherever the process that migrates is killed, or the server, the next deploys bring the database to the same end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest

from lab.fault_proxy import Action, FaultProxy
from local import mysql_installation
from local.emulator import Emulator
from local.environment import CACHE
from local.mysql_server import MySQLServer
from mysql_jobs import migrate, migration_files
from mysql_jobs.migration_files import MigrationError
from settings.project import ROOT

Query = Callable[[str], list[tuple[Any, ...]]]
FILE = "migrations/0002_more.sql"
CHANGED = """
CREATE TABLE two (a INT);
INSERT INTO two VALUES (1);
CREATE VIEW three AS SELECT a FROM two;
"""
"""DDL and DML whose fate is certain, and in the end a statement whose fate is not."""
LONG = "CREATE TABLE two AS SELECT BENCHMARK(20000000, SHA2('x', 512)) AS a, 7 AS b;\n"
"""Seconds of work in which the server does not look whether its client is still there."""
PROCESS = """
import sys
from pathlib import Path
from types import SimpleNamespace
from mysql_jobs import migrate, migration_files
migration_files.FOLDERS["project"] = Path(sys.argv[1])
context = SimpleNamespace(
    function_name="test-function", aws_request_id="request-1", get_remaining_time_in_millis=lambda: 600_000
)
migrate.lambda_handler({}, context)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], context: Any) -> Path:
    """The folder of the project's migrations, of which the first was applied."""
    monkeypatch.setitem(migration_files.FOLDERS, "project", tmp_path)
    (tmp_path / "0001_pulse.sql").write_text("CREATE TABLE pulse (a INT);\n")
    migrate.lambda_handler({}, context)
    return tmp_path


def test_wherever_the_process_is_killed_each_statement_is_applied_once(
    folder: Path, server: MySQLServer, query: Query
) -> None:
    (folder / "0002_more.sql").write_text(CHANGED)
    with FaultProxy(server) as proxy:
        places = _killed_at(None, folder, proxy)
        assert _end(query) == _end(query, expected=True)
        # What only reads leaves nothing behind, and what came before the first marker neither.
        first = next(number for number, place in enumerate(places) if "REPLACE INTO" in place)
        numbers = [number for number in range(first, len(places)) if "SHOW" not in places[number]]
        assert len(numbers) > 3 * 14
        asked = set()
        for number in numbers:
            _undo(query)
            _killed_at(number, folder, proxy)
            asked |= {places[number]} if _deploy_until_done(query) else set()
            assert _end(query) == _end(query, expected=True), places[number]
    # Only between the last statement and its record a person is asked.
    assert asked
    assert {place.partition(", ")[2].partition("`")[0] for place in asked} <= {
        "answer: CREATE VIEW three AS",
        "request: REPLACE INTO ",
        "answer: REPLACE INTO ",
        "request: DELETE FROM ",
        "answer: DELETE FROM ",
        "request: COMMIT AND NO CHAIN ",
    }


@pytest.mark.parametrize("ended", [False, True], ids=["which goes on to its end", "which is ended"])
def test_a_long_statement_of_a_killed_process_is_waited_for(ended: bool, folder: Path, query: Query) -> None:
    (folder / "0002_more.sql").write_text(LONG)
    with _process(folder) as process:
        session = _at_work(query)
        process.kill()
    with pytest.raises(MigrationError) as caught:
        migrate.lambda_handler({}, _context(seconds=4))
    assert f"is migrating this database, or one that was killed still is (session {session})" in str(caught.value)
    assert f"It is at {FILE}, statement 1 of 1\nCREATE TABLE two AS " in str(caught.value)
    if ended:
        query(f"KILL {session}")
    assert migrate.lambda_handler({}, _context(seconds=120))["applied"] == [FILE]
    assert query("SELECT a, b FROM two") == [(0, 7)]


def test_a_statement_of_a_killed_server_is_applied_by_the_next_deploy(
    folder: Path, own_server: MySQLServer, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "0002_more.sql").write_text(LONG)
    with closing(own_server.connect()) as connection, _process(folder) as process:
        _at_work(lambda statement: _rows(connection, statement))
        os.kill(own_server.pid, signal.SIGKILL)
        _output, errors = process.communicate(timeout=120)
    assert "The connection was lost before the server answered" in errors.decode()
    restarted = own_server.restart()
    try:
        assert migrate.lambda_handler({}, _context(seconds=120))["applied"] == [FILE]
        with closing(restarted.connect()) as connection:
            connection.select_db(os.environ["DATABASE_NAME"])
            assert _rows(connection, "SELECT a, b FROM two") == [(0, 7)]
    finally:
        restarted.stop()
    assert f"{FILE}, statement 1 of 1, began at" in caplog.text
    assert "nothing of it is in effect (no table's definition changed since), so it is applied now" in caplog.text


@pytest.fixture
def own_server(
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    emulator: Emulator,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MySQLServer]:
    """A server of the test's own, which it may kill; the first migration was applied to it."""
    installation = mysql_installation.find_or_fetch(CACHE, progress=print)
    with MySQLServer.start(installation, tmp_path_factory.mktemp("mysql"), progress=print) as own:
        with closing(own.connect()) as connection:
            _rows(connection, f"CREATE DATABASE {variables['DATABASE_NAME']}")
        emulator.client("secretsmanager").put_secret_value(
            SecretId=variables["DATABASE_SECRET"],
            SecretString=json.dumps({"username": own.user, "password": own.password}),
        )
        monkeypatch.setenv("DATABASE_PORT", str(own.port))
        monkeypatch.setenv("DATABASE_CERTIFICATES", str(own.certificate_authority))
        migrate.lambda_handler({}, _context(seconds=60))
        yield own


@contextmanager
def _process(folder: Path, port: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that migrates, as this one's environment variables say."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "lambda")}
    if port is not None:
        variables["DATABASE_PORT"] = str(port)
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(folder)], env=variables, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _killed_at(number: int | None, folder: Path, proxy: FaultProxy) -> list[str]:
    """The places that a process comes to, until it is killed at the place of this number."""
    places: list[str] = []
    with _process(folder, proxy.port) as process:

        def observe(place: str) -> Action | None:
            places.append(f"{len(places)}, {place}")
            if len(places) - 1 != number:
                return None
            process.kill()
            return "close"

        proxy.observer = observe
        _output, errors = process.communicate(timeout=120)
        assert process.returncode == (0 if number is None else -signal.SIGKILL), errors.decode()
    return places


def _deploy_until_done(query: Query) -> bool:
    """Deploy, and answer as the database is, if it is asked for; return whether it was."""
    try:
        migrate.lambda_handler({}, _context(seconds=60))
    except MigrationError as error:
        assert f"{FILE}, statement 3 of 3, began at" in str(error)  # noqa: PT017 (not every deploy fails)
        word = "applied" if ("three",) in query("SHOW TABLES") else "rolled-back"
        migrate.lambda_handler({"resolve": FILE, "statement": word}, _context(seconds=60))
        migrate.lambda_handler({}, _context(seconds=60))
        return True
    return False


def _end(query: Query, *, expected: bool = False) -> tuple[Any, ...]:
    """What the migration makes, and what is recorded of it."""
    if expected:
        return ([(1,)], [(1,)], [(3, 1)], [])
    return (
        query("SELECT a FROM two"),
        query("SELECT a FROM three"),
        query("SELECT statements, complete FROM migration WHERE origin = 'project' AND number = 2"),
        query("SELECT * FROM migration_statement"),
    )


def _undo(query: Query) -> None:
    query("DROP VIEW three")
    query("DROP TABLE two")
    query("DELETE FROM migration WHERE origin = 'project' AND number = 2")


def _at_work(query: Query) -> int:
    """The session that works on the long statement, once it does."""
    for _ in range(600):
        for session, *_rest, statement in query("SELECT id, info FROM information_schema.processlist"):
            if statement and statement.startswith("CREATE TABLE two"):
                return int(session)
        time.sleep(0.1)
    raise AssertionError("the process does not come to its statement")


def _rows(connection: pymysql.Connection[Any], statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _context(seconds: int) -> Any:
    end = time.monotonic() + seconds
    return SimpleNamespace(
        function_name="test-function",
        aws_request_id="request-2",
        get_remaining_time_in_millis=lambda: int((end - time.monotonic()) * 1000),
    )
