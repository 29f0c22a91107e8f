"""A server that is some distance away: a proxy in a process of its own, which delays every byte in either direction.

It also counts the round trips of each connection: how often its client waited for an answer. The first one, of TCP,
stands for the greeting, too. In a real network the greeting takes one more, as MySQL speaks only when TCP is complete.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from benchmarks.conversation import conversation
from local.mysql_server import MySQLServer

CALIBRATIONS = 200
CLOSE_NOTIFY_BYTES = 24
"""TLS 1.3's goodbye, which a server sends after COM_QUIT and no client waits for: header 5, alert 2, type 1, tag 16."""


class Distance:
    """A proxy on `port`; each round trip through it takes so much longer than a direct one."""

    def __init__(self, said: IO[str], port: int) -> None:
        """Take over a proxy that listens, and what it says."""
        self.port = port
        self._said = said

    def trips(self) -> int:
        """Wait for the end of the next connection that has not been asked for; return its round trips."""
        return int(self._said.readline())


@contextmanager
def distance(server: MySQLServer | int, round_trip_seconds: float) -> Iterator[Distance]:
    """Within, `server` (or one on this port of 127.0.0.1) is so far away; a distance of 0 only counts."""
    port = server if isinstance(server, int) else server.port
    arguments = (str(port), str(round_trip_seconds / 2))
    with conversation("benchmarks.distance", *arguments) as (_, said):
        yield Distance(said, int(said.readline()))


def calibrated(server: MySQLServer, round_trip_seconds: float) -> float:
    """Return what to ask `distance` for, so that a round trip takes just that much longer, the proxy's work included.

    Python's threads take some time to wake up; how much depends on the machine, and on what else it does.
    """
    with _echo() as port, distance(port, 0) as near:
        cost = _trip(near.port) - _trip(port)
    return max(0.0, round_trip_seconds - cost)


def _trip(port: int) -> float:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seconds = []
        for _ in range(CALIBRATIONS):
            started = time.perf_counter()
            client.sendall(b"there")
            client.recv(100)
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


@contextmanager
def _echo() -> Iterator[int]:
    """Within, what is sent to this port of 127.0.0.1 comes back."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    accepted, _ = listener.accept()
                    threading.Thread(target=echo, args=(accepted,), daemon=True).start()

        def echo(accepted: socket.socket) -> None:
            with accepted:
                while data := accepted.recv(65536):
                    accepted.sendall(data)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


class _Connection:
    """One connection through the proxy; `trips` is complete when `serve` returns."""

    def __init__(self, client: socket.socket, delay: float) -> None:
        self.trips = 1
        self._client = client
        self._delay = delay
        self._asked = False

    def serve(self, port: int) -> None:
        """Pass everything on until both sides have ended."""
        time.sleep(self._delay)  # half of the client's TCP handshake; the greeting is delayed by the other half
        with self._client as client, socket.create_connection(("127.0.0.1", port)) as server:
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            to_server = threading.Thread(target=self._pass_on, args=(client, server, self._from_client), daemon=True)
            to_server.start()
            self._pass_on(server, client, self._from_server)
            to_server.join()

    def _pass_on(self, source: socket.socket, target: socket.socket, note: Callable[[bytes], None]) -> None:
        # Read at once and write later, so that what follows closely is not delayed twice.
        waiting: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        writer = threading.Thread(target=_write, args=(target, waiting), daemon=True)
        writer.start()
        data = b"more"
        while data:
            data = b""
            with contextlib.suppress(OSError):
                data = source.recv(65536)
            waiting.put((time.monotonic() + self._delay, data))
            note(data)
        writer.join()

    def _from_client(self, data: bytes) -> None:
        self._asked = bool(data)

    def _from_server(self, data: bytes) -> None:
        if self._asked and len(data) > CLOSE_NOTIFY_BYTES:
            self.trips += 1
            self._asked = False


def _write(target: socket.socket, waiting: queue.SimpleQueue[tuple[float, bytes]]) -> None:
    with contextlib.suppress(OSError):
        while True:
            moment, data = waiting.get()
            time.sleep(max(0.0, moment - time.monotonic()))
            if not data:
                target.shutdown(socket.SHUT_WR)
                return
            target.sendall(data)


def main() -> None:
    """Print the port that it listens on, and then, as each connection ends, its round trips."""
    port, delay = int(sys.argv[1]), float(sys.argv[2])
    sys.setswitchinterval(1e-4)

    def serve(client: socket.socket) -> None:
        connection = _Connection(client, delay)
        connection.serve(port)
        sys.stdout.write(f"{connection.trips}\n")
        sys.stdout.flush()

    with socket.create_server(("127.0.0.1", 0), backlog=500) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client,), daemon=True).start()


if __name__ == "__main__":
    main()
