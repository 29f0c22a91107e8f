"""Names are resolved within the deadline, whatever the name servers do."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysql_jobs import resolver
from mysql_jobs.deadline import Deadline
from mysql_jobs.resolver import ResolveError, resolve

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
