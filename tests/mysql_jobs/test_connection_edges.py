"""A connection's ends: at the deadline, in the middle of rows, without a network, and when there is nobody to kill."""

import contextlib
import os
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
import pytest
from pymysql.constants import ER
from pymysql.cursors import Cursor, SSCursor

from lab.fault_proxy import Fault, FaultProxy
from local.mysql_server import MySQLServer
from mysql_jobs import connection as connections
from mysql_jobs import opening
from mysql_jobs.configuration import Database
from mysql_jobs.connection import Connection, OutcomeUnknownError, connect
from mysql_jobs.credentials import Credentials, CredentialsError
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.session import TransactionEndedError, no_autocommit_if
from tests.mysql_jobs.known import Known


@pytest.fixture
def database(server: MySQLServer) -> Database:
    return Database(
        host=server.host,
        port=server.port,
        name="information_schema",
        endpoint="instance",
        region="eu-central-1",
        certificates=str(server.certificate_authority),
    )


@pytest.fixture
def authentication(server: MySQLServer) -> Known:
    return Known(credentials=Credentials(server.user, server.password))


@pytest.fixture
def open_connection(database: Database, authentication: Known) -> Iterator[Callable[..., Connection]]:
    """Connects, and destroys it at the end."""
    with contextlib.ExitStack() as stack:

        def open_connection(*, seconds: float = 20, **changes: object) -> Connection:
            connection = connect(
                database=database._replace(**changes),  # type: ignore[arg-type]
                authentication=authentication,
                deadline=Deadline.after(seconds),
                program_name="job",
            )
            stack.callback(connection.destroy)
            return connection

        yield open_connection


def test_the_statement_at_the_deadline_is_killed_within_a_second(
    open_connection: Callable[..., Connection], authentication: Known, server: MySQLServer
) -> None:
    connection = open_connection(seconds=1.3)  # the session's own limit is 3 s
    number = _number(connection)
    with pytest.raises(DeadlineExceeded):
        connection.cursor().execute("SELECT SLEEP(30)")
    ended = connection.destroy()
    assert (ended.how, ended.killed) == ("cut", "killed")
    assert not _is_there(server, number)
    assert 0 < authentication.seconds[1] <= connections.KILL_SECONDS == 1
    with pytest.raises(DeadlineExceeded, match="before its work could be committed"):
        connection.commit()


def test_at_the_deadline_the_session_is_killed_not_only_its_statement(
    open_connection: Callable[..., Connection], server: MySQLServer
) -> None:
    """One that works on nothing just then would go on, with its locks, where the server does not see the cut."""
    connection, killer = open_connection(seconds=300), open_connection()  # its own limits don't end it before
    number = _number(connection)
    assert connection._kill_by(killer._session) == "killed"
    assert not _is_there(server, number)


def test_an_orphans_session_is_killed_not_only_its_statement(
    open_connection: Callable[..., Connection], server: MySQLServer
) -> None:
    orphan, connection = open_connection(seconds=300), open_connection()
    number = _number(orphan)
    assert connection.kill(number)
    assert not _is_there(server, number)


