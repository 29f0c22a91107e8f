"""Who meets a held lock learns whose it is and until when that run had time; an orphan has an end."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pymysql
import pytest

from local.mysql_server import MySQLServer
from mysql_jobs.connection import Connection
from mysql_jobs.job_lock import STEP_SECONDS, OrphanError, deadline_lock, invocation_lock
from tests.mysql_jobs.function import EIGHT, Function
from tests.mysql_jobs.job_login import job_login

pytestmark = pytest.mark.integration

Query = Callable[[str], list[tuple[Any, ...]]]
HANG_SECONDS = 60
BUSY = "UPDATE work a, work b, work c, work d SET a.start = NOW() WHERE a.id + b.id + c.id + d.id < 0"
"""CPU-bound for minutes, and no server limit ends it: max_execution_time bounds SELECT only."""


@pytest.fixture
def hold(server: MySQLServer, variables: dict[str, str]) -> Iterator[Callable[..., int]]:
    """Holds the lock as a session of the same user does, with `seconds` left; returns the session's number."""
    sessions: list[Any] = []

    def hold(seconds: float | None, *, request_id: str = "another", busy: bool = False) -> int:
        session: Any = server.connect()
        sessions.append(session)
        session.select_db(variables["DATABASE_NAME"])
        name = f"{variables['DATABASE_NAME']}.pulse"
        locks = [name, invocation_lock(name, request_id)]
        if seconds is not None:
            locks.append(deadline_lock(name, time.time() + seconds))
        with session.cursor() as cursor:
            for lock in locks:
                cursor.execute("SELECT GET_LOCK(%s, 0)", (lock,))
                assert cursor.fetchone() == (1,)
        if busy:
            threading.Thread(target=_run_until_killed, args=(session,), daemon=True).start()
        number: int = session.thread_id()
        return number

    yield hold
    for session in sessions:
        if session.open:
            session._force_close()


def test_a_holder_that_is_within_its_time_is_at_work(
    function: Function, hold: Callable[..., int], query: Query, caplog: pytest.LogCaptureFixture
) -> None:
    number = hold(30)
    assert function.deliver()["outcome"] == "overlapping"
    assert {record.levelno for record in caplog.records if record.message == "run"} == {logging.INFO}
    assert _is_there(query, number)


@pytest.mark.parametrize("overdue", [STEP_SECONDS, 3600, 10 * 24 * 3600])
def test_an_orphan_is_killed_and_the_run_works(
    overdue: int, function: Function, hold: Callable[..., int], query: Query
) -> None:
    query("INSERT INTO work VALUES (1, NULL, NULL), (2, NULL, NULL)")
    number = hold(-overdue, busy=True)
    report = function.deliver()
    assert report["outcome"] == "done"
    assert report["orphan"].startswith(f"session {number}, ")
    assert report["orphan"].endswith("beyond its time: killed")
    assert not _is_there(query, number)


def test_an_earlier_attempt_of_the_same_invocation_is_no_success(
    function: Function, hold: Callable[..., int], query: Query
) -> None:
    number = hold(30, request_id=function.context.aws_request_id)
    with pytest.raises(OrphanError, match=f"session {number}, an earlier attempt of this invocation"):
        function.deliver()
    assert _is_there(query, number)


def test_an_earlier_attempt_of_the_same_invocation_is_ended_once_its_time_is_over(
    function: Function, hold: Callable[..., int], query: Query
) -> None:
    number = hold(-STEP_SECONDS, request_id=function.context.aws_request_id)
    assert function.deliver()["outcome"] == "done"
    assert not _is_there(query, number)


def test_a_holder_that_says_no_time_fails_the_run(function: Function, hold: Callable[..., int], query: Query) -> None:
    number = hold(None)
    with pytest.raises(OrphanError, match=f"session {number} holds the lock .*find out whose it is"):
        function.deliver()
    assert _is_there(query, number)


def test_a_holder_that_ends_while_its_time_is_looked_for_is_no_orphan(
    function: Function, hold: Callable[..., int], server: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a fifth of a second: a run of another environment may end meanwhile."""
    number = hold(30)
    execute = pymysql.cursors.Cursor.execute

    def ends_the_holder_first(cursor: Any, statement: str, *arguments: Any) -> int:
        if statement.startswith("WITH RECURSIVE"):
            with _asked(server) as asking:
                asking.execute(f"KILL {number}")
        return execute(cursor, statement, *arguments)

    monkeypatch.setattr(pymysql.cursors.Cursor, "execute", ends_the_holder_first)
    assert function.deliver()["outcome"] == "done"


def test_through_a_proxy_an_orphan_fails_the_run(
    function: Function, hold: Callable[..., int], query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_ENDPOINT", "proxy")
    number = hold(-STEP_SECONDS)
    with pytest.raises(OrphanError, match="can't be killed through a proxy, or as another user's: kill it at"):
        function.deliver()
    assert _is_there(query, number)


def test_an_orphan_of_another_user_fails_the_run(
    function: Function,
    hold: Callable[..., int],
    query: Query,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one of version 0.1, when all jobs had one user."""
    number = hold(-STEP_SECONDS)
    for name, value in job_login(variables).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OrphanError, match="can't be killed through a proxy, or as another user's: kill it at"):
        function.deliver()
    assert _is_there(query, number)


def test_an_orphan_that_is_still_rolled_back_fails_the_run(
    function: Function, hold: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(-STEP_SECONDS)
    monkeypatch.setattr("mysql_jobs.job_lock.ROLLBACK_SECONDS", 0.2)
    monkeypatch.setattr(Connection, "kill", lambda *_: True)  # as if it took its time to end
    with pytest.raises(OrphanError, match="still rolling its work back: retry this run"):
        function.deliver()


def test_the_deadline_in_the_lock_is_the_functions_own(
    function: Function, server: MySQLServer, variables: dict[str, str]
) -> None:
    """A run of another environment of this function, which meets it later, goes by what it reads there."""
    seen: list[tuple[Any, ...]] = []
    name = f"{variables['DATABASE_NAME']}.pulse"

    def looks(_run: Any) -> None:
        with _asked(server) as cursor:
            for seconds in (0, 30 - STEP_SECONDS, 30, 30 + STEP_SECONDS, 30 + 2 * STEP_SECONDS):
                step = (time.time() + seconds) // STEP_SECONDS * STEP_SECONDS
                cursor.execute("SELECT IS_USED_LOCK(%s) IS NOT NULL", (deadline_lock(name, step),))
                seen.append((seconds, *cursor.fetchone()))

    function.do(looks)
    function.deliver(EIGHT)
    [held] = [seconds for seconds, is_held in seen if is_held]
    assert 30 - STEP_SECONDS < held + STEP_SECONDS <= 30 + 2 * STEP_SECONDS


def _run_until_killed(session: Any) -> None:
    try:
        with session.cursor() as cursor:
            cursor.execute(BUSY)
    except pymysql.MySQLError:
        pass  # it was killed, which is the point
    except (AttributeError, OSError):
        pass  # the test is over


def _is_there(query: Query, number: int) -> bool:
    end = time.monotonic() + 1
    while rows := query(f"SELECT 1 FROM performance_schema.processlist WHERE id = {number}"):
        if time.monotonic() > end:
            break
        time.sleep(0.05)
    return bool(rows)


@contextmanager
def _asked(server: MySQLServer) -> Iterator[Any]:
    with server.connect() as connection, connection.cursor() as cursor:
        yield cursor
