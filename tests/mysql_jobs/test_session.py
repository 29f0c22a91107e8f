"""A session by itself: what it is before it is sealed, and how it ends when nothing is there any more."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pymysql
import pytest
from pymysql.constants import CR, SERVER_STATUS
from pymysql.cursors import Cursor

from mysql_jobs import session as sessions
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.session import Session, TransactionEndedError, no_autocommit_if
from tests.mysql_jobs.packets import EOF, answer, error, ok, packet, rows


@pytest.fixture
def session() -> Session:
    """Not connected."""
    return Session(host="localhost", defer_connect=True)


@pytest.mark.parametrize(("struck", "how"), [(False, "gone"), (True, "cut")])
def test_what_was_closed_before_is_not_closed_politely(struck: bool, how: str, session: Any) -> None:
    """By the server, the network or the job, or by the watchdog at the deadline."""
    session.opened(mock.Mock(struck=struck), mock.Mock())
    assert session.destroy() == how
    assert session._watchdog.dismiss.called, "it would outlive the run"


def test_a_session_that_was_never_opened_is_gone(session: Session) -> None:
    assert session.struck is False
    assert session.destroy() == "gone"


def test_a_session_is_watched_by_the_watchdog_that_it_was_opened_with(session: Any) -> None:
    watchdog, kill = mock.Mock(struck=False), mock.Mock()
    session.opened(watchdog, mock.Mock())
    session.watch(Deadline(100), kill)
    assert watchdog.mock_calls == [mock.call.extend(Deadline(100), kill)]


@pytest.mark.parametrize("opened", [False, True])
def test_a_session_that_nobody_watched_or_that_is_there_too_late_is_none(opened: bool, session: Any) -> None:
    if opened:
        session.opened(mock.Mock(extend=lambda *_: False), mock.Mock())
    with pytest.raises(pymysql.err.OperationalError, match="the attempt to connect took too long") as caught:
        session.watch(Deadline.after(60))
    assert caught.value.args[0] == CR.CR_SERVER_LOST
    assert not session._at_work


def test_goodbye_waits_three_milliseconds_for_room(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[tuple[bytes, float]] = []
    monkeypatch.setattr(session, "_write_bytes", lambda data: waited.append((data, session._write_timeout)))
    assert session._send_quit()
    assert waited == [(b"\1\0\0\0\1", 0.003)]


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


def test_what_is_not_sealed_takes_it(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration makes tables."""
    monkeypatch.setattr(pymysql.connections.Connection, "query", lambda *_: 7)
    assert session.query("CREATE TABLE work (n INT)") == 7


def test_after_its_transaction_it_asks_the_server_nothing(session: Session) -> None:
    session._ended = True
    for ask in (session.query, lambda statement: session.run_together([statement, statement])):
        with pytest.raises(TransactionEndedError):
            ask("INSERT INTO work VALUES (1)")


@pytest.mark.parametrize("struck", [False, True])
@pytest.mark.parametrize("at_work", [False, True])
def test_an_error_after_the_deadline_of_the_run_is_the_deadlines(struck: bool, at_work: bool, session: Any) -> None:
    """One of an attempt to connect is not: there may be time for another."""
    error = pymysql.err.OperationalError(CR.CR_SERVER_LOST, "Lost connection")
    assert session._explained(error) is error
    session.opened(mock.Mock(struck=False), mock.Mock())
    if at_work:
        session.watch(Deadline(100))
    session._watchdog.struck = struck
    assert isinstance(session._explained(error), DeadlineExceeded) is (struck and at_work)


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
    before = list(statuses)
    for _ in range(len(statuses)):
        assert session._read_query_result() == 3  # nobody watches yet
    statuses[:] = before
    session._in_transaction = True  # of the transaction before
    session.seal()
    for _ in range(len(statuses) - 1):
        assert session._read_query_result() == 3
    if ends:
        with pytest.raises(sessions.TransactionEndedError):
            session._read_query_result()
    else:
        assert session._read_query_result(unbuffered=False) == 3
    assert session._ended is ends
    assert all(buffered)


