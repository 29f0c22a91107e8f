"""A proxy that cuts a connection after any number of bytes, in either direction."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from typing import Literal, Self

from local.mysql_server import MySQLServer

Direction = Literal["to the server", "to the client"]


class ByteProxy:
    """Listens on a free port of 127.0.0.1 and passes bytes on to the server as they are; a context manager.

    Attributes:
        passed: how many bytes the latest connection that ended has passed on, in each direction.
    """

    def __init__(self, server: MySQLServer) -> None:
        """Start a proxy in front of `server`."""
        self.passed: dict[Direction, int] = {}
        self._address = (server.host, server.port)
        self._cut: tuple[Direction, int] | None = None
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(threading.Thread(target=self._accept, daemon=True))

    def cut_next(self, direction: Direction, after: int) -> None:
        """Reset both sides of the next connection once it has passed on so many bytes in this direction."""
        with self._lock:
            self._cut = (direction, after)

    def __enter__(self) -> Self:
        """Return the running proxy."""
        return self

    def __exit__(self, *_: object) -> None:
        """Accept no more, and wait for the connections that are there: their clients end them."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
        self._listener.close()

    def _start(self, thread: threading.Thread) -> None:
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return  # the listener was shut down
            with self._lock:
                cut, self._cut = self._cut, None
            self._start(threading.Thread(target=self._serve, args=(client, cut), daemon=True))

    def _serve(self, client: socket.socket, cut: tuple[Direction, int] | None) -> None:
        passed: dict[Direction, int] = {"to the server": 0, "to the client": 0}
        # Either side may end at any moment, which ends the other.
        with client, contextlib.suppress(OSError), socket.create_connection(self._address) as upstream:
            while self._pass_on(client, upstream, passed, cut):
                pass
        self.passed = passed

    def _pass_on(
        self,
        client: socket.socket,
        upstream: socket.socket,
        passed: dict[Direction, int],
        cut: tuple[Direction, int] | None,
    ) -> bool:
        """Pass on what has come; return whether both sides are still there."""
        for source in select.select([client, upstream], [], [])[0]:
            direction: Direction = "to the server" if source is client else "to the client"
            target = upstream if source is client else client
            data = source.recv(65536)
            left = cut[1] - passed[direction] if cut and cut[0] == direction else len(data) + 1
            target.sendall(data[:left])
            passed[direction] += len(data[:left])
            if left <= len(data):
                for each in (client, upstream):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            if not data:
                return False
        return True
