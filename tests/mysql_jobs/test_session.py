"""A session by itself: what it is before it is sealed, and how it ends when nothing is there any more."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest
from pymysql.constants import CR

from mysql_jobs import session as sessions
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


@pytest.mark.parametrize(("read_only", "fails"), [(0, False), (1, True)])
def test_a_read_only_server_is_refused_as_one_that_may_pass(read_only: int, fails: bool) -> None:
    """By its own number, 1836, which is tried again: the name of the database may lead to another server soon."""
    error = _set_up(read_only)
    assert (error is not None) == fails
    if error:
        assert error.args[0] == 1836


def test_the_name_of_a_session_can_not_be_guessed() -> None:
    """Of 128 random bits, in hexadecimal digits."""
    names: list[str] = []
    for _ in range(2):
        _set_up(0, names)
    assert [len(name) for name in names] == [32, 32]
    assert len({*names}) == 2


def _set_up(read_only: int, names: list[str] | None = None) -> pymysql.err.OperationalError | None:
    cursor = _Cursor([(read_only,)])
    session: Any = SimpleNamespace(cursor=lambda: cursor, identity="")
    try:
        sessions._set_up(session, "instance", Deadline.after(20))
    except pymysql.err.OperationalError as error:
        return error
    finally:
        if names is not None:
            names.append(session.identity)
    return None


class _Cursor:
    """Answers with these rows, whatever it is asked."""

    def __init__(self, rows: list[tuple[object, ...]]) -> None:
        self.execute: Callable[..., None] = lambda *_: None
        self.fetchone = lambda: rows[0]

    def __enter__(self) -> "_Cursor":
        return self

    def __exit__(self, *_: object) -> None:
        pass
