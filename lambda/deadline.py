"""The time budget of a run: one moment that everything in the run draws on."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass
from typing import Protocol

MARGIN_SECONDS = 2.0
"""Kept back from Lambda's remaining time for destroying the connection and writing the log line."""


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
    """The moment, on the monotonic clock in seconds, by which a run must have ended its work."""

    moment: float

    @classmethod
    def of(cls, context: LambdaContext) -> Deadline:
        """The deadline of the run that `context` belongs to: its remaining time less `MARGIN_SECONDS`."""
        return cls.after(context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS)

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline `seconds` from now."""
        return cls(time.monotonic() + seconds)

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

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        """Watch `connected` from now on, until `dismiss`."""
        # TLS takes the descriptor out of the socket object it wraps; a descriptor of our own keeps its meaning.
        self._socket = connected.dup()
        self._dismissed = threading.Event()
        self._struck = False
        self._thread = threading.Thread(target=self._watch, args=(deadline,), name="watchdog", daemon=True)
        self._thread.start()

    def dismiss(self) -> bool:
        """End the watch; afterwards neither thread nor descriptor is left. True if the deadline had struck."""
        self._dismissed.set()
        self._thread.join()
        self._socket.close()
        return self._struck

    def _watch(self, deadline: Deadline) -> None:
        if self._dismissed.wait(deadline.remaining()):
            return
        self._struck = True
        # The server may have closed the connection at the same moment.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
