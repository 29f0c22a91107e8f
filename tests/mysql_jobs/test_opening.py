"""How a session is opened: to whom, how well verified, set up in one round trip, and given up in time."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pymysql
import pytest
import trustme
from pymysql.constants import CR, ER

from mysql_jobs import opening
from mysql_jobs.configuration import Database
from mysql_jobs.credentials import Credentials
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.opening import CURVE, tls_context
from mysql_jobs.session import Session
from tests.mysql_jobs.packets import greeting, packet

HANG_SECONDS = 30

LIMITS = (
    "SESSION max_execution_time = 21000, SESSION innodb_lock_wait_timeout = 21, SESSION lock_wait_timeout = 21,"
    " SESSION net_write_timeout = 21, SESSION net_read_timeout = 21"
)


def test_a_session_is_set_up_in_one_statement() -> None:
    """One round trip also tells whether the server is read-only, as after a failover."""
    [statement], identity, _error = _set_up()
    assert statement == (
        "SET NAMES utf8mb4, SESSION autocommit = 1,"
        " SESSION autocommit = IF(NOT (@@GLOBAL.read_only OR @@GLOBAL.innodb_read_only), 0, 2),"
        " SESSION time_zone = '+00:00',"
        f" SESSION wait_timeout = 21, SESSION sql_select_limit = DEFAULT, {LIMITS},"
        f" @mysql_jobs_identity = GET_LOCK('{identity}', 0)"
    )


def test_a_session_behind_a_proxy_is_not_pinned() -> None:
    asked, identity, _error = _set_up(direct=False)
    assert asked == [
        "SET SESSION autocommit = 0, SESSION time_zone = '+00:00', SESSION wait_timeout = 21,"
        " SESSION sql_select_limit = DEFAULT",
        "SELECT @@GLOBAL.read_only OR @@GLOBAL.innodb_read_only",
    ]
    assert identity == "", "its number is not the server's, so it is not to be killed by it"


@pytest.mark.parametrize(("seconds", "limit"), [(-1.0, 1), (0.5, 2), (1.5, 3)])
def test_the_server_waits_a_whole_second_at_least(seconds: float, limit: int) -> None:
    """To the server, 0 would mean no limit. A run hears of its own deadline, which comes first."""
    [statement], _identity, _error = _set_up(seconds=seconds)
    assert f"SESSION wait_timeout = {limit}," in statement
    assert f"SESSION max_execution_time = {limit * 1000}," in statement


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("read_only", [0, 1])
def test_a_read_only_server_is_refused_as_one_that_may_pass(read_only: int, direct: bool) -> None:
    """By its own number, 1836, which is tried again: the name of the database may lead to another server soon."""
    refusal = pymysql.err.OperationalError(
        ER.WRONG_VALUE_FOR_VAR, "Variable 'autocommit' can't be set to the value of '2'"
    )
    _asked, _identity, error = _set_up(
        read_only=read_only, error=refusal if direct and read_only else None, direct=direct
    )
    assert (error.args if error else None) == (
        (1836, "the server is read-only, as after a failover") if read_only else None
    )
    assert error is None or (error.__cause__ is None and error.__suppress_context__ is direct)


def test_another_error_of_the_set_up_is_what_it_is() -> None:
    refusal = pymysql.err.OperationalError(ER.CON_COUNT_ERROR, "Too many connections")
    assert _set_up(error=refusal)[2] is refusal


def test_the_name_of_a_session_can_not_be_guessed() -> None:
    """Of 128 random bits, in hexadecimal digits."""
    names = [_set_up()[1] for _ in range(2)]
    assert [len(name) for name in names] == [32, 32]
    assert len({*names}) == 2


def _set_up(
    *, direct: bool = True, seconds: float = 20.0, read_only: int = 0, error: Exception | None = None
) -> tuple[list[str], str, pymysql.err.OperationalError | None]:
    """What a server is asked, the session's identity, and the error; `error` is what the server answers to SET."""
    cursor = mock.MagicMock()
    cursor.__enter__.return_value = cursor
    cursor.__exit__.return_value = None
    cursor.execute.side_effect = error
    cursor.fetchone.return_value = (read_only,)
    session: Any = SimpleNamespace(cursor=lambda: cursor, identity="", direct=direct)
    deadline: Any = SimpleNamespace(remaining=lambda: max(0.0, seconds))
    raised = None
    try:
        opening._set_up(session, deadline)
    except pymysql.err.OperationalError as caught:
        raised = caught
    return [call.args[0] for call in cursor.execute.call_args_list], session.identity, raised


