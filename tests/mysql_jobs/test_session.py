"""A session by itself: what it is before it is sealed, and how it ends when nothing is there any more."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal
from unittest import mock

import pymysql
import pytest
from pymysql.constants import CR, SERVER_STATUS

from mysql_jobs import session as sessions
from mysql_jobs.configuration import Database
from mysql_jobs.credentials import Credentials
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.session import Session


@pytest.fixture
def session() -> Session:
    """Not connected."""
    return Session(host="localhost", defer_connect=True)


@pytest.mark.parametrize(("cut", "how"), [(False, "gone"), (True, "cut")])
def test_what_was_closed_before_is_not_closed_politely(cut: bool, how: str, session: Session) -> None:
    """By the server, the network or the job, or by the watchdog at the deadline."""
    assert session.destroy(cut=cut) == how


def test_a_closed_session_is_not_watched(session: Session) -> None:
    with pytest.raises(pymysql.err.OperationalError) as caught:
        session.watch(Deadline.after(60))
    assert caught.value.args[0] == CR.CR_SERVER_LOST


def test_goodbye_waits_a_tenth_of_a_second_for_room(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[tuple[bytes, float]] = []
    monkeypatch.setattr(session, "_write_bytes", lambda data: waited.append((data, session._write_timeout)))
    assert session._send_quit()
    assert waited == [(b"\1\0\0\0\1", 0.1)]


@pytest.mark.parametrize(
    ("name", "arguments", "asked"),
    [
        ("connect", (None,), ((None,), {})),
        ("ping", (), ((), {"reconnect": False})),
        ("ping", (True,), ((), {"reconnect": False})),
        ("autocommit", (True,), ((True,), {})),
        ("begin", (), ((), {})),
        ("commit", (), ((), {})),
        ("rollback", (), ((), {})),
    ],
)
def test_until_it_is_sealed_it_does_what_pymysql_does_but_never_reconnects(
    name: str, arguments: tuple[object, ...], asked: object, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    monkeypatch.setattr(
        pymysql.connections.Connection, name, lambda _self, *given, **named: calls.append((given, named))
    )
    getattr(session, name)(*arguments)
    assert calls == [asked]


def test_a_statement_of_a_job_is_buffered_unless_it_asks(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def query(_self: object, sql: object, unbuffered: bool) -> int:
        asked.append((sql, unbuffered))
        return 7

    monkeypatch.setattr(pymysql.connections.Connection, "query", query)
    assert session.query("SELECT 1") == 7
    assert session.query(b"SELECT \xff", True) == 7
    assert asked == [("SELECT 1", False), (b"SELECT \xff", True)]


@pytest.mark.parametrize("statement", ["COMMIT", b"COMMIT", b"ROLLBACK /* \xff */"])
def test_a_sealed_session_takes_no_end_of_its_transaction_as_text_or_as_bytes(
    statement: str | bytes, session: Session
) -> None:
    session._sealed = True
    with pytest.raises(sessions.SealedError, match=r"(COMMIT|ROLLBACK) would end the run's transaction"):
        session.query(statement)


def test_after_its_transaction_it_asks_the_server_nothing(session: Session) -> None:
    session._ended = True
    with pytest.raises(sessions.TransactionEndedError):
        session.query("INSERT INTO work VALUES (1)")


@pytest.mark.parametrize("struck", [False, True])
def test_an_error_after_the_deadline_is_the_deadlines(struck: bool, session: Session) -> None:
    error = pymysql.err.OperationalError(CR.CR_SERVER_LOST, "Lost connection")
    assert session._explained(error) is error
    session._watchdog = SimpleNamespace(struck=struck)  # type: ignore[assignment]
    assert isinstance(session._explained(error), DeadlineExceeded) is struck


IN_TRANSACTION, AUTOCOMMIT = SERVER_STATUS.SERVER_STATUS_IN_TRANS, SERVER_STATUS.SERVER_STATUS_AUTOCOMMIT


@pytest.mark.parametrize(
    ("statuses", "ends"),
    [
        ([0, 0], False),
        ([0, IN_TRANSACTION, IN_TRANSACTION], False),
        ([IN_TRANSACTION, None, IN_TRANSACTION], False),
        ([IN_TRANSACTION, 0], True),
        ([IN_TRANSACTION, None, 0], True),
        ([AUTOCOMMIT], True),
        ([IN_TRANSACTION | AUTOCOMMIT], True),
        ([IN_TRANSACTION, IN_TRANSACTION | AUTOCOMMIT], True),
    ],
)
def test_the_servers_own_status_says_whether_the_transaction_goes_on(
    statuses: list[int | None], ends: bool, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is what an answer of rows has."""
    buffered: list[bool] = []

    def read(session: Any, unbuffered: bool) -> int:
        session._result = SimpleNamespace(server_status=statuses.pop(0))
        buffered.append(not unbuffered)
        return 3

    monkeypatch.setattr(pymysql.connections.Connection, "_read_query_result", read)
    monkeypatch.setattr(pymysql.connections.Connection, "query", lambda *_: 0)
    before = list(statuses)
    for _ in range(len(statuses)):
        assert session._read_query_result() == 3  # nobody watches yet
    statuses[:] = before
    session.begin_transaction("mark")
    for _ in range(len(statuses) - 1):
        assert session._read_query_result() == 3
    if ends:
        with pytest.raises(sessions.TransactionEndedError):
            session._read_query_result()
    else:
        assert session._read_query_result(unbuffered=False) == 3
    assert session._ended is ends
    assert all(buffered)


