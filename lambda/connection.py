"""Connect-and-destroy: a connection is opened inside the run and gone before the handler returns.

Lambda freezes the environment the moment the handler returns. Whatever of a connection is still there then (a socket,
a timer, a thread) sleeps until the next run, while the server forgets it or a timeout passes, and kills that run. So
nothing is kept:

1. `connect` opens verified TLS within the run's deadline, trying again while that can help.
2. The session carries limits of its own, so that the server gives up soon after the deadline, whatever became of us.
3. At the deadline a watchdog cuts the connection, whatever the job waits for, and has the server end the statement.
4. `Connection.destroy` ends it, in every way out of the run, in milliseconds: politely if it is healthy, else cut.
"""

from __future__ import annotations

import math
import random
import socket
import ssl
import struct
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pymysql
from pymysql.cursors import Cursor

from configuration import Database
from credentials import Authentication, Credentials, CredentialsError
from deadline import Deadline, DeadlineExceeded, Watchdog, open_socket

ATTEMPT_SECONDS = 5.0
"""Of one attempt to connect: after a failover the name soon means another server, so no attempt waits for ever."""
PAUSE_SECONDS = 0.1
"""Before the second attempt, at most; doubled for each further one."""
LONGEST_PAUSE_SECONDS = 2.0
KILL_SECONDS = 1.0
"""For ending a statement on the server: part of the deadline's margin."""
GOODBYE_SECONDS = 0.1
"""How long COM_QUIT may wait for room in the send buffer before the connection is cut instead."""

# Errors of the server (1000 …) and of the client (2000 …):
# https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
TOO_MANY_CONNECTIONS = 1040
ACCESS_DENIED = 1045
SERVER_SHUTDOWN = 1053
UNKNOWN_THREAD = 1094
TOO_MANY_USER_CONNECTIONS = 1203
USER_LIMIT_REACHED = 1226
OPTION_PREVENTS_STATEMENT = 1290  # --read-only
NO_SUCH_SAVEPOINT = 1305
READ_ONLY = 1836
UNREACHABLE = 2003
SERVER_GONE = 2006
SERVER_LOST = 2013

TRANSIENT = {
    SERVER_GONE,
    SERVER_LOST,
    TOO_MANY_CONNECTIONS,
    SERVER_SHUTDOWN,
    TOO_MANY_USER_CONNECTIONS,
    USER_LIMIT_REACHED,
    OPTION_PREVENTS_STATEMENT,
    READ_ONLY,
    UNREACHABLE,
}
COM_QUIT = struct.pack("<IB", 1, 1)
SAVEPOINT = "mysql_jobs"


class OutcomeUnknownError(Exception):
    """The connection was lost during COMMIT: the work is done, or it is not."""


class TransactionEndedError(Exception):
    """The job's transaction was committed or undone before its end: what came since must not be committed alone."""


@dataclass(frozen=True)
class Destroyed:
    """How a connection ended."""

    how: Literal["polite", "cut", "gone"]
    """polite: said goodbye (COM_QUIT), the server counts no abort. cut: it was sick, or in the middle of something.
    gone: the server, the network or the job had closed it before."""
    seconds: float
    killed: str
    """What became of the statement that ran at the deadline; empty if the deadline never came."""


def connect(*, database: Database, authentication: Authentication, deadline: Deadline, program_name: str) -> Connection:
    """Open a connection, trying again for as long as that can help and time is left.

    `program_name` is what a DBA sees of it in performance_schema.session_connect_attrs.

    Raises:
        DeadlineExceeded: no attempt succeeded in time; the message says what the last one failed of.
        CredentialsError, ConfigurationError: there is nothing to log in with.
        pymysql.err.OperationalError: the server is not to be trusted (2003, 2026) or refuses for good (1045, 1049).
    """
    attempts = 0
    failures: list[Exception] = []
    while True:
        attempts += 1
        try:
            credentials = authentication.credentials(deadline.within(ATTEMPT_SECONDS))
            session = _attempt(
                address=database.host,
                database=database,
                credentials=credentials,
                program_name=program_name,
                deadline=deadline.within(ATTEMPT_SECONDS),
                run_deadline=deadline,
            )
            return Connection(
                session=session,
                database=database,
                authentication=authentication,
                deadline=deadline,
                attempts=attempts,
            )
        except (pymysql.err.OperationalError, CredentialsError) as error:
            refused_before = ACCESS_DENIED in map(_code, failures)
            if _code(error) == ACCESS_DENIED and not refused_before:
                # The secret may have been rotated since it was read. Once: a wrong password stays wrong.
                authentication.forget()
            elif not _transient(error):
                raise
            failures.append(error)
            _pause(failures, deadline)


