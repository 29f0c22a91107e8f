"""Connect-and-destroy against a real server, and against ones that mean harm."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import trustme

from local.mysql_server import MySQLServer
from mysql_jobs.configuration import Database, Login
from mysql_jobs.connection import Connection, connect
from mysql_jobs.credentials import Authentication, Credentials
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from tests.mysql_jobs.known import Known
from tests.mysql_jobs.packets import greeting, packet

PASSWORD = "hunter2-never-in-clear"


@pytest.fixture
def database(server: MySQLServer, variables: dict[str, str]) -> Database:
    return Database(
        host=server.host,
        port=server.port,
        name=variables["DATABASE_NAME"],
        endpoint="instance",
        region="eu-central-1",
        certificates=str(server.certificate_authority),
    )


@pytest.fixture
def credentials(server: MySQLServer) -> Credentials:
    return Credentials(server.user, server.password)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert {thread for thread in threading.enumerate() if thread.name == "watchdog"} <= before


def test_the_session_has_limits_of_its_own_and_a_name(database: Database, credentials: Credentials) -> None:
    connection = _connect(database, credentials, seconds=20)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT @@autocommit, @@time_zone, @@max_execution_time, @@innodb_lock_wait_timeout,"
                " @@lock_wait_timeout, @@wait_timeout, @@net_write_timeout, @@net_read_timeout"
            )
            assert cursor.fetchone() == (0, "+00:00", 21_000, 21, 21, 21, 21, 21)
            cursor.execute(
                "SELECT ATTR_VALUE FROM performance_schema.session_connect_attrs"
                " WHERE PROCESSLIST_ID = CONNECTION_ID() AND ATTR_NAME = 'program_name'"
            )
            assert cursor.fetchone() == ("job request",)
    finally:
        connection.destroy()


def test_through_a_proxy_nothing_is_set_that_would_pin_the_session(
    database: Database, credentials: Credentials
) -> None:
    variables = "max_execution_time, innodb_lock_wait_timeout, lock_wait_timeout, net_write_timeout, net_read_timeout"
    connection = _connect(database._replace(endpoint="proxy"), credentials, seconds=20)
    try:
        with connection.cursor() as cursor:
            for name in variables.split(", "):
                cursor.execute(f"SELECT @@SESSION.{name} = @@GLOBAL.{name}")
                assert cursor.fetchone() == (1,), name
            cursor.execute("SELECT @@autocommit, @@time_zone, @@wait_timeout")
            assert cursor.fetchone() == (0, "+00:00", 21)
    finally:
        connection.destroy()


def test_destroy_leaves_no_socket_and_may_be_called_on_the_dead(
    database: Database, credentials: Credentials, server: MySQLServer
) -> None:
    connection = _connect(database, credentials)
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        [(number,)] = cursor.fetchall()
    _kill(server, number)
    ended = connection.destroy()
    assert ended.how in ("polite", "cut", "gone")
    assert connection.destroy() is ended
    with pytest.raises(pymysql.err.InterfaceError, match="the connection is closed"):
        connection.commit()


def test_a_watchdog_that_cannot_start_leaves_no_session(
    database: Database, credentials: Credentials, query: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    status = "SHOW GLOBAL STATUS LIKE 'Aborted_clients'"
    aborted = query(status)
    monkeypatch.setattr("mysql_jobs.session.Session.watch", _no_thread)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        _connect(database, credentials)
    sessions = "SELECT COUNT(*) FROM performance_schema.session_connect_attrs WHERE ATTR_VALUE = 'job request'"
    _wait_for(lambda: query(sessions) == [(0,)])
    assert query(status) == aborted  # it sent COM_QUIT


def test_a_server_with_another_authority_is_refused(
    database: Database, credentials: Credentials, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    with pytest.raises(pymysql.err.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        _connect(database._replace(certificates=str(other)), credentials)


def test_a_server_with_another_name_is_refused(
    database: Database, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mysql_jobs.network.resolve", lambda _name, _deadline: ["127.0.0.1"])
    with pytest.raises(pymysql.err.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        _connect(database._replace(host="a.name.that.its.certificate.lacks"), credentials)


def test_a_server_that_strips_tls_gets_no_password(database: Database) -> None:
    received = bytearray()

    def strip(peer: socket.socket) -> None:
        peer.sendall(packet(greeting(tls=False)))
        with contextlib.suppress(OSError):
            while data := peer.recv(4096):
                received.extend(data)
                peer.sendall(packet(b"\xfemysql_clear_password\0", number=2))

    with _listen(strip) as port, pytest.raises(pymysql.err.OperationalError) as caught:
        _connect(database._replace(port=port), Credentials("jobs", PASSWORD))
    assert caught.value.args[0] == 2026
    assert PASSWORD.encode() not in received


def test_an_iam_token_travels_inside_verified_tls(
    database: Database, server: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As RDS asks for it: with its own plugin the server wants the token as a clear-text password."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    as_server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    as_server.load_cert_chain(server.folder / "server.pem", server.folder / "server-key.pem")
    tokens: list[bytes] = []

    def ask(peer: socket.socket) -> None:
        peer.sendall(packet(greeting(tls=True)))
        peer.recv(36)  # the wish for TLS; its hello may come right behind
        with as_server.wrap_socket(peer, server_side=True) as inside:
            inside.recv(4096)
            inside.sendall(packet(b"\xfemysql_clear_password\0", number=3))
            tokens.append(inside.recv(4096)[4:-1])
            inside.sendall(packet(b"\xff\x19\x04#28000not on RDS", number=5))  # 1049, for good

    login = Login(user="jobs", auth="iam", secret="")
    with _listen(ask) as port:
        there = database._replace(port=port)
        authentication = Authentication(login=login, database=there)
        with pytest.raises(pymysql.err.OperationalError, match="not on RDS"):
            connect(database=there, authentication=authentication, deadline=Deadline.after(20), program_name="job")
    [token] = tokens
    assert token.startswith(f"localhost:{port}/?Action=connect&DBUser=jobs&X-Amz-Algorithm=AWS4-HMAC-SHA256".encode())


@pytest.mark.parametrize(
    ("first", "drips"),
    [
        pytest.param(b"", b"", id="says nothing"),
        pytest.param(b"\xff\xff\x00\x00", b"\x0a", id="drips its greeting"),
        pytest.param(packet(greeting(tls=True)), b"", id="says nothing to TLS"),
        pytest.param(
            packet(greeting(tls=True)) + b"\x16\x03\x03\x40\x00\x02\x00\x3f\x00", b"\x03", id="drips its TLS hello"
        ),
    ],
)
def test_a_server_that_stalls_is_bounded_by_the_deadline(first: bytes, drips: bytes, database: Database) -> None:
    def stall(peer: socket.socket) -> None:
        peer.sendall(first)
        with contextlib.suppress(OSError):
            while drips:
                peer.sendall(drips)
                threading.Event().wait(0.1)
            while peer.recv(4096):
                pass

    with (
        _listen(stall) as port,
        pytest.raises(DeadlineExceeded, match=r"not connected in time; attempt \d: .*(Lost connection|EOF)"),
    ):
        _connect(database._replace(port=port), Credentials("jobs", PASSWORD), seconds=1)


def test_an_unreachable_database_is_named(database: Database) -> None:
    with socket.socket() as bound:  # bound, not listening: nobody else gets the port
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(DeadlineExceeded, match=f"can't connect to localhost:{port}: .*refused"):
            _connect(database._replace(port=port), Credentials("jobs", PASSWORD), seconds=1)


def test_no_connection_is_begun_after_the_deadline(database: Database, credentials: Credentials) -> None:
    with pytest.raises(DeadlineExceeded, match=r"not connected in time; attempt 1: .* no time is left"):
        _connect(database, credentials, seconds=0)


def _connect(database: Database, credentials: Credentials, *, seconds: float = 20) -> Connection:
    return connect(
        database=database,
        authentication=Known(credentials=credentials),
        deadline=Deadline.after(seconds),
        program_name="job request",
    )


def _no_thread(*_arguments: object) -> None:
    raise RuntimeError("can't start new thread")


def _wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it never came true")


def _kill(server: MySQLServer, number: int) -> None:
    with server.connect() as administrator, administrator.cursor() as cursor:
        cursor.execute("KILL %s", (number,))


@contextlib.contextmanager
def _listen(behave: Callable[[socket.socket], Any]) -> Iterator[int]:
    """A server on loopback that behaves so towards its one caller; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _address = listener.accept()
            with peer:
                peer.settimeout(30)
                behave(peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(30)
        assert not thread.is_alive()
