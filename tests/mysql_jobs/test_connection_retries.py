"""What is tried again, how often and after which pause; and the exact edges of the budget that all of it draws on."""

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest
import trustme

from mysql_jobs.configuration import Database
from mysql_jobs.connection import Connection, Destroyed, connect
from mysql_jobs.credentials import Authentication, Credentials, CredentialsError
from mysql_jobs.deadline import Deadline, DeadlineExceeded, Watchdog
from mysql_jobs.leaks import Inventory
from mysql_jobs.network import open_socket
from tests.mysql_jobs.known import Known
from tests.mysql_jobs.packets import greeting, packet

UNKNOWN_DATABASE = 1049
"""For good: nothing is tried after it."""


HANG_SECONDS = 30


@pytest.fixture
def database(tmp_path: Path) -> Database:
    authority = tmp_path / "authority.pem"
    trustme.CA().cert_pem.write_to_path(authority)
    return Database(
        host="localhost",
        port=0,
        name="jobs",
        endpoint="instance",
        region="eu-central-1",
        certificates=str(authority),
    )


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """The bounds that a pause was drawn from; none is waited for."""
    drawn: list[tuple[float, float]] = []

    def draw(shortest: float, longest: float) -> float:
        drawn.append((shortest, longest))
        return 0

    monkeypatch.setattr("mysql_jobs.connection.random", SimpleNamespace(uniform=draw))
    return drawn


@pytest.mark.parametrize("code", [1040, 1053, 1203, 1226, 1290, 1836, 2003, 2006, 2013])
def test_what_passes_is_tried_again(code: int, database: Database, pauses: list[tuple[float, float]]) -> None:
    with pytest.raises(pymysql.err.OperationalError) as caught, _refuse(code, UNKNOWN_DATABASE) as port:
        _connect(database, port, Known())
    assert caught.value.args[0] == UNKNOWN_DATABASE
    assert len(pauses) == 1


@pytest.mark.parametrize("code", [1044, 1049, 1129, 3118])
def test_what_does_not_pass_is_not_tried_again(
    code: int, database: Database, pauses: list[tuple[float, float]]
) -> None:
    authentication = Known()
    with pytest.raises(pymysql.err.OperationalError) as caught, _refuse(code) as port:
        _connect(database, port, authentication)
    assert (caught.value.args[0], pauses, authentication.forgotten) == (code, [], 0)


def test_a_denied_secret_is_read_anew_once(database: Database, pauses: list[tuple[float, float]]) -> None:
    authentication = Known()
    with pytest.raises(pymysql.err.OperationalError) as caught, _refuse(1040, 1045, 1053, 1045) as port:
        _connect(database, port, authentication)
    assert caught.value.args[0] == 1045
    assert authentication.forgotten == 1
    assert len(pauses) == 3


def test_pauses_double_up_to_two_seconds(database: Database, pauses: list[tuple[float, float]]) -> None:
    with pytest.raises(pymysql.err.OperationalError), _refuse(*[1040] * 7, UNKNOWN_DATABASE) as port:
        _connect(database, port, Known())
    assert pauses == [(0, longest) for longest in (0.1, 0.2, 0.4, 0.8, 1.6, 2, 2)]


