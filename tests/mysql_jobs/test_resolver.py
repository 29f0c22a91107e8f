"""Names are resolved within the deadline, whatever the name servers do."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysql_jobs import resolver
from mysql_jobs.deadline import Deadline
from mysql_jobs.resolver import CONFIGURATION, HOSTS, PORT, ResolveError, resolve

NAME = "db.example.eu-central-1.rds.amazonaws.com"
HANG_SECONDS = 10

Answer = Callable[[bytes], list[bytes]]
"""What a name server sends for a query."""


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[str]]]:
    """Resolves NAME, or another, by a name server on 127.0.0.1 that answers as it is told."""
    stops: list[Callable[[], None]] = []
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost # this machine\n::1 localhost ip6-localhost\n10.0.0.9 Known.example\n")
    monkeypatch.setattr(resolver, "HOSTS", hosts)
    monkeypatch.setattr(resolver, "CONFIGURATION", tmp_path / "resolv.conf")

    def ask(answer: Answer, name: str = NAME, *, seconds: float = 5, over_tcp: bytes = b"") -> list[str]:
        port, stop = _serve(answer, over_tcp)
        stops.append(stop)
        monkeypatch.setattr(resolver, "PORT", port)
        (tmp_path / "resolv.conf").write_text("search example.com\nnameserver 127.0.0.1\noptions timeout:1\n")
        return resolve(name, Deadline.after(seconds))

    yield ask
    for stop in stops:
        stop()


def test_an_answer_may_lead_over_aliases(ask: Callable[..., list[str]]) -> None:
    records = [_record(5, b"\x01a\xc0\x0c"), _record(1, bytes([10, 0, 0, 1])), _record(1, bytes([10, 0, 0, 2]))]
    assert ask(lambda query: [_answer(query, records)]) == ["10.0.0.1", "10.0.0.2"]


def test_ipv6_is_taken_where_there_is_nothing_else(ask: Callable[..., list[str]]) -> None:
    def answer(query: bytes) -> list[bytes]:
        return [_answer(query, [_record(28, bytes(15) + b"\x01")] if query[-3] == 28 else [])]

    assert ask(answer) == ["::1"]


@pytest.mark.parametrize(
    ("name", "found"), [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("known.EXAMPLE", "10.0.0.9")]
)
def test_what_is_known_here_is_not_asked(name: str, found: str, ask: Callable[..., list[str]]) -> None:
    assert ask(lambda _query: pytest.fail("asked"), name)[0] == found


def test_a_silent_name_server_does_not_outlast_the_deadline(ask: Callable[..., list[str]]) -> None:
    started = time.monotonic()
    with pytest.raises(ResolveError, match=rf"no name server \(127\.0\.0\.1\) said the address of {NAME} in time"):
        ask(lambda _query: [], seconds=0.3)
    assert time.monotonic() - started < HANG_SECONDS


def test_a_question_that_was_lost_is_asked_again(
    ask: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "ANSWER_SECONDS", 0.05)
    answers = iter([[], [b"\x00"], [b"garbage that is no answer"]])
    good = [_record(1, bytes([10, 0, 0, 3]))]
    assert ask(lambda query: next(answers, [_answer(query, good)])) == ["10.0.0.3"]


def test_a_late_answer_to_another_question_is_passed_over(ask: Callable[..., list[str]]) -> None:
    good = [_record(1, bytes([10, 0, 0, 4]))]
    other = [_record(1, bytes([6, 6, 6, 6]))]
    assert ask(lambda query: [_answer(b"\x00\x00" + query[2:], other), _answer(query, good)]) == ["10.0.0.4"]


def test_a_name_that_does_not_exist_is_not_asked_for_again(ask: Callable[..., list[str]]) -> None:
    asked = []

    def answer(query: bytes) -> list[bytes]:
        asked.append(query)
        return [_answer(query, [], code=3)]

    with pytest.raises(ResolveError, match=f"there is no {NAME}"):
        ask(answer)
    assert len(asked) == 1


def test_an_answer_too_long_for_udp_comes_over_tcp(ask: Callable[..., list[str]]) -> None:
    record = _record(1, bytes([10, 0, 0, 5]))
    assert ask(lambda query: [_answer(query, [], truncated=True)], over_tcp=record) == ["10.0.0.5"]


def test_it_asks_where_every_program_on_linux_asks() -> None:
    assert (HOSTS, CONFIGURATION, PORT) == ("/etc/hosts", "/etc/resolv.conf", 53)


def test_the_question_is_one_with_recursion_and_an_identifier_of_all_bits(
    ask: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever guesses the identifier may answer in the name server's place."""
    monkeypatch.setattr(resolver, "os", SimpleNamespace(urandom=lambda size: b"\xff" * size))
    asked = []

    def answer(query: bytes) -> list[bytes]:
        asked.append(query)
        return [_answer(query, [])]

    with pytest.raises(ResolveError, match=r"db\.example\. has no address, say the name servers \(127\.0\.0\.1\)"):
        ask(answer, "db.example.", seconds=1)
    head = struct.pack(">6H", 0xFFFF, 0x0100, 1, 0, 0, 0) + b"\x02db\x07example\x00"
    assert asked == [head + struct.pack(">HH", kind, 1) for kind in (1, 28)]


