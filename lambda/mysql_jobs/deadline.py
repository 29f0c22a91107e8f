"""The deadline of a run, which limits everything that the run does, and a watchdog that enforces it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

MARGIN_SECONDS = 2.0
"""Subtracted from Lambda's remaining time, for killing the session, destroying the connection and the log line."""


class DeadlineExceeded(Exception):
    """The run's time is used up; the message says what the run was doing."""


class LambdaContext(Protocol):
    """The part of Lambda's context object that a run uses."""

    function_name: str
    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda kills the environment."""


class Deadline(NamedTuple):
    """A moment on the monotonic clock, in seconds, by which something must have ended."""

    moment: float

    @classmethod
    def of(cls, context: LambdaContext) -> Deadline:
        """Return the deadline of the run that `context` belongs to: its remaining time less `MARGIN_SECONDS`."""
        return cls.after(context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS)

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline `seconds` from now."""
        return cls(time.monotonic() + seconds)

    def within(self, seconds: float) -> Deadline:
        """Return this deadline, or the one `seconds` from now if that is sooner."""
        return Deadline(min(self.moment, time.monotonic() + seconds))

    def remaining(self) -> float:
        """Return the seconds left; 0 once the deadline has passed."""
        return max(0.0, self.moment - time.monotonic())

    def require(self, doing: str) -> float:
        """Return the seconds left for `doing`.

        Raises:
            DeadlineExceeded: none are left.
        """
        seconds = self.remaining()
        if seconds == 0:
            raise DeadlineExceeded(f"no time left for {doing}: raise the job's timeout_seconds or do less in a run")
        return seconds


class Watchdog:
    """Shuts a socket down at the deadline, whatever call is waiting on it.

    A socket's own timeout limits a single call: a server that sends one byte per second never reaches it.
    """

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        """Watch `connected` from now on, until `dismiss`."""
        # A duplicate, because wrapping a socket object in TLS detaches its descriptor. It is no socket object yet: that
        # would inherit socket.setdefaulttimeout(), and so set O_NONBLOCK, which both descriptors share.
        self._descriptor = os.dup(connected.fileno())
        self._deadline = deadline
        self._at_deadline: Callable[[], None] | None = None
        self._deciding = threading.Lock()
        self._dismissed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self.struck = False
        """Whether the deadline came before `dismiss`."""
        try:
            self._thread.start()
        except BaseException:
            os.close(self._descriptor)
            raise

    def extend(self, deadline: Deadline, at_deadline: Callable[[], None] | None = None) -> bool:
        """Watch until `deadline`, which is no sooner; `at_deadline` is called then, once the socket is shut down.

        Returns False if the deadline before has come already.
        """
        with self._deciding:
            if not self.struck:
                self._deadline, self._at_deadline = deadline, at_deadline
        return not self.struck

    def cut(self) -> None:
        """Shut the socket down now, whatever call is waiting on it. Not after `dismiss`."""
        watched = socket.socket(fileno=self._descriptor)
        with contextlib.suppress(OSError):  # the server may have closed the connection at the same moment
            watched.shutdown(socket.SHUT_RDWR)
        watched.detach()

    def dismiss(self) -> None:
        """Stop watching; afterwards both the thread and the descriptor are gone. Idempotent."""
        if self._dismissed.is_set():
            return
        self._dismissed.set()
        self._thread.join()
        os.close(self._descriptor)

    def _watch(self) -> None:
        while not self._dismissed.wait(self._deadline.remaining()):
            with self._deciding:
                self.struck = self._deadline.remaining() == 0  # else it was extended meanwhile
            if self.struck:
                self._strike()
                return

    def _strike(self) -> None:
        self.cut()
        if self._at_deadline is not None:
            self._at_deadline()
