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

import random
import ssl
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pymysql
from pymysql.cursors import Cursor

from configuration import Database
from credentials import Authentication, CredentialsError
from deadline import Deadline, DeadlineExceeded
from session import READ_ONLY, SERVER_LOST, UNREACHABLE, Session, open_session

ATTEMPT_SECONDS = 5.0
"""Of one attempt to connect: after a failover the name soon means another server, so no attempt waits for ever."""
PAUSE_SECONDS = 0.1
"""Before the second attempt, at most; doubled for each further one."""
LONGEST_PAUSE_SECONDS = 2.0
KILL_SECONDS = 1.0
"""For ending a statement on the server: part of the deadline's margin."""

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
SERVER_GONE = 2006

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
            session = open_session(
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
        session: Session,
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
            killer = open_session(
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
