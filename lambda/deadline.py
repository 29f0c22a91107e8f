"""The time budget of a run: one moment that everything in the run draws on, and a watchdog that enforces it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

MARGIN_SECONDS = 2.0
"""Kept back from Lambda's remaining time for killing a statement, destroying the connection and the log line."""


class DeadlineExceeded(Exception):
    """The run's time is used up; the message says what the run was doing."""


class LambdaContext(Protocol):
    """The part of Lambda's context object that a run uses."""

    function_name: str
    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda kills the environment."""


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock, in seconds, by which something must have ended."""

    moment: float

    @classmethod
    def of(cls, context: LambdaContext) -> Deadline:
        """The deadline of the run that `context` belongs to: its remaining time less `MARGIN_SECONDS`."""
        return cls.after(context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS)

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline `seconds` from now."""
        return cls(time.monotonic() + seconds)

    def within(self, seconds: float) -> Deadline:
        """This deadline, or the one `seconds` from now if that is sooner."""
        return Deadline(min(self.moment, time.monotonic() + seconds))

    def remaining(self) -> float:
        """Seconds left; 0 once the deadline has passed."""
        return max(0.0, self.moment - time.monotonic())

    def require(self, doing: str) -> float:
        """Seconds left for `doing`.

        Raises:
            DeadlineExceeded: nothing is left.
        """
        seconds = self.remaining()
        if seconds == 0:
            raise DeadlineExceeded(f"no time left for {doing}: raise the job's timeout_seconds or do less in a run")
        return seconds


class Watchdog:
    """Shuts a socket down at the deadline, whatever call is waiting on it.

    A socket's own timeout bounds one call: a server that drips a byte a second beats every one of them.
    """

    def __init__(
        self, connected: socket.socket, deadline: Deadline, at_deadline: Callable[[], None] | None = None
    ) -> None:
        """Watch `connected` from now on, until `dismiss`; `at_deadline` is called once the socket is shut down."""
        # TLS takes the descriptor out of the socket object it wraps; a descriptor of our own keeps its meaning.
        self._socket = socket.socket(fileno=os.dup(connected.fileno()))
        self._deadline = deadline
        self._at_deadline = at_deadline
        self._dismissed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self.struck = False
        """Whether the deadline came before the dismissal."""
        try:
            self._thread.start()
        except BaseException:
            self._socket.close()
            raise

    def dismiss(self) -> None:
        """End the watch; afterwards neither thread nor descriptor is left."""
        self._dismissed.set()
        self._thread.join()
        self._socket.close()

    def _watch(self) -> None:
        if self._dismissed.wait(self._deadline.remaining()):
            return
        self.struck = True
        # The server may have closed the connection at the same moment.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._at_deadline is not None:
            self._at_deadline()


def open_socket(host: str, port: int, deadline: Deadline) -> tuple[socket.socket, str]:
    """A TCP connection to the first of the host's addresses that answers, and that address, in numbers.

    The name is resolved anew at each call.

    Raises:
        OSError: the name can't be resolved, or no address answers before the deadline.
    """
    failure: OSError = TimeoutError("no time is left")
    for family, kind, protocol, _name, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if not deadline.remaining():
            break
        candidate = socket.socket(family, kind, protocol)
        try:
            candidate.settimeout(max(deadline.remaining(), 0.001))  # 0 would mean: don't wait at all
            candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            candidate.connect(address)
        except OSError as error:
            candidate.close()
            failure = error
        else:
            candidate.settimeout(None)  # from here on, a watchdog is the bound
            return candidate, str(address[0])
    raise failure
