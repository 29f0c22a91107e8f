"""The TCP connections of a run to anything but its database: each ends at the deadline, and none is left after the run.

Closing a socket is not enough: what is still to be read of an HTTP response holds its descriptor, and a job may keep a
response, a client or a pool. So a descriptor is taken from its socket, and closed. Nor is that enough for TLS: OpenSSL
keeps the number, and would read what another socket gets that is given it, the next run's database connection for one.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress

from mysql_jobs.deadline import Deadline, Watchdog
from mysql_jobs.network import close_half_made, open_socket
from mysql_jobs.outside.stated import UsesError

CONNECT_SECONDS = 10.0
"""The most that an attempt to connect may take, TLS included, so that there is time for another."""
SILENCE_SECONDS = 60.0
"""The most that a peer may be silent: botocore's own limit.
https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html"""


class OpenSocket:
    """One connection, from the first attempt on."""

    def __init__(self, connected: socket.socket, watchdog: Watchdog) -> None:
        """Take what was connected by TCP; `watchdog` limits it."""
        self.socket = connected
        self.watchdog = watchdog
        self.ready = False
        """Whether it is secured, if it has to be: until then, `socket` may be the shell of one that TLS has taken."""

    @property
    def closed(self) -> bool:
        """Whether the descriptor is gone, because nobody had to read from it any more."""
        return self.ready and self.socket.fileno() == -1

    def end(self) -> None:
        """Cut it, whatever waits for it, and close the descriptor, whoever still has the socket. To be called once."""
        if not self.ready:
            # Whoever is connecting it has the descriptor, and closes it: its own call fails now.
            self.watchdog.cut()
            self.watchdog.dismiss()
            return
        with suppress(OSError):  # the peer may have closed it; what is TLS of it is let go of in any case
            self.socket.shutdown(socket.SHUT_RDWR)
        self.watchdog.dismiss()
        descriptor = self.socket.detach()
        if descriptor != -1:
            with suppress(OSError):  # a job may have closed it by its number
                os.close(descriptor)


class Sockets:
    """All of them.

    Attributes:
        deadline: of the run.
        reached: where it connected to, each host and port once.
    """

    def __init__(self, deadline: Deadline) -> None:
        """Begin with none."""
        self.deadline = deadline
        self.reached: list[str] = []
        self._open: list[OpenSocket] = []
        self._over = False
        self._changing = threading.Lock()  # a job may have threads

    def share(self, most: float) -> float:
        """Return how many seconds one attempt may take: half of what is left, so that another one has time, too."""
        return min(most, self.deadline.remaining() / 2)

    def require(self, doing: str) -> None:
        """Raise UsesError if the run is over, DeadlineExceeded if no time is left for `doing`."""
        if self._over:
            raise _ended(doing)
        self.deadline.require(doing)

    def open(self, host: str, port: int) -> OpenSocket:
        """Connect by TCP, and leave the rest of this attempt's share to TLS.

        Raises:
            UsesError: the run is over.
            DeadlineExceeded: no time is left.
            OSError: there is no such host, or it does not answer in time.
        """
        self.require(f"connecting to {host}:{port}")
        self._forget_closed()
        deadline = self.deadline.within(self.share(CONNECT_SECONDS))
        connected, _address = open_socket(host, port, deadline)
        try:
            opened = OpenSocket(connected, Watchdog(connected, deadline))
        except BaseException:
            connected.close()
            raise
        with self._changing:
            if not (late := self._over):
                self._open.append(opened)
                if (where := f"{host}:{port}") not in self.reached:
                    self.reached.append(where)
        if late:  # in a thread of the job's, which the run has not waited for
            opened.end()
            connected.close()
            raise _ended(f"connection to {host}:{port}")
        return opened

    def secured(self, opened: OpenSocket, secured: socket.socket) -> None:
        """Let `secured`, which has taken the descriptor, be the connection, until the run's deadline.

        Raises:
            UsesError: the run has ended meanwhile.
            TimeoutError: this attempt's time was used up meanwhile.
        """
        with self._changing:
            if not (late := opened not in self._open):
                opened.socket, opened.ready = secured, True
        if late:
            raise _ended("connection")
        if not opened.watchdog.extend(self.deadline):
            raise TimeoutError("the attempt to connect took too long")

    def drop(self, opened: OpenSocket, error: BaseException) -> None:
        """End one that could not be used, and what `error` has left of it."""
        with self._changing:
            if ours := opened in self._open:  # else the run has ended it
                self._open.remove(opened)
        if ours:
            opened.end()
        opened.socket.close()
        close_half_made(error)

    def destroy(self) -> None:
        """End all. Takes milliseconds, waits for no peer, never raises; no other is opened afterwards."""
        with self._changing:
            self._over = True
            left, self._open = self._open, []
        for opened in left:
            opened.end()

    def _forget_closed(self) -> None:
        """Let nothing of those that were closed meanwhile pile up, as where a server closes after each answer."""
        with self._changing:
            gone = [each for each in self._open if each.closed]
            self._open = [each for each in self._open if each not in gone]
        for each in gone:
            each.end()


def _ended(doing: str) -> UsesError:
    return UsesError(f"no {doing}: the run that this was made for has ended; ask for it anew in each run")
