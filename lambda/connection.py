"""Connect-and-destroy: a connection is opened inside the run and gone before the handler returns.

Lambda freezes the environment the moment the handler returns. Whatever of a connection is still there then (a socket,
a timer, a thread) sleeps until the next run, while the server forgets it or a timeout passes, and kills that
run. So nothing is kept: `Connection` opens verified TLS within the run's deadline, `destroy` ends it, always.
"""

from __future__ import annotations

import math
import socket
import ssl
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import pymysql
from pymysql.cursors import Cursor

from configuration import Database
from credentials import Credentials
from deadline import Deadline, Watchdog

GOODBYE_SECONDS = 0.1
"""How long COM_QUIT may wait for room in the send buffer before the connection is cut instead."""


@dataclass(frozen=True)
class Destroyed:
    """How a connection ended."""

    how: Literal["polite", "cut"]
    """polite: said goodbye (COM_QUIT), the server counts no abort. cut: it was already sick."""
    seconds: float


class Connection:
    """One connection to the database, for one run."""

    def __init__(self, *, database: Database, credentials: Credentials, deadline: Deadline, program_name: str) -> None:
        """Connect: TCP, verified TLS, authentication and session setup, all before `deadline`.

        `program_name` is what a DBA sees of this connection in performance_schema.session_connect_attrs.

        Raises:
            DeadlineExceeded: no time is left to connect.
            pymysql.err.OperationalError: 2003 unreachable or TLS failed, 2026 the server offers no TLS,
                1045 access denied, 1040 too many connections, 2013 lost, also at the deadline.
        """
        self._mysql = pymysql.Connection(
            host=database.host,
            port=database.port,
            user=credentials.user,
            password=credentials.password,
            database=database.name,
            charset="utf8mb4",
            # A context makes TLS required: without it PyMySQL would send the password in clear to whoever asks.
            ssl=tls_context(database.certificates),
            autocommit=None,  # set below, with the rest of the session, in one round trip
            init_command=_session(deadline),
            program_name=program_name,
            defer_connect=True,
        )
        connected = _open_socket(database, deadline)
        self._watchdog = Watchdog(connected, deadline)
        try:
            self._mysql.connect(connected)
        except BaseException:
            self.destroy()
            raise

    def cursor(self, kind: type[Cursor] = Cursor) -> Cursor:
        """A new cursor; parameters given to its `execute` are bound, never formatted into the statement."""
        return self._mysql.cursor(kind)

    def commit(self) -> None:
        """Commit the open transaction."""
        self._mysql.commit()

    def rollback(self) -> None:
        """Roll the open transaction back."""
        self._mysql.rollback()

    def destroy(self) -> Destroyed:
        """End the connection now. Takes milliseconds, never waits for the server, never raises."""
        started = time.monotonic()
        struck = self._watchdog.dismiss()
        healthy = self._mysql.open and not struck
        if healthy:
            # COM_QUIT goes through TLS: in clear, the server would count an abort.
            self._mysql._write_timeout = GOODBYE_SECONDS  # type: ignore[attr-defined]
            self._mysql.close()
        self._mysql._force_close()  # type: ignore[attr-defined]  # PyMySQL has no public destroy
        return Destroyed("polite" if healthy else "cut", time.monotonic() - started)


@cache
def tls_context(certificates: Path) -> ssl.SSLContext:
    """Verified TLS, host name included; built once per environment, as each build costs up to 46 ms."""
    context = ssl.create_default_context(cafile=str(certificates))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _open_socket(database: Database, deadline: Deadline) -> socket.socket:
    try:
        connected = socket.create_connection(
            (database.host, database.port), timeout=deadline.require("connecting to the database")
        )
    except OSError as error:
        raise pymysql.err.OperationalError(
            2003, f"can't connect to {database.host}:{database.port}: {error}"
        ) from error
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def _session(deadline: Deadline) -> str:
    """The session's own limits: whatever becomes of the client, the server gives up soon after the deadline."""
    seconds = max(1, math.ceil(deadline.remaining()))
    settings = {
        "autocommit": 0,
        "time_zone": "'+00:00'",
        "max_execution_time": seconds * 1000,  # of a SELECT, in ms; MySQL bounds no other statement
        "innodb_lock_wait_timeout": seconds,  # default 50 s
        "lock_wait_timeout": seconds,  # metadata locks; default a year
        "wait_timeout": seconds + 1,  # idle: a client that vanished in a black hole; default 8 h
    }
    return "SET " + ", ".join(f"SESSION {name} = {value}" for name, value in settings.items())