@pytest.mark.parametrize(
    "error", [pymysql.err.OperationalError(1045, "Access denied"), DeadlineExceeded("too late")], ids=repr
)
def test_an_error_of_the_login_is_what_it_is(error: Exception) -> None:
    session: Any = mock.Mock()
    session.connect.side_effect = error
    with pytest.raises(type(error)) as caught:
        opening._log_in(session, mock.Mock())
    assert caught.value is error


def test_what_is_no_server_of_mysql_is_said_to_be_none() -> None:
    session: Any = mock.Mock(address="10.0.0.1")
    session.connect.side_effect = UnboundLocalError("auth_packet")
    with pytest.raises(pymysql.err.OperationalError, match=r"10\.0\.0\.1 does not speak MySQL's protocol") as caught:
        opening._log_in(session, mock.Mock())
    assert caught.value.args[0] == CR.CR_MALFORMED_PACKET


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Everything that `open_session` does, as it is called."""
    calls = mock.Mock()
    calls.open_socket.return_value = (calls.connected, "10.0.0.1")
    calls.Watchdog.return_value.struck = False
    for name in ("Session", "open_socket", "Watchdog", "tls_context", "_log_in", "_set_up", "close_half_made"):
        monkeypatch.setattr(opening, name, getattr(calls, name))
    return calls


DATABASE = Database(
    host="db.example", port=3307, name="jobs", endpoint="instance", region="eu-central-1", certificates="a.pem"
)


def _open(*, run_deadline: Deadline | None = None, endpoint: Any = "instance", **greeting: float) -> Any:
    return opening.open_session(
        address="10.0.0.1",
        database=DATABASE._replace(endpoint=endpoint),
        credentials=Credentials("worker", "hunter2"),
        program_name="job request",
        deadline=Deadline(100),
        run_deadline=run_deadline,
        **greeting,
    )


@pytest.mark.parametrize("endpoint", ["instance", "proxy"])
@pytest.mark.parametrize("run_deadline", [None, Deadline(200)])
def test_a_session_is_opened_with_tls_to_the_address_and_verified_by_the_name(
    run_deadline: Deadline | None, endpoint: str, opened: Any
) -> None:
    session = opened.Session.return_value
    assert _open(run_deadline=run_deadline, endpoint=endpoint) is session
    assert opened.mock_calls == [
        mock.call.tls_context("a.pem", "prime256v1" if endpoint == "instance" else None),
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
        mock.call.Session().opened(opened.Watchdog.return_value, mock.ANY),
        mock.call._log_in(session, opened.connected),
        *([mock.call._set_up(session, run_deadline)] if run_deadline else []),
    ]
    assert (session.address, session.direct) == ("10.0.0.1", endpoint == "instance")


@pytest.mark.parametrize(("limit", "until"), [(0.5, 90.5), (20.0, 100.0)])
def test_a_server_has_its_time_to_greet_and_all_of_it_once_it_has(
    limit: float, until: float, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = [90.0]
    for name in "opening", "deadline":
        monkeypatch.setattr(f"mysql_jobs.{name}.time", SimpleNamespace(monotonic=lambda: moments[-1]))
    session = _open(greeting_seconds=limit)
    assert opened.open_socket.call_args == mock.call("10.0.0.1", 3307, Deadline(until))
    watchdog = opened.Watchdog.return_value
    assert opened.Watchdog.call_args == mock.call(opened.connected, Deadline(until))
    assert not watchdog.extend.called
    moments.append(90.25)
    _watchdog, greeted = session.opened.call_args.args
    greeted()
    assert watchdog.extend.call_args_list == [mock.call(Deadline(100))]
    assert session.greeting_seconds == 0.25, "from the connection attempt on"


@pytest.mark.parametrize("greets", [False, True])
def test_a_silent_server_is_given_up_before_one_that_greets(
    greets: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    class Kept(Session):
        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            made.append(self)

    monkeypatch.setattr(opening, "Session", Kept)
    deadline = Deadline.after(HANG_SECONDS)
    with _hear(greeting(tls=False) if greets else b"") as port, pytest.raises(pymysql.err.OperationalError) as caught:
        opening.open_session(
            address="127.0.0.1",
            database=DATABASE._replace(port=port, certificates=_written(trustme.CA(), tmp_path)),
            credentials=Credentials("jobs", "password"),
            program_name="kill at the deadline",
            deadline=deadline,
            run_deadline=None,
            greeting_seconds=HANG_SECONDS if greets else 0.1,
        )
    [session] = made
    # One that greets is refused for another reason: it has no TLS.
    assert caught.value.args[0] == (CR.CR_SSL_CONNECTION_ERROR if greets else CR.CR_SERVER_LOST)
    assert session.struck is not greets
    assert (session._watchdog._deadline == deadline) is greets
    assert bool(session.greeting_seconds) is greets
    assert not [thread for thread in threading.enumerate() if thread.name == "watchdog"]


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


@pytest.mark.parametrize("fails", ["_log_in", "_set_up"])
def test_a_session_that_fails_is_destroyed_and_its_socket_closed(fails: str, opened: Any) -> None:
    error = KeyboardInterrupt()
    getattr(opened, fails).side_effect = error
    with pytest.raises(KeyboardInterrupt):
        _open(run_deadline=Deadline(200))
    assert opened.mock_calls[-3:] == [
        mock.call.Session().destroy(),
        mock.call.connected.close(),
        mock.call.close_half_made(error),
    ]


@pytest.mark.parametrize("names", [["other.example"], ["10.0.0.1"], ["other.example", "10.0.0.1"]])
def test_a_certificate_without_the_hosts_name_in_subject_alt_name_is_refused(names: list[str], tmp_path: Path) -> None:
    """A common name alone is no proof: https://www.rfc-editor.org/rfc/rfc9525"""
    authority = trustme.CA()
    client = tls_context(_written(authority, tmp_path), CURVE)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names, common_name="db.example").configure_cert(server)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        _handshake(client, server, "db.example")
    assert _handshake(client, server, names[0])


