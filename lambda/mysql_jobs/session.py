"""One session with the server: verified TLS, limits on the server, a watchdog, and an end that never waits."""

from __future__ import annotations

import math
import re
import secrets
import socket
import ssl
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pymysql
from pymysql.constants import COMMAND, CR, SERVER_STATUS

from mysql_jobs.configuration import Database
from mysql_jobs.credentials import Credentials
from mysql_jobs.deadline import Deadline, DeadlineExceeded, Watchdog
from mysql_jobs.network import close_half_made, open_socket

SEND_QUIT_SECONDS = 0.1
"""How long COM_QUIT may wait for room in the send buffer before the connection is cut instead."""
COM_QUIT = struct.pack("<IB", 1, COMMAND.COM_QUIT)  # length, sequence number 0, command
ENDS_TRANSACTION = re.compile(
    r"\s*(ALTER|ANALYZE|BEGIN|CACHE|CHECK|COMMIT|CREATE(?!\s+TEMPORARY)|DROP(?!\s+TEMPORARY)|FLUSH|GRANT|INSTALL|LOCK"
    r"|OPTIMIZE|RENAME|REPAIR|RESET|REVOKE|ROLLBACK(?!(\s+WORK)?\s+TO)|START|TRUNCATE|UNINSTALL|UNLOCK|XA"
    r"|SET\s+([^'\"]*[\s,.@`])?autocommit)\b",
    re.IGNORECASE,
)
"""Statements that commit or roll back, said or implied:
https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html. One that hides in a comment, a procedure or a prepared
statement is not found here; but then the transaction is not the one any more whose savepoint the commit asks for."""
READ_ONLY_MODE = 1836
"""ER_READ_ONLY_MODE, which PyMySQL lacks.
https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html#error_er_read_only_mode"""


class TransactionEndedError(Exception):
    """The job's transaction was committed or rolled back before the job ended: the rest must not be committed alone."""

    def __init__(self) -> None:
        """Say how that may have come, and what to do."""
        super().__init__(
            "the job's transaction ended before the job did: by a procedure or a prepared statement that commits "
            "(remove it; run.checkpoint commits), or by a deadlock whose error the job caught (don't catch it)"
        )


class SealedError(Exception):
    """The job tried to end its transaction, or to take the session away from its run; the server was not asked."""