@pytest.mark.parametrize("error", [TimeoutError("silent"), ValueError(), struct.error(), IndexError()], ids=repr)
def test_the_name_servers_are_asked_in_turn_for_a_second_each(
    error: Exception, exchange: Callable[..., list[tuple[str, float]]]
) -> None:
    asked = exchange([error] * 3, "search example.com\nnameserver 10.0.0.2\n nameserver x\nnameserver fd00::2\n")
    assert resolve(NAME, Deadline.after(20)) == ["10.0.0.1"]
    assert [server for server, _seconds in asked] == ["10.0.0.2", "fd00::2", "10.0.0.2", "fd00::2"]
    assert all(0.5 < seconds <= 1 for _server, seconds in asked)


def test_without_a_configuration_this_machine_is_asked(exchange: Callable[..., list[tuple[str, float]]]) -> None:
    asked = exchange([], None)
    resolve(NAME, Deadline.after(20))
    assert [server for server, _seconds in asked] == ["127.0.0.1"]


def test_after_the_deadline_no_further_name_server_is_asked(exchange: Callable[..., list[tuple[str, float]]]) -> None:
    asked = exchange([TimeoutError("silent")] * 9, "nameserver 10.0.0.2\nnameserver 10.0.0.3\n", takes=0.2)
    with pytest.raises(ResolveError, match="in time: silent"):
        resolve(NAME, Deadline.after(0.1))
    assert len(asked) == 1
    with pytest.raises(ResolveError, match="in time: no time is left"):
        resolve(NAME, Deadline.after(0))
    assert len(asked) == 1


@pytest.fixture
def exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, float]]]:
    """Lets each question fail of one of the errors, then succeed; returns the servers asked, and for how long."""

    def exchange(errors: list[Exception], configuration: str | None, *, takes: float = 0) -> list[tuple[str, float]]:
        asked: list[tuple[str, float]] = []

        def answer(_name: str, _kind: int, server: str, deadline: Deadline) -> list[str]:
            asked.append((server, deadline.remaining()))
            time.sleep(takes)
            if errors:
                raise errors.pop(0)
            return ["10.0.0.1"]

        monkeypatch.setattr(resolver, "HOSTS", tmp_path / "hosts")
        monkeypatch.setattr(resolver, "CONFIGURATION", tmp_path / "resolv.conf")
        monkeypatch.setattr(resolver, "_exchange", answer)
        if configuration is not None:
            (tmp_path / "resolv.conf").write_text(configuration)
        return asked

    return exchange


def test_a_name_is_looked_up_among_this_machines_own_whatever_is_written_there(
    ask: Callable[..., list[str]], tmp_path: Path
) -> None:
    (tmp_path / "hosts").write_bytes(
        b"# db.example comment\n::1 db.example\n10.0.0.8 x db.example#other.example\n10.0.0.7 db.example \xff\n"
    )
    asked = [_record(1, bytes([10, 0, 0, 1]))]
    assert ask(lambda query: [_answer(query, asked)], "db.example") == ["10.0.0.8", "10.0.0.7", "::1"]
    assert ask(lambda query: [_answer(query, asked)], "other.example") == ["10.0.0.1"]


def test_a_name_server_may_have_an_ipv6_address(monkeypatch: pytest.MonkeyPatch) -> None:
    families = []

    def open_socket(family: int, _kind: int) -> None:
        families.append(family)
        raise OSError("no such network")

    monkeypatch.setattr(socket, "socket", open_socket)
    for server in ("10.0.0.2", "fd00::2"):
        with pytest.raises(OSError, match="no such network"):
            resolver._exchange(NAME, 1, server, Deadline.after(1))
    assert families == [socket.AF_INET, socket.AF_INET6]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """The timeouts of all sockets."""
    seconds: list[float | None] = []

    class Timed(socket.socket):
        def settimeout(self, value: float | None, /) -> None:
            seconds.append(value)
            super().settimeout(value)

    monkeypatch.setattr(socket, "socket", Timed)
    return seconds