@pytest.mark.parametrize(("curve", "servers"), [(CURVE, CURVE), (None, "X25519")])
def test_a_tls_handshake_takes_one_round_trip(curve: str | None, servers: str, tmp_path: Path) -> None:
    """With MySQL, which knows no X25519, as with a proxy, which may know nothing else."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.set_ecdh_curve(servers)
    authority.issue_cert("db.example").configure_cert(server)
    assert _handshake(tls_context(_written(authority, tmp_path), curve), server, "db.example")


def test_no_version_below_tls_1_2_is_spoken(tmp_path: Path) -> None:
    context = tls_context(_written(trustme.CA(), tmp_path), None)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_tls_is_1_2_or_newer_whatever_the_machine_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    allows_all = ssl.create_default_context()
    allows_all.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    monkeypatch.setattr("ssl.create_default_context", lambda **_arguments: allows_all)
    assert tls_context.__wrapped__("authority.pem", CURVE).minimum_version == ssl.TLSVersion.TLSv1_2


def test_the_authorities_are_read_once(tmp_path: Path) -> None:
    certificates = _written(trustme.CA(), tmp_path)
    assert tls_context(certificates, CURVE) is tls_context(certificates, CURVE)
    assert tls_context(certificates, CURVE) is not tls_context(certificates, None)


def _written(authority: trustme.CA, folder: Path) -> str:
    """The file of an authority's certificate."""
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return str(folder / "authority.pem")


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> bool:
    """Shake hands in memory; return whether the client is done after one round trip."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (ours, theirs):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    try:
        ours.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


@contextlib.contextmanager
def _hear(first: bytes) -> Iterator[int]:
    """A server on loopback that says `first` to its one caller, and nothing more; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _address = listener.accept()
            with peer:
                if first:
                    peer.sendall(packet(first))
                peer.settimeout(2 * HANG_SECONDS)
                with contextlib.suppress(OSError):
                    while peer.recv(4096):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(HANG_SECONDS)
    assert not thread.is_alive(), "the socket is not closed"