def test_the_kill_goes_to_the_server_of_the_session_wherever_its_name_leads_by_now(
    open_connection: Callable[..., Connection], server: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = open_connection(seconds=1.3)  # the session's own limit is 3 s
    number = _number(connection)
    nobody = {server.host: ["127.0.0.9"]}
    monkeypatch.setattr("mysql_jobs.network.resolve", lambda name, _deadline: nobody.get(name, [name]))
    with pytest.raises(DeadlineExceeded):
        connection.cursor().execute("SELECT SLEEP(30)")
    assert connection.destroy().killed == "killed"
    assert not _is_there(server, number)


def test_a_thread_that_is_gone_at_the_deadline_is_said_to_be(
    open_connection: Callable[..., Connection], server: MySQLServer
) -> None:
    connection = open_connection(seconds=1)
    number = _number(connection)
    _execute(server, f"KILL {number}")
    assert _is_struck(connection)
    assert connection.destroy().killed == "already gone"


def test_a_kill_that_the_server_refuses_is_said_to_have_failed(
    open_connection: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = open_connection(seconds=0.5)
    refused = pymysql.err.OperationalError(ER.KILL_DENIED_ERROR, "You are not owner of thread 1")
    monkeypatch.setattr(connection, "_kill_by", _raises(refused))
    assert _is_struck(connection)
    assert connection.destroy().killed == f"failed: {refused}"


def test_another_session_of_the_same_number_is_not_killed(
    open_connection: Callable[..., Connection], server: MySQLServer
) -> None:
    """As after a restart of the server, which numbers its sessions anew."""
    other = open_connection(seconds=30)
    connection = open_connection(seconds=1)
    session: Any = connection._session
    session.server_thread_id = [_number(other)]
    assert _is_struck(connection)
    assert connection.destroy().killed == "already gone"
    assert _number(other) in {number for (number,) in _execute(server, "SELECT id FROM performance_schema.processlist")}


def test_a_kill_without_credentials_is_said_to_have_failed(
    open_connection: Callable[..., Connection], authentication: Known
) -> None:
    connection = open_connection(seconds=0.5)
    authentication.errors.append(CredentialsError("throttled"))
    assert _is_struck(connection)
    assert connection.destroy().killed == "failed: throttled"


def test_a_kill_that_gets_no_answer_is_given_up(
    open_connection: Callable[..., Connection], server: MySQLServer
) -> None:
    with FaultProxy(server) as proxy:
        connection = open_connection(seconds=1, port=proxy.port)
        proxy.strike(Fault(stage="answer", action="silence", statement=b"IS_USED_LOCK"))
        assert _is_struck(connection)
        ended = connection.destroy()
    assert re.fullmatch(r"failed: \(2013, 'Lost connection.*\)", ended.killed)


def test_nothing_is_killed_through_a_proxy(open_connection: Callable[..., Connection], authentication: Known) -> None:
    connection = open_connection(seconds=0.5, endpoint="proxy")
    assert _is_struck(connection)
    assert connection.destroy().killed == "not through a proxy"
    assert len(authentication.seconds) == 1


def test_a_destroyed_connection_is_timed_and_counted(open_connection: Callable[..., Connection]) -> None:
    connection = open_connection()
    ended = connection.destroy()
    assert connection.attempts == 1
    assert (ended.how, ended.killed) == ("polite", "")
    assert 0 <= ended.seconds < 30


def test_a_full_send_buffer_delays_no_destroy(open_connection: Callable[..., Connection], server: MySQLServer) -> None:
    with _stoppable(server.port) as (port, stop):
        connection = open_connection(port=port)
        stop.set()
        _fill(connection)
        ended = connection.destroy()
    assert ended.how == "cut"
    assert ended.seconds < 30


def test_rows_that_are_left_are_never_read(open_connection: Callable[..., Connection]) -> None:
    connection = open_connection()
    cursor = connection.cursor(SSCursor)
    cursor.execute("SELECT a.TABLE_NAME FROM information_schema.TABLES a, information_schema.TABLES b")
    cursor.fetchone()
    assert connection.destroy().how == "cut"
    assert cursor.connection is None
    cursor.close()  # would raise if it read


def test_a_second_result_that_is_left_is_not_waited_for(open_connection: Callable[..., Connection]) -> None:
    connection = open_connection()
    session: Any = connection.cursor().connection
    session.query("SET @x = 1")
    session._result.has_next = True  # as a procedure leaves it, that returns more than one result
    result = session._result
    assert connection.destroy().how == "cut"
    assert (result.unbuffered_active, result.connection) == (False, None)


def test_a_cursor_read_to_its_end_allows_com_quit(
    open_connection: Callable[..., Connection],
) -> None:
    connection = open_connection()
    for kind in Cursor, SSCursor:
        cursor = connection.cursor(kind)
        cursor.execute("SELECT 1")
        assert list(cursor.fetchall()) == [(1,)]
    assert connection.destroy().how == "polite"


@pytest.mark.parametrize("code", [1, 1180, 1999, 3000, 3101])
def test_a_commit_that_the_server_refuses_has_a_known_outcome(
    code: int, open_connection: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = open_connection()
    error = pymysql.err.OperationalError(code, "Got error during COMMIT")
    monkeypatch.setattr(connection.cursor().connection, "run_together", _raises(error))
    with pytest.raises(pymysql.err.OperationalError, match="Got error during COMMIT"):
        connection.commit()


@pytest.mark.parametrize(
    "error",
    [
        *(pymysql.err.OperationalError(code, "lost") for code in (0, 2000, 2006, 2013, 2999)),
        pymysql.err.InternalError("Packet sequence number wrong"),
        pymysql.err.OperationalError(),
        DeadlineExceeded("while it waited"),
    ],
    ids=repr,
)
def test_a_commit_without_an_answer_has_an_unknown_outcome(
    error: Exception, open_connection: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = open_connection()
    monkeypatch.setattr(connection.cursor().connection, "run_together", _raises(error))
    with pytest.raises(OutcomeUnknownError) as caught:
        connection.commit()
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("end", ["commit", "rollback"])
@pytest.mark.parametrize("statement", ["COMMIT", "BEGIN", "COMMIT AND CHAIN", "SET autocommit = 1"])
def test_a_transaction_that_the_job_ends_is_found_out(
    statement: str, end: str, open_connection: Callable[..., Connection], server: MySQLServer, variables: dict[str, str]
) -> None:
    """It hides the statement in a comment, as nothing else would let it through."""
    schema = variables["DATABASE_NAME"]
    _execute(server, f"CREATE TABLE {schema}.work (n INT)")
    connection = open_connection(name=schema)
    connection.begin()
    connection.cursor().execute("INSERT INTO work VALUES (1)")
    # The server's status says so at once, unless the statement begins another transaction.
    at_once = statement not in ("BEGIN", "COMMIT AND CHAIN")
    with pytest.raises(TransactionEndedError) if at_once else contextlib.nullcontext():
        connection.cursor().execute(f"/* */ {statement}")
    with contextlib.suppress(TransactionEndedError):
        connection.cursor().execute("/* */ SET autocommit = 0")
        connection.cursor().execute("INSERT INTO work VALUES (2)")
    with pytest.raises(TransactionEndedError, match="a procedure or a prepared statement that commits"):
        getattr(connection, end)()
    connection.destroy()
    assert (2,) not in _execute(server, f"SELECT n FROM {schema}.work")


@pytest.mark.parametrize("statement", ["SELECT 1", "SAVEPOINT own", "CREATE TEMPORARY TABLE other (n INT)"])
def test_a_transaction_that_goes_on_is_committed(
    statement: str, open_connection: Callable[..., Connection], server: MySQLServer, variables: dict[str, str]
) -> None:
    schema = variables["DATABASE_NAME"]
    _execute(server, f"CREATE TABLE {schema}.work (n INT)")
    connection = open_connection(name=schema)
    for number in 1, 2:
        connection.begin()
        connection.cursor().execute("INSERT INTO work VALUES (%s)", (number,))
        connection.cursor().execute(statement if number == 1 else "SELECT 1")
        connection.commit()
    assert _execute(server, f"SELECT n FROM {schema}.work") == [(1,), (2,)]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_after_a_commit_that_failed_nothing_is_committed(
    end: str, open_connection: Callable[..., Connection], server: MySQLServer, variables: dict[str, str]
) -> None:
    """A job may catch the error of a checkpoint, and go on."""
    schema = variables["DATABASE_NAME"]
    _execute(server, f"CREATE TABLE {schema}.work (n INT)")
    connection = open_connection(name=schema)
    connection.begin()
    connection.cursor().execute("INSERT INTO work VALUES (1)")
    with pytest.raises(pymysql.err.OperationalError) as caught:
        connection.commit("INSERT INTO work VALUES (2)", f"SET {no_autocommit_if('1 = 2')}", go_on=True)
    assert caught.value.args[0] == ER.WRONG_VALUE_FOR_VAR
    connection.cursor().execute("INSERT INTO work VALUES (3)")
    with pytest.raises(TransactionEndedError):
        getattr(connection, end)()
    connection.destroy()
    assert _execute(server, f"SELECT n FROM {schema}.work") == []


@pytest.mark.parametrize("sql_mode", ["DEFAULT", "''"])
def test_a_condition_is_one_in_every_sql_mode(sql_mode: str, open_connection: Callable[..., Connection]) -> None:
    cursor = open_connection().cursor()
    cursor.execute(f"SET sql_mode = {sql_mode}")
    cursor.execute(f"SET {no_autocommit_if('1 = 1')}")
    for condition in "1 = 2", "NULL":
        with pytest.raises(pymysql.err.OperationalError) as caught:
            cursor.execute(f"SET {no_autocommit_if(condition)}")
        assert caught.value.args[0] == ER.WRONG_VALUE_FOR_VAR
    cursor.execute("SELECT @@autocommit")
    assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("fails", [False, True])
def test_a_job_runs_one_statement_at_a_time_whatever_the_run_sent_before(
    fails: bool, open_connection: Callable[..., Connection]
) -> None:
    """What somebody smuggles into a statement of a job would be another."""
    connection = open_connection()
    first = ["SELECT 1", "SELECT nonsense" if fails else "SELECT 2", "SELECT 3"]
    with pytest.raises(pymysql.err.OperationalError, match="nonsense") if fails else contextlib.nullcontext():
        assert connection.begin(*first) == [((1,),), ((2,),), ((3,),)]
    with pytest.raises(pymysql.err.ProgrammingError) as caught:
        connection.cursor().execute("SELECT 1; SELECT 2")
    assert caught.value.args[0] == ER.PARSE_ERROR
    with connection.cursor() as cursor:
        cursor.execute("SELECT 4")
        assert cursor.fetchall() == ((4,),)


def test_work_is_committed_or_rolled_back(
    open_connection: Callable[..., Connection], server: MySQLServer, variables: dict[str, str]
) -> None:
    schema = variables["DATABASE_NAME"]
    _execute(server, f"CREATE TABLE {schema}.work (n INT)")
    connection = open_connection(name=schema)
    for number, end in (1, connection.rollback), (2, connection.commit):
        connection.cursor().execute("INSERT INTO work VALUES (%s)", (number,))
        end()
    assert _execute(server, f"SELECT n FROM {schema}.work") == [(2,)]


def test_a_session_always_has_limits(open_connection: Callable[..., Connection]) -> None:
    """Even one that is set up when no time is left: to the server, 0 would mean no limit."""
    connection = open_connection()
    session: Any = connection.cursor().connection
    opening._set_up(session, Deadline.after(-1))
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_execution_time, @@innodb_lock_wait_timeout, @@lock_wait_timeout, @@wait_timeout")
        assert cursor.fetchone() == (1000, 1, 1, 1)


def test_an_attempt_that_ends_late_is_none(
    open_connection: Callable[..., Connection], server: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watchdog has shut the socket, and nobody has noticed yet."""
    numbers: list[int] = []

    def set_up(session: Any, deadline: Deadline) -> None:
        numbers.append(session.thread_id())
        time.sleep(deadline.remaining() + 0.2)

    monkeypatch.setattr("mysql_jobs.opening._set_up", set_up)
    with pytest.raises(DeadlineExceeded, match=r"attempt 1( failed)?: .*the attempt to connect took too long"):
        open_connection(seconds=0.5)
    [number] = numbers
    assert not _is_there(server, number)


def test_an_attempt_that_fails_is_ended_at_once(
    open_connection: Callable[..., Connection], server: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it fails of: nothing waits for a garbage collection that a freeze may delay for hours."""
    sessions: list[Any] = []

    def set_up(session: Any, _deadline: Deadline) -> None:
        sessions.append(session)
        raise KeyboardInterrupt

    monkeypatch.setattr("mysql_jobs.opening._set_up", set_up)
    with pytest.raises(KeyboardInterrupt):
        open_connection()
    assert not sessions[0].open
    assert not _is_there(server, sessions[0].thread_id())


def test_a_session_without_a_watchdog_is_ended_at_once(
    open_connection: Callable[..., Connection], server: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions: list[Any] = []

    def watch(session: Any, *_: object) -> None:
        sessions.append(session)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("mysql_jobs.session.Session.watch", watch)
    with pytest.raises(RuntimeError):
        open_connection()
    assert not sessions[0].open
    assert not _is_there(server, sessions[0].thread_id())


def _raises(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


def _number(connection: Connection) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        [(number,)] = cursor.fetchall()
    return int(number)


def _is_struck(connection: Connection) -> bool:
    """Once its deadline has come, and what is done then is done; within a generous bound on a hang."""
    session: Any = connection._session
    session._watchdog._thread.join(30)
    return connection._session.struck


def _is_there(server: MySQLServer, number: int) -> bool:
    for _ in range(250):
        query = f"SELECT COUNT(*) FROM performance_schema.processlist WHERE id = {number}"
        if _execute(server, query) == [(0,)]:
            return False
        threading.Event().wait(0.02)
    return True


def _execute(server: MySQLServer, statement: str) -> list[tuple[object, ...]]:
    with server.connect() as administrator, administrator.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _fill(connection: Connection) -> None:
    """Send until nothing more goes into the network: the other side no longer reads."""
    session: Any = connection.cursor().connection
    with socket.socket(fileno=os.dup(session._sock.fileno())) as raw:
        for _ in range(3):  # what is on its way may make room once more
            with contextlib.suppress(BlockingIOError):
                while raw.send(bytes(65536), socket.MSG_DONTWAIT):
                    pass
            time.sleep(0.05)


@contextlib.contextmanager
def _stoppable(port: int) -> Iterator[tuple[int, threading.Event]]:
    """Passes one connection on to a port, until the event is set: then nothing passes any more, nothing is closed."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _address = listener.accept()
            with client, socket.create_connection(("127.0.0.1", port)) as server:
                while not stop.is_set():
                    for source in select.select([client, server], [], [], 0.02)[0]:
                        data = source.recv(65536)
                        if not data:
                            return
                        (server if source is client else client).sendall(data)
                done.wait(30)

        done = threading.Event()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], stop
        done.set()
        thread.join(30)
    assert not thread.is_alive()