@pytest.mark.parametrize(("truncated", "left"), [(False, [5, 0]), (True, [5, 5, 0, 0])])
def test_each_wait_for_a_name_server_ends_with_the_deadline(
    truncated: bool, left: list[float], waits: list[float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if that has just come: a timeout of 0 would make the socket one that never waits."""

    def answer(query: bytes) -> list[bytes]:
        return [_answer(query if truncated else b"\x00\x00" + query[2:], [], truncated=truncated)]

    port, stop = _serve(answer, _record(1, bytes([10, 0, 0, 5])))
    monkeypatch.setattr(resolver, "PORT", port)
    remaining = iter(left)
    deadline: Any = SimpleNamespace(remaining=lambda: next(remaining))
    waits.clear()
    try:
        with pytest.raises(TimeoutError):
            resolver._exchange(NAME, 1, "127.0.0.1", deadline)
        assert waits == ([5, 5, 0.001] if truncated else [5, 0.001])
    finally:
        stop()


QUESTION = resolver._name("a.b") + struct.pack(">HH", 1, 1)


@pytest.mark.parametrize(
    ("flags", "questions", "question"),
    [
        (0x8181, 1, QUESTION),
        (0x8182, 1, QUESTION),
        (0x8188, 1, QUESTION),
        (0x8180, 0, QUESTION),
        (0x8180, 2, QUESTION),
        (0x8180, 1, resolver._name("a.c") + QUESTION[-4:]),
        (0x8180, 1, QUESTION[:-4] + struct.pack(">HH", 28, 1)),
    ],
)
def test_an_answer_that_refuses_or_is_to_something_else_is_none(flags: int, questions: int, question: bytes) -> None:
    record = _record(1, bytes([10, 0, 0, 1]))
    answer = struct.pack(">6H", 7, flags, questions, 1, 0, 0) + question + record
    with pytest.raises(ValueError, match="refused"):
        list(resolver._addresses(answer, QUESTION, 1, "a.b"))


def test_the_records_of_an_answer_may_have_names_of_any_form() -> None:
    """In full, as a pointer, or both; and the name that was asked for in capital letters, as some do on purpose."""
    names = [b"\0", b"\xc0\x0c", b"\x01a\xc0\x0c", b"\x01a\x02bc\0", b"\x03abc\x01d\xff\xff"]
    records = [name + _record(1, bytes([10, 0, 0, number]))[2:] for number, name in enumerate(names)]
    answer = struct.pack(">6H", 7, 0x81B0, 1, len(records), 5, 6) + QUESTION.upper() + b"".join(records) + b"more"
    assert list(resolver._addresses(answer, QUESTION, 1, "a.b")) == [f"10.0.0.{number}" for number in range(5)]


@pytest.fixture
def over_tcp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., bytes]]:
    """Asks a name server over TCP that answers in these pieces, and then hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(resolver, "PORT", listener.getsockname()[1])

        def over_tcp(pieces: list[bytes], *, left: list[float]) -> bytes:
            def serve() -> None:
                connected, _peer = listener.accept()
                with connected:
                    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    asked.append(connected.recv(512))
                    for piece in pieces:
                        connected.sendall(piece)
                        time.sleep(0.02)

            asked: list[bytes] = []
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            remaining = iter(left)
            deadline: Any = SimpleNamespace(remaining=lambda: next(remaining, 5))
            try:
                return resolver._over_tcp(b"query", "127.0.0.1", socket.AF_INET, deadline)
            finally:
                thread.join(HANG_SECONDS)
                assert asked == [b"\0\5query"]

        yield over_tcp


def test_an_answer_over_tcp_may_come_in_pieces(over_tcp: Callable[..., bytes]) -> None:
    assert over_tcp([b"\0", b"\4", b"abc", b"d"], left=[]) == b"abcd"


def test_an_answer_over_tcp_that_ends_early_is_none(over_tcp: Callable[..., bytes]) -> None:
    with pytest.raises(TimeoutError):
        over_tcp([b"\0\4", b"abc"], left=[])


def test_an_answer_over_tcp_after_the_deadline_is_none(over_tcp: Callable[..., bytes]) -> None:
    with pytest.raises(TimeoutError):
        over_tcp([b"\0\4abcd"], left=[5, 5, 0])


@given(st.binary(max_size=200), st.integers(0, 65535))
def test_no_answer_of_any_form_raises_anything_unexpected(body: bytes, flags: int) -> None:
    question = resolver._name("a.b") + struct.pack(">HH", 1, 1)
    answer = struct.pack(">6H", 7, flags & ~0x0200, 1, 3, 0, 0) + question + body
    try:
        for address in resolver._addresses(answer, question, 1, "a.b"):
            socket.inet_pton(socket.AF_INET, address)
    except (OSError, ValueError, IndexError, struct.error):
        pass  # what _ask takes for no answer


def _record(kind: int, data: bytes) -> bytes:
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 5, len(data)) + data


def _answer(query: bytes, records: list[bytes], *, code: int = 0, truncated: bool = False) -> bytes:
    flags = 0x8180 | code | (0x0200 if truncated else 0)
    return query[:2] + struct.pack(">5H", flags, 1, len(records), 0, 0) + query[12:] + b"".join(records)


def _serve(answer: Answer, over_tcp: bytes) -> tuple[int, Callable[[], None]]:
    listener = socket.create_server(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))

    def on_udp() -> None:
        while True:
            query, peer = udp.recvfrom(512)
            if not query:
                return
            for each in answer(query):
                udp.sendto(each, peer)

    def on_tcp() -> None:
        connected, _peer = listener.accept()
        with connected:
            query = connected.recv(512)[2:]
            if query:
                text = _answer(query, [over_tcp])
                connected.sendall(struct.pack(">H", len(text)) + text)

    threads = [threading.Thread(target=each, daemon=True) for each in (on_udp, on_tcp)]
    for thread in threads:
        thread.start()

    def stop() -> None:
        udp.sendto(b"", ("127.0.0.1", port))
        socket.create_connection(("127.0.0.1", port)).close()
        for thread in threads:
            thread.join(HANG_SECONDS)
        udp.close()
        listener.close()

    return port, stop
