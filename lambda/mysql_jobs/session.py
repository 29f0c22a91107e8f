"""One session with the server: verified TLS, limits on the server, a watchdog, and an end that never waits."""

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
from pymysql.constants import COMMAND, CR

from mysql_jobs.configuration import Database
from mysql_jobs.credentials import Credentials
from mysql_jobs.deadline import Deadline, DeadlineExceeded, Watchdog, open_socket

SEND_QUIT_SECONDS = 0.1
"""How long COM_QUIT may wait for room in the send buffer before the connection is cut instead."""
COM_QUIT = struct.pack("<IB", 1, COMMAND.COM_QUIT)  # length, sequence number 0, command
READ_ONLY_MODE = 1836
"""ER_READ_ONLY_MODE, which PyMySQL lacks.
https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html#error_er_read_only_mode"""


class Session(pymysql.connections.Connection):
    """PyMySQL's connection, with what is missing there: a watchdog, and an end that never waits.

    It overrides private methods of PyMySQL, whose version is pinned; the tests fail if their meaning changes.
    """

    _sock: socket.socket | None
    _result: Any
    _watchdog: Watchdog | None = None
    address = ""
    """The server's IP address."""

    def watch(self, deadline: Deadline, at_deadline: Callable[[], None] | None = None) -> Watchdog:
        """Cut this session at `deadline`, until the watchdog is dismissed."""
        if self._sock is None:
            raise pymysql.err.OperationalError(CR.CR_SERVER_LOST, "Lost connection to MySQL server")
        self._watchdog = Watchdog(self._sock, deadline, at_deadline)
        return self._watchdog

    def destroy(self, *, cut: bool) -> Literal["polite", "cut", "gone"]:
        """Send COM_QUIT, unless `cut` or in the middle of a result; then close the socket. Never raises."""
        in_the_middle = self._drop_unread_rows()
        if self._sock is None:
            return "cut" if cut else "gone"
        polite = not cut and not in_the_middle and self._send_quit()
        self._force_close()  # type: ignore[attr-defined]
        return "polite" if polite else "cut"

    def _send_quit(self) -> bool:
        self._write_timeout = SEND_QUIT_SECONDS
        try:
            # Through TLS: the server would count an aborted client if it were sent in plaintext.
            self._write_bytes(COM_QUIT)
        except pymysql.MySQLError:
            return False
        return True

    def _drop_unread_rows(self) -> bool:
        """Return whether there were any; when their cursor is collected, in a later run perhaps, it would read them."""
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
    """Connect to `address` by TCP and TLS, log in and, given a `run_deadline`, set the session up, before `deadline`.

    Raises:
        pymysql.MySQLError: there is no such server, it could not be verified, it refuses, or it takes too long.
    """
    session = Session(
        host=database.host,
        port=database.port,
        user=credentials.user,
        password=credentials.password,
        database=database.name,
        charset="utf8mb4",
        # A context makes TLS required: without one, PyMySQL sends the password in plaintext to any server that asks.
        ssl=tls_context(database.certificates),
        autocommit=None,  # `_set_up` sets it together with the rest, in one round trip
        program_name=program_name,
        defer_connect=True,
    )
    try:
        # Not from socket.getpeername(), which fails after a server has reset the connection.
        connected, session.address = open_socket(address, database.port, deadline)
    except OSError as error:
        message = f"can't connect to {address}:{database.port}: {error}"
        raise pymysql.err.OperationalError(CR.CR_CONN_HOST_ERROR, message) from error
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
        raise pymysql.err.OperationalError(CR.CR_SERVER_LOST, "the attempt to connect took too long")
    return session


def _set_up(session: Session, endpoint: Literal["instance", "proxy"], deadline: Deadline) -> None:
    """Set limits in the session: whatever becomes of this client, the server gives up soon after the deadline."""
    seconds = max(1, math.ceil(deadline.remaining()))
    settings: dict[str, object] = {
        "autocommit": 0,
        "time_zone": "'+00:00'",
        "wait_timeout": seconds + 1,  # idle, as after the network was lost; default 8 h
    }
    if endpoint == "instance":
        # Set through RDS Proxy, these would pin the session: there, the proxy's init query sets them.
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-pinning.html
        settings |= {
            "max_execution_time": seconds * 1000,  # of a SELECT, in ms; MySQL limits no other statement
            "innodb_lock_wait_timeout": seconds,  # default 50 s
            "lock_wait_timeout": seconds,  # metadata locks; default a year
            "net_write_timeout": seconds,  # rows to a client that is gone; default 60 s
            "net_read_timeout": seconds,  # the rest of a statement from such a client; default 30 s
        }
    with session.cursor() as cursor:
        cursor.execute("SET " + ", ".join(f"SESSION {name} = {value}" for name, value in settings.items()))
        # After a failover the host name may still lead to the old server, which is read-only now.
        cursor.execute("SELECT @@GLOBAL.read_only")
        if cursor.fetchone() != (0,):
            raise pymysql.err.OperationalError(READ_ONLY_MODE, "the server is read-only, as after a failover")


@cache
def tls_context(certificates: Path) -> ssl.SSLContext:
    """Return a context that verifies the server and its host name; cached, as each one takes up to 46 ms to build."""
    context = ssl.create_default_context(cafile=str(certificates))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