class Connection:
    """One connection to the database, for one run."""

    def __init__(
        self,
        *,
        session: _Session,
        database: Database,
        authentication: Authentication,
        deadline: Deadline,
        attempts: int,
    ) -> None:
        """Take over a session that `connect` has opened; from here on the run's own deadline bounds it."""
        self.attempts = attempts
        """How many it took to connect."""
        self._session = session
        self._database = database
        self._authentication = authentication
        self._cursors: weakref.WeakSet[Cursor] = weakref.WeakSet()
        self._marked = False
        self._destroyed: Destroyed | None = None
        self._killed = ""
        try:
            self._watchdog = session.watch(deadline, self._kill)
        except BaseException:
            session.destroy(cut=False)
            raise

    def cursor(self, kind: type[Cursor] = Cursor) -> Cursor:
        """A new cursor; parameters given to its `execute` are bound, never formatted into the statement."""
        cursor = self._session.cursor(kind)
        self._cursors.add(cursor)
        return cursor

    def begin(self) -> None:
        """Mark the beginning of a transaction, so that its end shows whether it is still the same one.

        Every COMMIT and every ROLLBACK removes the mark, whoever causes it: the job's own statement, DDL, or a
        deadlock that the job goes on from. https://dev.mysql.com/doc/refman/8.4/en/savepoint.html
        """
        self._execute(f"SAVEPOINT {SAVEPOINT}")
        self._marked = True

    def commit(self) -> None:
        """Commit the open transaction.

        Raises:
            OutcomeUnknownError: the connection was lost, or the deadline came, before the server's answer did.
            DeadlineExceeded: the deadline had come before.
            TransactionEndedError: the transaction is not the one that `begin` marked.
            pymysql.err.OperationalError: the server refused.
        """
        if self._watchdog.struck:
            raise DeadlineExceeded("the run's time was used up before its work could be committed")
        self._release_mark()
        try:
            self._session.commit()
        except (DeadlineExceeded, pymysql.MySQLError) as error:
            if isinstance(error, pymysql.InterfaceError) or _from_server(error):
                raise  # the connection was closed before, or the server says no
            raise OutcomeUnknownError(f"the connection was lost during COMMIT: {error}") from error

    def rollback(self) -> None:
        """Roll the open transaction back.

        Raises:
            TransactionEndedError: the transaction is not the one that `begin` marked: part of it may be committed.
            DeadlineExceeded, pymysql.MySQLError: the connection was lost; the server rolls back by itself.
        """
        self._release_mark()
        self._session.rollback()

    def _release_mark(self) -> None:
        if not self._marked:
            return
        self._marked = False
        try:
            self._execute(f"RELEASE SAVEPOINT {SAVEPOINT}")
        except pymysql.MySQLError as error:
            if _code(error) != NO_SUCH_SAVEPOINT:
                raise
            raise TransactionEndedError(
                "the job's transaction was ended before the job was: by a COMMIT, ROLLBACK, BEGIN or DDL statement of "
                "its own (take it out; run.checkpoint commits), or by a deadlock that it went on from (let it pass)"
            ) from None

    def _execute(self, statement: str) -> None:
        with self._session.cursor() as cursor:
            cursor.execute(statement)

    def destroy(self) -> Destroyed:
        """End the connection now. Takes milliseconds, never waits for the server, never raises.

        Only after a deadline that struck it may take up to `KILL_SECONDS`, for the statement to be killed. What the
        job kept of the connection is dead afterwards. Calling it again changes nothing.
        """
        if self._destroyed is None:
            started = time.monotonic()
            self._watchdog.dismiss()
            how = self._session.destroy(cut=self._watchdog.struck)
            for cursor in self._cursors:
                # Closing a cursor, or collecting it, would read the rest of its rows from the network.
                cursor.connection, cursor._result = None, None  # type: ignore[assignment, attr-defined]
            self._destroyed = Destroyed(how, time.monotonic() - started, self._killed)
        return self._destroyed

    def _kill(self) -> None:
        """Have the server end what runs at the deadline: it would notice our absence only when it next writes to us.

        https://dev.mysql.com/doc/refman/8.4/en/kill.html: one's own threads may be killed without any further right.
        """
        if self._database.endpoint == "proxy":
            self._killed = "not through a proxy"
            return
        deadline = Deadline.after(KILL_SECONDS)
        try:
            killer = _attempt(
                # Not the name: it may mean another server by now, whose threads have the same numbers.
                address=self._session.address,
                database=self._database,
                credentials=self._authentication.credentials(deadline),
                program_name="kill at the deadline",
                deadline=deadline,
                run_deadline=None,
            )
        except Exception as error:  # noqa: BLE001 (whatever it was, it goes into the log line)
            self._killed = f"failed: {error}"
            return
        watchdog = killer.watch(deadline)
        try:
            killer.query(f"KILL CONNECTION {self._session.thread_id()}")  # type: ignore[no-untyped-call]
            self._killed = "killed"
        except (pymysql.MySQLError, DeadlineExceeded) as error:
            self._killed = "already gone" if _code(error) == UNKNOWN_THREAD else f"failed: {error}"
        finally:
            watchdog.dismiss()
            killer.destroy(cut=watchdog.struck)