def test_a_pause_that_would_outlast_the_deadline_is_not_begun(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mysql_jobs.connection.random", SimpleNamespace(uniform=lambda _shortest, _longest: 25.0))
    with (
        pytest.raises(DeadlineExceeded, match=r"not connected in time; attempt 1: .*1040"),
        _refuse(1040) as port,
    ):
        _connect(database, port, Known())


def test_the_last_two_attempts_are_shown(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    draws = iter([0.0, 0.0, 25.0])
    monkeypatch.setattr(
        "mysql_jobs.connection.random", SimpleNamespace(uniform=lambda _shortest, _longest: next(draws))
    )
    with pytest.raises(DeadlineExceeded) as caught, _refuse(1040, 1053, 1203) as port:
        _connect(database, port, Known())
    assert str(caught.value) == ("not connected in time; attempt 2: (1053, 'refused'); attempt 3: (1203, 'refused')")
    assert isinstance(caught.value.__cause__, pymysql.err.OperationalError)
    assert caught.value.__cause__.args[0] == 1203


@pytest.mark.usefixtures("pauses")
def test_an_attempt_that_took_the_rest_of_the_time_is_the_last(database: Database) -> None:
    """Even without a pause: what it failed of is in the message."""
    with (
        pytest.raises(DeadlineExceeded, match=r"not connected in time; attempt 1: "),
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        _connect(database, silent.getsockname()[1], Known(), seconds=0.3)


def test_an_attempt_has_five_seconds_of_the_runs_time(database: Database) -> None:
    authentication = Known()
    with pytest.raises(pymysql.err.OperationalError), _refuse(UNKNOWN_DATABASE) as port:
        _connect(database, port, authentication)
    [seconds] = authentication.seconds
    assert 4.1 < seconds <= 5


@pytest.mark.usefixtures("pauses")
def test_each_further_attempt_has_twice_the_time(database: Database) -> None:
    """A server under load may take longer to log in."""
    authentication = Known()
    with pytest.raises(pymysql.err.OperationalError), _refuse(1040, 1040, UNKNOWN_DATABASE) as port:
        _connect(database, port, authentication, seconds=100)
    assert [round(seconds) for seconds in authentication.seconds] == [5, 10, 20]


@pytest.mark.usefixtures("pauses")
def test_credentials_that_may_be_had_later_are_asked_for_again(database: Database) -> None:
    later = CredentialsError("throttled", transient=True)
    with pytest.raises(CredentialsError, match="no such secret"):
        _connect(database, 1, Known(later, CredentialsError("no such secret")))


def test_an_error_without_a_number_is_shown_as_it_is(database: Database) -> None:
    error = pymysql.err.OperationalError()
    with pytest.raises(pymysql.err.OperationalError) as caught:
        _connect(database, 1, Known(error))
    assert caught.value is error


@pytest.mark.usefixtures("pauses")
def test_a_reset_at_connect_is_retried(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def reset(peer: socket.socket) -> None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def wait_for_the_end(host: str, port: int, deadline: Deadline) -> tuple[socket.socket, str]:
        connected, address = open_socket(host, port, deadline)
        select.select([connected], [], [], 30)
        return connected, address

    monkeypatch.setattr("mysql_jobs.opening.open_socket", wait_for_the_end)
    with pytest.raises(pymysql.err.OperationalError) as caught, _serve(reset, _error(UNKNOWN_DATABASE)) as port:
        _connect(database, port, Known())
    assert caught.value.args[0] == UNKNOWN_DATABASE


@pytest.mark.usefixtures("pauses")
def test_a_server_that_ends_tls_without_a_word_is_tried_again(database: Database) -> None:
    """It restarts. One that fails TLS otherwise is not the one we trust."""

    def end(peer: socket.socket) -> None:
        peer.sendall(packet(greeting()))
        peer.recv(36)  # the request for TLS
        peer.recv(4096)  # its first message

    with pytest.raises(pymysql.err.OperationalError) as caught, _serve(end, _error(UNKNOWN_DATABASE)) as port:
        _connect(database, port, Known())
    assert caught.value.args[0] == UNKNOWN_DATABASE

    def speak_something_else(peer: socket.socket) -> None:
        end(peer)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with pytest.raises(pymysql.err.OperationalError) as caught, _serve(speak_something_else) as port:
        _connect(database, port, Known())
    assert isinstance(caught.value.original_exception, ssl.SSLError)  # type: ignore[attr-defined]


def test_a_reset_between_tcp_and_tls_leaves_no_socket(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below Python 3.13, ssl leaves one to the garbage collector, and the error's traceback keeps it from that."""

    class Late(ssl.SSLContext):
        def wrap_socket(self, sock: socket.socket, *arguments: Any, **more: Any) -> ssl.SSLSocket:
            poll = select.poll()
            poll.register(sock, 0)
            assert poll.poll(HANG_SECONDS * 1000), "no reset came"
            return super().wrap_socket(sock, *arguments, **more)

    def reset(peer: socket.socket) -> None:
        peer.sendall(packet(greeting()))
        peer.recv(36)  # the request for TLS
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    monkeypatch.setattr("mysql_jobs.opening.tls_context", lambda _authorities, _curve: Late(ssl.PROTOCOL_TLS_CLIENT))
    monkeypatch.setattr("mysql_jobs.connection._transient", lambda _error: False)
    before = Inventory.take()
    with pytest.raises(pymysql.err.OperationalError) as caught, _serve(reset) as port:
        _connect(database, port, Known())
    assert isinstance(getattr(caught.value, "original_exception", None), ConnectionResetError)
    assert before.leaked_since() == []


@pytest.mark.parametrize("value", [Destroyed("polite", 0.1, ""), Deadline(1), Credentials("jobs", "password")])
def test_what_a_run_has_found_out_stays_as_it_is(value: Any) -> None:
    for field in value._fields:
        with pytest.raises(AttributeError):
            setattr(value, field, None)


def test_two_seconds_of_lambdas_remaining_time_are_kept_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mysql_jobs.deadline.time", SimpleNamespace(monotonic=lambda: 100.0))
    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
    deadline = Deadline.of(context)
    assert deadline == Deadline(158)
    assert deadline.require("connecting") == 58
    assert (deadline.within(5), deadline.within(100)) == (Deadline(105), deadline)
    assert Deadline(101).require("connecting") == 1


def test_a_watchdog_that_hangs_does_not_keep_the_process_alive() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watchdog = Watchdog(ours, Deadline.after(60))
        daemon = watchdog._thread.daemon
        watchdog.dismiss()
    assert daemon


def test_an_open_socket_waits_for_ever_and_sends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _resolve(monkeypatch, "127.0.0.2", "127.0.0.1")  # nobody listens there: the first address refuses
        connected, address = open_socket("two.addresses", listener.getsockname()[1], Deadline.after(20))
        with connected:
            assert (address, connected.getpeername()) == ("127.0.0.1", listener.getsockname())
            assert connected.gettimeout() is None
            assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_silent_address_leaves_time_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with _black_hole() as (host, port), socket.create_server(("127.0.0.2", port)):
        _resolve(monkeypatch, host, "127.0.0.2")
        connected, address = open_socket("two.addresses", port, Deadline.after(1))
        connected.close()
    assert address == "127.0.0.2"


def test_each_address_has_its_share_of_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[int, str, float | None]] = []

    class Refused(socket.socket):
        def connect(self, address: Any) -> None:
            tried.append((self.family, address[0], self.gettimeout()))
            raise OSError(f"{address[0]} refuses")

    monkeypatch.setattr("mysql_jobs.network.socket.socket", Refused)
    left = iter([6.0, 6.0, 5.0, 0.0])
    deadline: Any = SimpleNamespace(remaining=lambda: next(left))
    _resolve(monkeypatch, "10.0.0.1", "::1", "10.0.0.2", "10.0.0.3")
    with pytest.raises(OSError, match=r"10\.0\.0\.2 refuses"):
        open_socket("four.addresses", 3306, deadline)
    four, six = socket.AF_INET, socket.AF_INET6
    assert tried == [(four, "10.0.0.1", 1.5), (six, "::1", 2.0), (four, "10.0.0.2", 2.5)]


def test_a_silent_address_gets_only_the_time_left() -> None:
    started = time.monotonic()
    with _black_hole() as (host, port), pytest.raises(TimeoutError):
        open_socket(host, port, Deadline.after(0.1))
    assert time.monotonic() - started < 30  # unbounded, it would take minutes


def test_an_address_that_is_found_too_late_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _resolve(monkeypatch, "127.0.0.1", seconds=0.2)
        with pytest.raises(TimeoutError, match="no time is left"):
            open_socket("slow.name", listener.getsockname()[1], Deadline.after(0.1))


@pytest.mark.parametrize("left", [1e-9, 0, -1])
def test_time_that_runs_out_just_before_connecting_is_a_timeout(left: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout of 0 would make the socket one that never waits."""
    with _black_hole() as (host, port):
        monkeypatch.setattr("mysql_jobs.deadline.time", SimpleNamespace(monotonic=lambda: 100.0))
        with pytest.raises(TimeoutError):
            open_socket(host, port, Deadline(100.0 + left))


def test_a_watchdog_that_cannot_start_keeps_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mysql_jobs.deadline.threading.Thread.start", _no_more_threads)
    ours, theirs = socket.socketpair()
    with theirs:
        with ours, pytest.raises(RuntimeError, match="can't start new thread") as caught:
            Watchdog(ours, Deadline.after(60))
        assert _is_closed(theirs)
        del caught  # held whatever the failed watchdog still had


def test_an_attempt_without_a_watchdog_is_closed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    with _serve(lambda peer: closed.append(_is_closed(peer))) as port:
        monkeypatch.setattr("mysql_jobs.opening.Watchdog", _no_more_threads)
        with pytest.raises(RuntimeError, match="can't start new thread") as caught:
            _connect(database, port, Known())
        for _ in range(250):
            if closed:
                break
            time.sleep(0.02)
        assert closed == [True]
        del caught  # held whatever the failed attempt still had


def _no_more_threads(*_: object) -> None:
    raise RuntimeError("can't start new thread")


def _is_closed(peer: socket.socket) -> bool:
    """Whether the other side closes it; within a generous bound."""
    peer.settimeout(5)
    try:
        return peer.recv(1) == b""
    except TimeoutError:
        return False


@contextlib.contextmanager
def _black_hole() -> Iterator[tuple[str, int]]:
    """An address that answers nobody."""
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # fills the queue of a listener that never accepts; Linux drops what comes then
            each = waiting.enter_context(socket.socket())
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        yield full.getsockname()


def _resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str, seconds: float = 0) -> None:
    """Every name has these addresses, and looking them up takes `seconds`."""

    def look_up(_name: str, _deadline: Deadline) -> list[str]:
        time.sleep(seconds)
        return list(addresses)

    monkeypatch.setattr("mysql_jobs.network.resolve", look_up)


def _connect(database: Database, port: int, authentication: Authentication, *, seconds: float = 20) -> Connection:
    return connect(
        database=database._replace(port=port),
        authentication=authentication,
        deadline=Deadline.after(seconds),
        program_name="job",
    )


def _error(code: int) -> Callable[[socket.socket], Any]:
    """Instead of a greeting, as a server does that is full."""
    return lambda peer: peer.sendall(packet(b"\xff" + struct.pack("<H", code) + b"#HY000refused"))


def _refuse(*codes: int) -> contextlib.AbstractContextManager[int]:
    return _serve(*(_error(code) for code in codes))


@contextlib.contextmanager
def _serve(*answers: Callable[[socket.socket], Any]) -> Iterator[int]:
    """A server on loopback that treats each caller in turn so; yields its port. All of them must have called."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)

        def serve() -> None:
            for answer in answers:
                with contextlib.suppress(OSError):
                    peer, _address = listener.accept()
                    with peer:
                        answer(peer)
            served.set()

        served = threading.Event()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            in_time = served.wait(1)
            listener.settimeout(0)
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)
        assert in_time, "a caller did not come"