def test_while_the_run_ends_its_transaction_nobody_watches(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's status says that it has ended, and that is as it should be."""

    def query(session: Any, _sql: str) -> int:
        session._result = SimpleNamespace(rows=None)
        watched.append(session._watched)
        return 0

    watched: list[bool] = []
    monkeypatch.setattr(pymysql.connections.Connection, "query", query)
    session.seal()
    assert (session._sealed, session._watched, session._in_transaction) == (True, True, False)
    assert session.run_together(["COMMIT AND NO CHAIN NO RELEASE"]) == [()], "it is the run's own, so it is not refused"
    assert (watched, session._sealed, session._watched) == ([False], True, False)


def test_a_new_session_is_nobodys(session: Session) -> None:
    assert (session._sealed, session._watched, session._in_transaction, session._ended) == (False,) * 4
    assert (session._watchdog, session.address, session.identity) == (None, "", "")
    assert (session.direct, session.greeting_seconds, session._at_work, session._logging_in) == (
        True,
        0.0,
        False,
        False,
    )


@pytest.mark.parametrize("quits", [True, False])
@pytest.mark.parametrize("struck", [False, True])
@pytest.mark.parametrize(("unbuffered", "more"), [(None, None), (False, False), (True, False), (False, True)])
def test_goodbye_is_said_only_by_a_healthy_session_at_the_end_of_a_result(
    unbuffered: bool | None, more: bool | None, struck: bool, quits: bool, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    session.opened(mock.Mock(struck=struck, dismiss=lambda: done.append("dismissed")), mock.Mock())
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
    how = session.destroy()
    assert how == ("polite" if quits and not struck and not left else "cut")
    assert done == ["dismissed", *([] if struck or left else ["quit"]), "closed"]
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
    session.opened(mock.Mock(struck=True), mock.Mock())
    session._at_work = True
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


class Wire:
    """A session's connection to a server that has said everything before it was asked."""

    def __init__(self, session: Any, *, direct: bool = True) -> None:
        # Each write of the session is a message of its own, so it shows how many round trips there are.
        ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        session._sock, session._rfile, session._current_timeout = ours, ours.makefile("rb"), None
        session.direct = direct
        self.session = session

    def says(self, *answers: bytes) -> None:
        for each in answers:
            self._theirs.send(each)

    def hangs_up(self) -> None:
        self._theirs.shutdown(socket.SHUT_WR)

    def written(self) -> list[bytes]:
        """What the session has written, write by write."""
        self._theirs.setblocking(False)
        messages = []
        with contextlib.suppress(BlockingIOError):
            while message := self._theirs.recv(65536):
                messages.append(message)
        return messages

    def close(self) -> None:
        self.session._force_close()
        self._theirs.close()


@pytest.fixture
def connect(session: Session) -> Iterator[Callable[..., Wire]]:
    with contextlib.ExitStack() as stack:

        def connect(**how: bool) -> Wire:
            return stack.enter_context(contextlib.closing(Wire(session, **how)))

        yield connect


OPTION = packet(EOF, number=1)
"""The answer to COM_SET_OPTION."""
STATEMENTS = ["RELEASE SAVEPOINT mark", "SELECT n FROM é", "COMMIT"]


def test_statements_that_run_together_take_one_round_trip(connect: Callable[..., Wire], session: Session) -> None:
    """The server is told to take several for this once: never from a job, nor from who smuggles one into its texts."""
    wire = connect()
    wire.says(OPTION, answer(ok, rows(7, 8), ok), OPTION)
    assert session.run_together(STATEMENTS) == [(), ((7,), (8,)), ()]
    text = "RELEASE SAVEPOINT mark;\nSELECT n FROM é;\nCOMMIT".encode()
    assert wire.written() == [packet(b"\x1b\0\0") + packet(b"\x03" + text) + packet(b"\x1b\1\0")]
    assert not session._watched


@pytest.mark.parametrize(
    ("statements", "direct"), [(STATEMENTS, False), (STATEMENTS[1:2], True), (STATEMENTS[1:2], False)]
)
def test_a_proxy_is_sent_statements_one_by_one_and_a_single_one_needs_no_option(
    statements: list[str], direct: bool, connect: Callable[..., Wire], session: Session
) -> None:
    """Several statements in one text pin a proxy's session:
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-pinning.html
    """
    wire = connect(direct=direct)
    wire.says(*(answer(rows(7)) if "SELECT" in statement else answer(ok) for statement in statements))
    assert session.run_together(statements) == [((7,),) if "SELECT" in statement else () for statement in statements]
    assert wire.written() == [packet(b"\x03" + statement.encode()) for statement in statements]


@pytest.mark.parametrize("hangs_up", [False, True])
def test_the_first_error_is_raised_and_the_next_statement_has_its_own_answer(
    hangs_up: bool, connect: Callable[..., Wire], session: Session
) -> None:
    wire = connect()
    wire.says(OPTION, answer(ok, error(1305)))
    if hangs_up:
        wire.hangs_up()
    else:
        wire.says(OPTION, answer(rows(9)))
    with pytest.raises(pymysql.err.OperationalError) as caught:
        session.run_together(STATEMENTS)
    assert caught.value.args[0] == 1305
    cursor = session.cursor(Cursor)
    with pytest.raises(pymysql.err.InterfaceError, match="is closed") if hangs_up else contextlib.nullcontext():
        cursor.execute("SELECT 9")
        assert cursor.fetchall() == ((9,),)


@pytest.mark.parametrize("results", [[ok, rows(7)], [ok, rows(7), ok, ok]], ids=["too few", "too many"])
def test_each_statement_has_one_result(results: list[Any], connect: Callable[..., Wire], session: Session) -> None:
    """A statement within a statement would shift the rows of all that follow, and no COMMIT may go unseen."""
    wire = connect()
    wire.says(OPTION, answer(*results), OPTION, answer(rows(9)))
    with pytest.raises(pymysql.err.InternalError, match=f"3 statements, {len(results)} results") as caught:
        session.run_together(STATEMENTS)
    assert caught.value.args[0] == CR.CR_COMMANDS_OUT_OF_SYNC, "the client's own error: the outcome is not known"
    assert session.query("SELECT 9") == 1


@pytest.mark.parametrize("struck", [False, True])
def test_what_the_server_has_answered_counts_though_its_last_word_is_lost(
    struck: bool, connect: Callable[..., Wire], session: Any
) -> None:
    """All results are there: the work is committed."""
    wire = connect()
    session.opened(mock.Mock(struck=struck), mock.Mock())
    session._at_work = True
    wire.says(OPTION, answer(ok, rows(7), ok))
    wire.hangs_up()
    assert session.run_together(STATEMENTS) == [(), ((7,),), ()]
    with pytest.raises(DeadlineExceeded if struck else pymysql.err.InterfaceError):
        session.query("SELECT 9")


def test_a_last_word_that_is_an_error_is_one(connect: Callable[..., Wire], session: Session) -> None:
    """The server would still take several statements, from a job as well."""
    connect().says(OPTION, answer(ok, rows(7), ok), answer(error(1047)))
    with pytest.raises(pymysql.err.OperationalError) as caught:
        session.run_together(STATEMENTS)
    assert caught.value.args[0] == 1047


@pytest.mark.parametrize("said", [[], [OPTION], [OPTION, answer(ok, rows(7), ok)[:-11]]])
def test_a_result_that_is_lost_is_an_error(said: list[bytes], connect: Callable[..., Wire], session: Session) -> None:
    wire = connect()
    wire.says(*said)
    wire.hangs_up()
    with pytest.raises(pymysql.err.OperationalError) as caught:
        session.run_together(STATEMENTS)
    assert caught.value.args[0] == CR.CR_SERVER_LOST


def test_what_could_not_be_sent_is_not_sent_later(
    connect: Callable[..., Wire], session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = connect()
    with monkeypatch.context() as patched:
        patched.setattr(pymysql.connections.Connection, "_write_bytes", _fails)
        with pytest.raises(pymysql.err.OperationalError):
            session.run_together(STATEMENTS)
    wire.says(answer(rows(9)))
    assert session.query("SELECT 9") == 1
    assert wire.written() == [packet(b"\x03SELECT 9")]


@pytest.mark.parametrize("direct", [True, False])
def test_at_the_login_the_character_set_costs_no_round_trip(
    direct: bool, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is set with the rest; a proxy's session, which is set up otherwise, and a job's wish have PyMySQL's own."""
    asked: list[object] = []
    monkeypatch.setattr(
        pymysql.connections.Connection, "set_character_set", lambda _self, *charset: asked.append(charset)
    )
    monkeypatch.setattr(
        pymysql.connections.Connection, "connect", lambda session, _sock: session.set_character_set("utf8mb4")
    )
    session.direct = direct
    session.connect()
    assert asked == ([] if direct else [("utf8mb4", None)])
    session.set_character_set("latin1", "latin1_bin")
    assert asked[-1] == ("latin1", "latin1_bin")


def test_the_server_has_greeted_when_its_first_packet_is_there(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(
        pymysql.connections.Connection, "_get_server_information", lambda _self: said.append("greeting"), raising=False
    )
    session.opened(mock.Mock(), lambda: said.append("greeted"))
    session._get_server_information()
    assert said == ["greeting", "greeted"]


def test_a_condition_that_does_not_hold_is_an_error_of_the_server() -> None:
    """tests/mysql_jobs/test_connection_edges.py has one say so, in every sql_mode."""
    assert no_autocommit_if("1 = 2") == "SESSION autocommit = IF(1 = 2, 0, 2)"
