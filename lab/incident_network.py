"""A network with a given round-trip time between a function and its database, on this machine.

It works in user space, so it needs no root. It also notes when COM_QUIT is sent, and when the server's answer arrives.
"""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass

from lab.listener import Listener

COM_QUIT = b"\x01\x00\x00\x00\x01"
"""https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_quit.html, with its packet's header."""


@dataclass(kw_only=True)
class Teardown:
    """When a connection was torn down, by time.monotonic(); None for what has not happened."""

    quit_sent: float | None = None
    """COM_QUIT left the client."""
    client_fin_sent: float | None = None
    """The client closed its socket, by itself or because it handled the server's FIN."""
    server_fin_sent: float | None = None
    server_fin_delivered: float | None = None
    """From then on the client's kernel had it, whether or not the client ran."""

    @property
    def answer_seconds(self) -> float | None:
        """How long after COM_QUIT the server's answer was there; None if one of both has not been seen."""
        if self.quit_sent is None or self.server_fin_delivered is None:
            return None
        return self.server_fin_delivered - self.quit_sent


class Network(Listener):
    """Passes everything on to a server, delayed."""

    def __init__(self, server: tuple[str, int], *, round_trip_seconds: float) -> None:
        """Start a network in front of the server at this host and port."""
        self.teardowns: list[Teardown] = []
        """One for each connection, in the order in which they were opened."""
        self._server = server
        self._delay = round_trip_seconds / 2
        super().__init__("network")
        self._start(self._accept)

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            self._sockets += client, server
            teardown = Teardown()
            self.teardowns.append(teardown)
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._to_server, client, server, teardown)
            self._start(self._to_client, server, client, teardown)

    def _to_server(self, client: socket.socket, server: socket.socket, teardown: Teardown) -> None:
        while data := self._receive(client):
            if data.endswith(COM_QUIT):
                teardown.quit_sent = time.monotonic()
            self._wait()
            self._send(server, data)
        teardown.client_fin_sent = time.monotonic()
        self._wait()
        self._finish(server)

    def _to_client(self, server: socket.socket, client: socket.socket, teardown: Teardown) -> None:
        while data := self._receive(server):
            self._wait()
            self._send(client, data)
        teardown.server_fin_sent = time.monotonic()
        self._wait()
        self._finish(client)
        teardown.server_fin_delivered = time.monotonic()

    def _wait(self) -> None:
        if self._delay:
            time.sleep(self._delay)

    @staticmethod
    def _receive(source: socket.socket) -> bytes:
        # A reset ends a connection too: the client was killed, or closed its socket with unread data in it.
        with contextlib.suppress(ConnectionError):
            return source.recv(65536)
        return b""

    @staticmethod
    def _send(target: socket.socket, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            target.sendall(data)

    @staticmethod
    def _finish(target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
