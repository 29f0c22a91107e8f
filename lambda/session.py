"""One session with the server: verified TLS, limits of its own, a watchdog, and an end that never waits."""

from __future__ import annotations

import math
import socket
import ssl
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pymysql

from configuration import Database
from credentials import Credentials
from deadline import Deadline, DeadlineExceeded, Watchdog, open_socket

GOODBYE_SECONDS = 0.1
"""How long COM_QUIT may wait for room in the send buffer before the connection is cut instead."""
COM_QUIT = struct.pack("<IB", 1, 1)

# https://dev.mysql.com/doc/mysql-errors/8.4/en/
READ_ONLY = 1836
UNREACHABLE = 2003
SERVER_LOST = 2013


class Session(pymysql.connections.Connection):
    """PyMySQL's connection, with what is missing there: a watchdog, and an end that never waits.

    What is overridden is private in PyMySQL, whose version is pinned; the tests fail if its meaning changes.
    """

    _sock: socket.socket | None
    _result: Any
    _watchdog: Watchdog | None = None
    address = ""
    """The server's, in numbers."""

    def watch(self, deadline: Deadline, at_deadline: Callable[[], None] | None = None) -> Watchdog:
        """Cut this session at `deadline`, until the watchdog is dismissed."""
        if self._sock is None:
            raise pymysql.err.OperationalError(SERVER_LOST, "Lost connection to MySQL server")
        self._watchdog = Watchdog(self._sock, deadline, at_deadline)
        return self._watchdog

    def destroy(self, *, cut: bool) -> Literal["polite", "cut", "gone"]:
        """Say goodbye, unless `cut` or in the middle of something; then close the socket. Never raises."""
        in_the_middle = self._let_go_of_rows()
        if self._sock is None:
            return "cut" if cut else "gone"
        polite = not cut and not in_the_middle and self._say_goodbye()
        self._force_close()  # type: ignore[attr-defined]
        return "polite" if polite else "cut"

    def _say_goodbye(self) -> bool:
        self._write_timeout = GOODBYE_SECONDS
        try:
            # Through TLS: in clear, the server would count an aborted client.
            self._write_bytes(COM_QUIT)
        except pymysql.MySQLError:
            return False
        return True

    def _let_go_of_rows(self) -> bool:
        """Whether rows are still to be read; their cursor's end would read them, in the next run perhaps."""
        result, self._result = self._result, None
        if result is None or not (result.unbuffered_active or result.has_next):
            return False
        result.unbuffered_active = False
        result.connection = None
        return True

    def _read_bytes(self, num_bytes: int) -> bytes:
        try:
            return super()._read_bytes(num_bytes)  # type: ignore[misc, no-any-return]
        except pymysql.MySQLError as error:
            raise self._explained(error) from error

    def _write_bytes(self, data: bytes) -> None:
        try:
            super()._write_bytes(data)  # type: ignore[misc]
        except pymysql.MySQLError as error:
            raise self._explained(error) from error

    def _execute_command(self, command: int, sql: str | bytes) -> None:
        if self._sock is None:
            raise self._explained(pymysql.err.InterfaceError(0, "the connection is closed"))
        super()._execute_command(command, sql)  # type: ignore[misc]

    def _explained(self, error: pymysql.MySQLError) -> Exception:
        if self._watchdog is not None and self._watchdog.struck:
            return DeadlineExceeded("the run's time was used up while it waited for the database")
        return error


def open_session(
    *,
    address: str,
    database: Database,
    credentials: Credentials,
    program_name: str,
    deadline: Deadline,
    run_deadline: Deadline | None,
) -> Session:
    """TCP to `address`, TLS, authentication, session setup (with `run_deadline`, for its work), before `deadline`.

    Raises:
        pymysql.MySQLError: there is no such server, it is not to be trusted, it refuses, or it takes too long.
    """
    session = Session(
        host=database.host,
        port=database.port,
        user=credentials.user,
        password=credentials.password,
        database=database.name,
        charset="utf8mb4",
        # A context makes TLS required: without it PyMySQL would send the password in clear to whoever asks.
        ssl=tls_context(database.certificates),
        autocommit=None,  # set with the rest of the session, in one round trip
        program_name=program_name,
        defer_connect=True,
    )
    try:
        # Not asked of the socket: a server that resets it at once has taken the answer away.
        connected, session.address = open_socket(address, database.port, deadline)
    except OSError as error:
        message = f"can't connect to {address}:{database.port}: {error}"
        raise pymysql.err.OperationalError(UNREACHABLE, message) from error
    try:
        watchdog = Watchdog(connected, deadline)
    except BaseException:
        connected.close()
        raise
    try:
        session.connect(connected)
        if run_deadline is not None:
            _set_up(session, database.endpoint, run_deadline)
    except BaseException:
        session.destroy(cut=watchdog.struck)
        connected.close()
        raise
    finally:
        watchdog.dismiss()
    if watchdog.struck:
        session.destroy(cut=True)
        raise pymysql.err.OperationalError(SERVER_LOST, "the attempt to connect took too long")
    return session


def _set_up(session: Session, endpoint: Literal["instance", "proxy"], deadline: Deadline) -> None:
    """Give the session limits of its own: whatever becomes of us, the server gives up soon after the deadline."""
    seconds = max(1, math.ceil(deadline.remaining()))
    settings: dict[str, object] = {
        "autocommit": 0,
        "time_zone": "'+00:00'",
        "wait_timeout": seconds + 1,  # idle: a client that vanished in a black hole; default 8 h
    }
    if endpoint == "instance":
        # Set through RDS Proxy, these would pin the session: there, the proxy's init query sets them.
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-pinning.html
        settings |= {
            "max_execution_time": seconds * 1000,  # of a SELECT, in ms; MySQL bounds no other statement
            "innodb_lock_wait_timeout": seconds,  # default 50 s
            "lock_wait_timeout": seconds,  # metadata locks; default a year
            "net_write_timeout": seconds,  # rows for a client that vanished; default 60 s
            "net_read_timeout": seconds,  # the rest of a statement of such a client; default 30 s
        }
    with session.cursor() as cursor:
        cursor.execute("SET " + ", ".join(f"SESSION {name} = {value}" for name, value in settings.items()))
        # After a failover the old name may still lead to a server that only reads.
        cursor.execute("SELECT @@GLOBAL.read_only")
        if cursor.fetchone() != (0,):
            raise pymysql.err.OperationalError(READ_ONLY, "the server is read-only, as after a failover")


@cache
def tls_context(certificates: Path) -> ssl.SSLContext:
    """Verified TLS, host name included; built once per environment, as each build costs up to 46 ms."""
    context = ssl.create_default_context(cafile=str(certificates))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