def test_a_transaction_begins_with_its_mark_and_ends_as_it_is_told(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the job has made of `completion_type`, of which CHAIN would begin another, and RELEASE hang up."""
    asked: list[object] = []
    monkeypatch.setattr(pymysql.connections.Connection, "query", lambda _self, *sql: asked.append(sql))
    session._in_transaction = True  # of the transaction before
    session.begin_transaction("mark")
    assert (session._sealed, session._watched, session._in_transaction) == (True, True, False)
    session.end_transaction("COMMIT")
    assert (session._sealed, session._watched) == (True, False)
    session.end_transaction("ROLLBACK")
    assert asked == [
        ("SAVEPOINT mark",),
        ("COMMIT AND NO CHAIN NO RELEASE",),
        ("ROLLBACK AND NO CHAIN NO RELEASE",),
    ]


def test_a_new_session_is_nobodys(session: Session) -> None:
    assert (session._sealed, session._watched, session._in_transaction, session._ended) == (False,) * 4
    assert (session._watchdog, session.address, session.identity) == (None, "", "")


@pytest.mark.parametrize("quits", [True, False])
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(("unbuffered", "more"), [(None, None), (False, False), (True, False), (False, True)])
def test_goodbye_is_said_only_by_a_healthy_session_at_the_end_of_a_result(
    unbuffered: bool | None, more: bool | None, cut: bool, quits: bool, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(session, "_force_close", lambda: done.append("closed"))

    def send_quit() -> bool:
        done.append("quit")
        return quits

    monkeypatch.setattr(session, "_send_quit", send_quit)
    session._sock = object()
    connection = object()
    result = SimpleNamespace(unbuffered_active=unbuffered, has_next=more, connection=connection)
    session._result = None if unbuffered is None else result
    left = bool(unbuffered or more)
    how = session.destroy(cut=cut)
    assert how == ("polite" if quits and not cut and not left else "cut")
    assert done == ([] if cut or left else ["quit"]) + ["closed"]
    assert session._result is None
    assert result.connection is (None if left else connection), "what is collected later must not read it"
    assert not (left and result.unbuffered_active)
    session._sock = None


def test_goodbye_that_can_not_be_sent_is_none(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_write_bytes", _fails)
    assert session._send_quit() is False


@pytest.mark.parametrize("method", ["_read_bytes", "_write_bytes"])
def test_what_is_read_and_written_says_why_it_failed(
    method: str, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pymysql.connections.Connection, method, lambda _self, given: given)
    assert getattr(session, method)(b"7") == (b"7" if method == "_read_bytes" else None)
    monkeypatch.setattr(pymysql.connections.Connection, method, _fails)
    with pytest.raises(pymysql.err.OperationalError) as caught:
        getattr(session, method)(7)
    session._watchdog = SimpleNamespace(struck=True)
    with pytest.raises(DeadlineExceeded) as exceeded:
        getattr(session, method)(7)
    assert isinstance(exceeded.value.__cause__, type(caught.value))


def test_a_closed_session_is_asked_nothing(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(pymysql.connections.Connection, "_execute_command", lambda _self, *what: asked.append(what))
    with pytest.raises(pymysql.err.InterfaceError, match="the connection is closed"):
        session._execute_command(3, "SELECT 1")
    assert asked == []
    session._sock = object()
    session._execute_command(3, "SELECT 1")
    assert asked == [(3, "SELECT 1")]
    session._sock = None


@pytest.mark.parametrize("name", ["connect", "ping", "autocommit", "begin", "commit", "rollback"])
def test_sealed_it_refuses_by_name_what_would_take_it_away(name: str, session: Session) -> None:
    session._sealed = True
    arguments = {"ping": (True,), "autocommit": (True,)}.get(name, ())
    shown = "ping(reconnect=True)" if name == "ping" else name
    with pytest.raises(sessions.SealedError) as caught:
        getattr(session, name)(*arguments)
    assert f"its method {shown} can't be called" in str(caught.value)


def test_sealed_it_may_be_asked_whether_the_server_is_there(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(pymysql.connections.Connection, "ping", lambda _self, reconnect: asked.append(reconnect))
    session._sealed = True
    session.ping()
    assert asked == [False]


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK", " \n begin", "ROLLBACK WORK", "SET autocommit = 1"])
def test_a_statement_that_ends_the_transaction_is_known(statement: str, session: Session) -> None:
    session._sealed = True
    shown = statement.split(maxsplit=1)[0]
    with pytest.raises(sessions.SealedError, match=f"^{shown}.* would end the run's transaction"):
        session.query(statement)


@pytest.mark.parametrize("statement", ["ROLLBACK TO own", "ROLLBACK WORK TO SAVEPOINT own", "SAVEPOINT commit"])
def test_a_statement_that_does_not_is_asked(statement: str, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session._sealed = True
    monkeypatch.setattr(pymysql.connections.Connection, "query", lambda *_: 7)
    assert session.query(statement) == 7


def _fails(*_: object) -> None:
    raise pymysql.err.OperationalError(CR.CR_SERVER_LOST, "Lost connection")


LIMITS = (
    "SESSION max_execution_time = 20000, SESSION innodb_lock_wait_timeout = 20, SESSION lock_wait_timeout = 20,"
    " SESSION net_write_timeout = 20, SESSION net_read_timeout = 20"
)


@pytest.mark.parametrize("endpoint", ["instance", "proxy"])
def test_a_session_is_set_up_in_one_statement_and_not_pinned_behind_a_proxy(endpoint: Any) -> None:
    both = (
        "SET SESSION autocommit = 0, SESSION time_zone = '+00:00', SESSION wait_timeout = 21,"
        " SESSION sql_select_limit = DEFAULT"
    )
    asked, identity, _error = _set_up(endpoint=endpoint)
    lock = f", @mysql_jobs_identity = GET_LOCK('{identity}', 0)"
    assert asked == [both + (f", {LIMITS}{lock}" if endpoint == "instance" else ""), "SELECT @@GLOBAL.read_only"]
    assert bool(identity) == (endpoint == "instance")


@pytest.mark.parametrize(("seconds", "limit"), [(-1.0, 1), (0.5, 1), (1.5, 2)])
def test_the_server_waits_a_whole_second_at_least(seconds: float, limit: int) -> None:
    """To the server, 0 would mean no limit."""
    asked, _identity, _error = _set_up(seconds=seconds)
    assert f"SESSION wait_timeout = {limit + 1}," in asked[0]
    assert f"SESSION max_execution_time = {limit * 1000}," in asked[0]


@pytest.mark.parametrize("read_only", [0, 1])
def test_a_read_only_server_is_refused_as_one_that_may_pass(read_only: int) -> None:
    """By its own number, 1836, which is tried again: the name of the database may lead to another server soon."""
    _asked, _identity, error = _set_up(read_only=read_only)
    assert (error.args[0] if error else None) == (1836 if read_only else None)


def test_the_name_of_a_session_can_not_be_guessed() -> None:
    """Of 128 random bits, in hexadecimal digits."""
    names = [_set_up()[1] for _ in range(2)]
    assert [len(name) for name in names] == [32, 32]
    assert len({*names}) == 2


def _set_up(
    *, endpoint: Literal["instance", "proxy"] = "instance", seconds: float = 20.0, read_only: int = 0
) -> tuple[list[str], str, pymysql.err.OperationalError | None]:
    """What a server is asked, the session's identity, and the error."""
    cursor = mock.MagicMock()
    cursor.__enter__.return_value = cursor
    cursor.fetchone.return_value = (read_only,)
    session: Any = SimpleNamespace(cursor=lambda: cursor, identity="")
    deadline: Any = SimpleNamespace(remaining=lambda: max(0.0, seconds))
    error = None
    try:
        sessions._set_up(session, endpoint, deadline)
    except pymysql.err.OperationalError as raised:
        error = raised
    return [call.args[0] for call in cursor.execute.call_args_list], session.identity, error


@pytest.mark.parametrize(
    "error", [pymysql.err.OperationalError(1045, "Access denied"), DeadlineExceeded("too late")], ids=repr
)
def test_an_error_of_the_login_is_what_it_is(error: Exception) -> None:
    session: Any = mock.Mock()
    session.connect.side_effect = error
    with pytest.raises(type(error)) as caught:
        sessions._log_in(session, mock.Mock())
    assert caught.value is error


def test_what_is_no_server_of_mysql_is_said_to_be_none() -> None:
    session: Any = mock.Mock(address="10.0.0.1")
    session.connect.side_effect = UnboundLocalError("auth_packet")
    with pytest.raises(pymysql.err.OperationalError, match=r"10\.0\.0\.1 does not speak MySQL's protocol") as caught:
        sessions._log_in(session, mock.Mock())
    assert caught.value.args[0] == CR.CR_MALFORMED_PACKET


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Everything that `open_session` does, as it is called."""
    calls = mock.Mock()
    calls.open_socket.return_value = (calls.connected, "10.0.0.1")
    calls.Watchdog.return_value.struck = False
    for name in ("Session", "open_socket", "Watchdog", "tls_context", "_log_in", "_set_up", "close_half_made"):
        monkeypatch.setattr(sessions, name, getattr(calls, name))
    return calls


DATABASE = Database(
    host="db.example", port=3307, name="jobs", endpoint="proxy", region="eu-central-1", certificates=Path("a.pem")
)


def _open(*, run_deadline: Deadline | None = None) -> Any:
    return sessions.open_session(
        address="10.0.0.1",
        database=DATABASE,
        credentials=Credentials("worker", "hunter2"),
        program_name="job request",
        deadline=Deadline(100),
        run_deadline=run_deadline,
    )


@pytest.mark.parametrize("run_deadline", [None, Deadline(200)])
def test_a_session_is_opened_with_tls_to_the_address_and_verified_by_the_name(
    run_deadline: Deadline | None, opened: Any
) -> None:
    session = opened.Session.return_value
    assert _open(run_deadline=run_deadline) is session
    assert opened.mock_calls == [
        mock.call.tls_context(Path("a.pem")),
        mock.call.Session(
            host="db.example",
            port=3307,
            user="worker",
            password="hunter2",
            database="jobs",
            charset="utf8mb4",
            ssl=opened.tls_context.return_value,
            autocommit=None,
            program_name="job request",
            defer_connect=True,
        ),
        mock.call.open_socket("10.0.0.1", 3307, Deadline(100)),
        mock.call.Watchdog(opened.connected, Deadline(100)),
        mock.call._log_in(session, opened.connected),
        *([mock.call._set_up(session, "proxy", run_deadline)] if run_deadline else []),
        mock.call.Watchdog().dismiss(),
    ]
    assert session.address == "10.0.0.1"


def test_an_address_that_nobody_listens_at_is_named(opened: Any) -> None:
    opened.open_socket.side_effect = ConnectionRefusedError("refused")
    with pytest.raises(pymysql.err.OperationalError, match=r"can't connect to 10\.0\.0\.1:3307: refused") as caught:
        _open()
    assert caught.value.args[0] == CR.CR_CONN_HOST_ERROR


def test_a_socket_without_a_watchdog_is_closed(opened: Any) -> None:
    opened.Watchdog.side_effect = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        _open()
    assert mock.call.connected.close() in opened.mock_calls
    assert not opened._log_in.called


@pytest.mark.parametrize("struck", [False, True])
@pytest.mark.parametrize("fails", ["_log_in", "_set_up"])
def test_a_session_that_fails_is_destroyed_and_its_socket_closed(fails: str, struck: bool, opened: Any) -> None:
    error = KeyboardInterrupt()
    getattr(opened, fails).side_effect = error
    opened.Watchdog.return_value.struck = struck
    with pytest.raises(KeyboardInterrupt):
        _open(run_deadline=Deadline(200))
    assert opened.mock_calls[-4:] == [
        mock.call.Session().destroy(cut=struck),
        mock.call.connected.close(),
        mock.call.close_half_made(error),
        mock.call.Watchdog().dismiss(),
    ]


def test_a_session_that_is_there_too_late_is_cut(opened: Any) -> None:
    opened.Watchdog.return_value.struck = True
    with pytest.raises(pymysql.err.OperationalError, match="the attempt to connect took too long") as caught:
        _open()
    assert caught.value.args[0] == CR.CR_SERVER_LOST
    assert opened.mock_calls[-1] == mock.call.Session().destroy(cut=True)
