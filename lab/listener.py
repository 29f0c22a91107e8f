"""A listener on this machine with its connections and the threads that serve them, which end together."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self


class Listener:
    """Listens on a free port of 127.0.0.1. A context manager: leaving it closes all connections and ends its threads.

    Attributes:
        port: the port.
        closing: set once it ends.
    """

    def __init__(self, name: str) -> None:
        """Listen; `name` is that of the threads."""
        self._name = name
        self.closing = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        """Return it, running."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close all connections and end all threads."""
        self.closing.set()
        # An accept or a read that waits in another thread ends when its socket is shut down, not when it is closed.
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
        for each in (self._listener, *self._sockets):
            each.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name=self._name, daemon=True)
        self._threads.append(thread)
        thread.start()