class Session(pymysql.connections.Connection):
    """PyMySQL's connection, with what is missing there: a watchdog, an end that never waits, and a seal.

    A job reaches it as its cursor's connection. Once sealed, the session stays what the run's transaction began on: it
    can't be reconnected, and its transaction is ended by nobody but the run.

    It overrides private methods of PyMySQL, whose version is pinned; the tests fail if their meaning changes.
    """

    _sock: socket.socket | None
    _result: Any
    _watchdog: Watchdog | None = None
    _sealed = False
    _watched = False
    _in_transaction = False
    _ended = False
    address = ""
    """The server's IP address."""
    identity = ""
    """The name of an advisory lock that this session holds and no other ever did: thread numbers begin anew when a
    server restarts. Empty where nothing may be killed by its number."""

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

    def begin_transaction(self, savepoint: str) -> None:
        """Mark the beginning of the run's transaction; from now on the session is sealed, as a job reaches it."""
        super().query(f"SAVEPOINT {savepoint}")
        self._sealed = self._watched = True
        self._in_transaction = False

    def end_transaction(self, how: Literal["COMMIT", "ROLLBACK"]) -> None:
        """End the transaction, whatever `completion_type` the job has set."""
        self._watched = False
        # https://dev.mysql.com/doc/refman/8.4/en/commit.html
        super().query(f"{how} AND NO CHAIN NO RELEASE")

    def query(self, sql: str | bytes, unbuffered: bool = False) -> int:
        """Run a statement; refused if it would end the run's transaction."""
        if self._ended:
            raise TransactionEndedError  # what is not executed can't be committed alone
        if self._sealed and (found := ENDS_TRANSACTION.match(sql if isinstance(sql, str) else sql.decode("latin-1"))):
            raise SealedError(
                f"{' '.join(found[0].split())} would end the run's transaction, so the server did not get it: "
                "run.checkpoint commits, an error that the job raises rolls back, and tables are made by migrations"
            )
        return super().query(sql, unbuffered)

    def connect(self, sock: socket.socket | None = None) -> None:
        """Log in over `sock`. Raises SealedError where there was a login before."""
        self._refuse("connect")
        super().connect(sock)

    def ping(self, reconnect: bool | None = False) -> None:
        """Ask the server whether it is there; never reconnect. PyMySQL's own would by default."""
        if reconnect:
            self._refuse("ping(reconnect=True)")
        super().ping(reconnect=False)

    def autocommit(self, value: bool | None) -> None:
        """Refused: the run's work is one transaction."""
        self._refuse("autocommit")
        super().autocommit(value)

    def begin(self) -> None:
        """Refused: the run has begun the transaction."""
        self._refuse("begin")
        super().begin()

    def commit(self) -> None:
        """Refused: run.checkpoint commits."""
        self._refuse("commit")
        super().commit()

    def rollback(self) -> None:
        """Refused: an error that the job raises rolls back."""
        self._refuse("rollback")
        super().rollback()

    def _refuse(self, method: str) -> None:
        if self._sealed:
            raise SealedError(
                f"the connection is the run's, so its method {method} can't be called: work with run.cursor(); "
                "run.checkpoint commits, and an error that you raise rolls back"
            )

    def _read_query_result(self, unbuffered: bool = False) -> int:
        rows: int = super()._read_query_result(unbuffered)  # type: ignore[misc]
        status = self._result.server_status  # only an OK packet has it
        if self._watched and status is not None:
            within = bool(status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)
            if status & SERVER_STATUS.SERVER_STATUS_AUTOCOMMIT or (self._in_transaction and not within):
                self._ended = True
                raise TransactionEndedError
            self._in_transaction = within
        return rows

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
        _log_in(session, connected)
        if run_deadline is not None:
            _set_up(session, database.endpoint, run_deadline)
    except BaseException as error:
        session.destroy(cut=watchdog.struck)
        connected.close()
        close_half_made(error)
        raise
    finally:
        watchdog.dismiss()
    if watchdog.struck:
        session.destroy(cut=True)
        raise pymysql.err.OperationalError(CR.CR_SERVER_LOST, "the attempt to connect took too long")
    return session


def _log_in(session: Session, connected: socket.socket) -> None:
    try:
        session.connect(connected)
    except (pymysql.MySQLError, DeadlineExceeded):
        raise
    except Exception as error:
        # PyMySQL's reading of packets that are none ends in any of Python's own errors, UnboundLocalError among them.
        message = f"{session.address} does not speak MySQL's protocol: {type(error).__name__}"
        raise pymysql.err.OperationalError(CR.CR_MALFORMED_PACKET, message) from error


def _set_up(session: Session, endpoint: Literal["instance", "proxy"], deadline: Deadline) -> None:
    """Set limits in the session: whatever becomes of this client, the server gives up soon after the deadline."""
    seconds = max(1, math.ceil(deadline.remaining()))
    settings: dict[str, object] = {
        "autocommit": 0,
        "time_zone": "'+00:00'",
        "wait_timeout": seconds + 1,  # idle, as after the network was lost; default 8 h
        "sql_select_limit": "DEFAULT",  # a server-wide one would hide rows of the ledger
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
    assignments = [f"SESSION {name} = {value}" for name, value in settings.items()]
    if endpoint == "instance":
        session.identity = secrets.token_hex(16)
        assignments.append(f"@mysql_jobs_identity = GET_LOCK('{session.identity}', 0)")
    with session.cursor() as cursor:
        cursor.execute(f"SET {', '.join(assignments)}")
        # After a failover the host name may still lead to the old server, which is read-only now.
        cursor.execute("SELECT @@GLOBAL.read_only")
        if cursor.fetchone() != (0,):
            raise pymysql.err.OperationalError(READ_ONLY_MODE, "the server is read-only, as after a failover")


@cache
def tls_context(certificates: Path) -> ssl.SSLContext:
    """Return a context that verifies the server and its host name; cached, as each one takes up to 46 ms to build."""
    context = ssl.create_default_context(cafile=str(certificates))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # the host is in subjectAltName: https://www.rfc-editor.org/rfc/rfc9525
    return context