class _Session(pymysql.connections.Connection):
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


def _attempt(
    *,
    address: str,
    database: Database,
    credentials: Credentials,
    program_name: str,
    deadline: Deadline,
    run_deadline: Deadline | None,
) -> _Session:
    """TCP to `address`, TLS, authentication, session setup (with `run_deadline`, for its work), before `deadline`."""
    session = _Session(
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


def _set_up(session: _Session, endpoint: Literal["instance", "proxy"], deadline: Deadline) -> None:
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


def _pause(failures: Sequence[Exception], deadline: Deadline) -> None:
    """Full jitter: callers that failed together come back apart.

    https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    longest = min(LONGEST_PAUSE_SECONDS, PAUSE_SECONDS * 2 ** (len(failures) - 1))
    seconds = random.uniform(0, longest)  # noqa: S311 (nothing secret depends on it)
    if seconds >= deadline.remaining():
        # The last attempt may have failed of nothing but the deadline; the one before it shows the cause.
        shown = [f"attempt {number}: {error}" for number, error in enumerate(failures, start=1)][-2:]
        raise DeadlineExceeded(f"not connected in time; {'; '.join(shown)}") from failures[-1]
    time.sleep(seconds)


def _transient(error: Exception) -> bool:
    """Whether trying again may help."""
    if isinstance(error, CredentialsError):
        return error.transient
    cause = getattr(error, "original_exception", None)  # PyMySQL's, of a failed connect
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return False  # a server that isn't the one we trust; an end of file is one that restarts
    return _code(error) in TRANSIENT


def _from_server(error: Exception) -> bool:
    """Whether this is the server's own answer: the client's errors are numbered from 2000 to 2999."""
    code = _code(error)
    return code is not None and code > 0 and not 2000 <= code < 3000


def _code(error: Exception) -> int | None:
    code = error.args[0] if isinstance(error, pymysql.MySQLError) and error.args else None
    return code if isinstance(code, int) else None  # PyMySQL's own complaints have no number
