"""The proxy that makes a server distant delays each round trip once, and counts what a client waits for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from benchmarks.distance import distance


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that greets, and answers each four bytes with the same, but for those that ask for nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.sendall(b"x" * 50)
                while (data := accepted.recv(4, socket.MSG_WAITALL)) not in {b"", b"quit"}:
                    if data != b"none":
                        accepted.sendall(data * 10)
                accepted.sendall(b"goodbye")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(30)


def _converse(port: int, *bursts: tuple[bytes, int]) -> float:
    """Read the greeting, then send each burst and read so many bytes; return the seconds it took."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.recv(50, socket.MSG_WAITALL)
        for data, answer in bursts:
            client.sendall(data)
            client.recv(answer, socket.MSG_WAITALL)
        client.sendall(b"quit")
    return time.monotonic() - started


def test_a_trip_is_counted_each_time_the_client_waits_and_the_goodbye_is_none(port: int) -> None:
    with distance(port, 0.02) as away:
        _converse(away.port, (b"ask1", 40), (b"ask2ask3ask4", 120), (b"none", 0), (b"ask5", 40))
        assert away.trips() == 4


def test_what_is_sent_without_waiting_is_delayed_once(port: int) -> None:
    with distance(port, 0.5) as away:
        seconds = _converse(away.port, (b"ask1ask2ask3ask4", 160))
    assert seconds >= 1.0  # the greeting and the answer to all four
    assert seconds < 20
