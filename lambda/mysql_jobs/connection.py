"""Connect-and-destroy: a connection is opened inside the run and destroyed before the handler returns.

Lambda freezes the environment the moment the handler returns. What is still open of a connection then (a socket, a
timer, a thread) is frozen, too; meanwhile the server closes it or a timeout passes, and the next run fails. So nothing
is kept:

1. `connect` opens verified TLS before the run's deadline, and retries transient errors with backoff.
2. The session has limits on the server, which gives up soon after the deadline, whatever becomes of the run.
3. At the deadline a watchdog cuts the connection, whatever the job waits for, and has the server kill the session.
4. `Connection.destroy` ends the connection in milliseconds, however the run ends: with COM_QUIT if it is healthy.
"""

from __future__ import annotations

import os
import random
import ssl
import time
import weakref
from collections.abc import Sequence
from typing import Literal, NamedTuple

import pymysql
from pymysql.constants import CR, ER
from pymysql.cursors import Cursor

from mysql_jobs.configuration import Database
from mysql_jobs.credentials import Authentication, CredentialsError
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.opening import READ_ONLY_MODE, open_session
from mysql_jobs.session import Rows, Session, TransactionEndedError

ATTEMPT_SECONDS = 5.0
"""The limit of the first attempt to connect: after a failover, the next one may reach another server. It doubles with
each further one: a server under load may take longer to log in."""
FIRST_BACKOFF_SECONDS = 0.1
"""The longest pause before the second attempt; it doubles with each further one."""
LONGEST_BACKOFF_SECONDS = 2.0
KILL_SECONDS = 1.0
"""The limit of ending a session on the server: part of the deadline's margin."""
GREETING_SECONDS = 0.04
"""How long the server may take to greet whoever wants to end a session, or `GREETINGS` times as long as it took to
greet the run. One that is silent is frozen, or out of reach: the run need not wait, as it would kill nothing."""
GREETINGS = 20

TRANSIENT = {
    CR.CR_CONN_HOST_ERROR,
    CR.CR_SERVER_GONE_ERROR,
    CR.CR_SERVER_LOST,
    ER.CON_COUNT_ERROR,
    ER.OPTION_PREVENTS_STATEMENT,  # --read-only
    ER.SERVER_SHUTDOWN,
    ER.TOO_MANY_USER_CONNECTIONS,
    ER.USER_LIMIT_REACHED,
    READ_ONLY_MODE,
}
"""Errors after which another attempt to connect may succeed."""


class OutcomeUnknownError(Exception):
    """The connection was lost during COMMIT: the work may or may not be committed."""


class Destroyed(NamedTuple):
    """How a connection ended."""

    how: Literal["polite", "cut", "gone"]
    """polite: COM_QUIT was sent, so the server counts no aborted client. cut: it was sick, or in the middle of a
    result. gone: the server, the network or the job had closed it before."""
    seconds: float
    killed: str
    """Whether the session was killed on the server at the deadline; empty if the deadline never came."""


def connect(
    *,
    database: Database,
    authentication: Authentication,
    deadline: Deadline,
    program_name: str,
    limited: bool = True,
) -> Connection:
    """Open a connection; retry transient errors with backoff while time is left.

    A DBA finds `program_name` in performance_schema.session_connect_attrs. Without being `limited`, the session is as
    the server makes it, whatever server that is: it has no limits of the run's, and may be read-only.

    Raises:
        DeadlineExceeded: no attempt succeeded in time; the message has the errors of the last two.
        CredentialsError, ConfigurationError: the credentials could not be obtained.
        pymysql.err.OperationalError: the server could not be verified (2003, 2026), or refuses for good (1045, 1049).
    """
    attempts = 0
    failures: list[Exception] = []
    while True:
        limit = ATTEMPT_SECONDS * 2**attempts
        attempts += 1
        try:
            credentials = authentication.credentials(deadline.within(limit))
            session = open_session(
                address=database.host,
                database=database,
                credentials=credentials,
                program_name=program_name,
                deadline=deadline.within(limit),
                run_deadline=deadline if limited else None,
            )
            return Connection(
                session=session,
                database=database,
                authentication=authentication,
                deadline=deadline,
                attempts=attempts,
            )
        except (pymysql.err.OperationalError, CredentialsError) as error:
            denied_before = ER.ACCESS_DENIED_ERROR in map(_code, failures)
            if _code(error) == ER.ACCESS_DENIED_ERROR and not denied_before:
                # The secret may have been rotated since it was read. Once only: a wrong password stays wrong.
                authentication.forget()
            elif not _transient(error):
                raise
            failures.append(error)
            _back_off(failures, deadline)


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
        """Take over a session that `connect` has opened; from now on the run's own deadline limits it."""
        self.attempts = attempts
        """How many attempts it took to connect."""
        self._session = session
        self._database = database
        self._authentication = authentication
        self._cursors: weakref.WeakSet[Cursor] = weakref.WeakSet()
        self._savepoint = f"mysql_jobs_{os.urandom(8).hex()}"  # a name that no job can set by itself
        self._marked = False
        self._destroyed: Destroyed | None = None
        self._killed = ""
        try:
            session.watch(deadline, self._kill)
        except BaseException:
            session.destroy()
            raise

    def cursor(self, kind: type[Cursor] = Cursor) -> Cursor:
        """Return a new cursor."""
        cursor = self._session.cursor(kind)
        self._cursors.add(cursor)
        return cursor

    def begin(self, *first: str) -> list[Rows]:
        """Run `first` in a new transaction, whose beginning a savepoint marks; return the rows of each statement.

        `commit` and `rollback` require the mark to be still there. Every COMMIT and every ROLLBACK removes it, whatever
        causes them: the job's own statement, DDL, or a deadlock that the job catches.
        https://dev.mysql.com/doc/refman/8.4/en/savepoint.html

        Raises:
            DeadlineExceeded, pymysql.MySQLError: of the first statement that fails.
        """
        [*rows, _marked] = self._session.run_together([*first, self._mark])
        self._begun()
        return rows

    def commit(self, *last: str, go_on: bool = False) -> None:
        """Commit the open transaction; `last` adds to it once it is known to be the one that `begin` marked.

        So what `last` writes and what the job did are committed together, or neither is: nothing of the job's is
        executed in between. All of it is one round trip, so where the connection is lost meanwhile, nobody knows
        how much of it the server did. To `go_on` is to begin the next transaction at once.

        Raises:
            OutcomeUnknownError: the connection was lost, or the deadline came, before the server answered.
            DeadlineExceeded: the deadline had passed before.
            TransactionEndedError: the transaction is not the one that `begin` marked.
            pymysql.MySQLError: the server refused; of `last`, perhaps.
        """
        if self._session.struck:
            raise DeadlineExceeded("the run's time was used up before its work could be committed")
        try:
            self._end("COMMIT", *last, then=[self._mark] if go_on else [])
        except (DeadlineExceeded, pymysql.MySQLError) as error:
            if isinstance(error, pymysql.InterfaceError) or _from_server(error):
                raise  # the connection was closed before, or the server refused
            raise OutcomeUnknownError(f"the connection was lost during COMMIT: {error}") from error
        if go_on:
            self._begun()

    def rollback(self) -> None:
        """Roll the open transaction back.

        Raises:
            TransactionEndedError: the transaction is not the one that `begin` marked: part of it may be committed.
            DeadlineExceeded, pymysql.MySQLError: the connection was lost; the server rolls back by itself.
        """
        self._end("ROLLBACK")

    @property
    def _mark(self) -> str:
        return f"SAVEPOINT {self._savepoint}"

    def _begun(self) -> None:
        self._session.seal()
        self._marked = True

    def _end(self, how: Literal["COMMIT", "ROLLBACK"], *last: str, then: Sequence[str] = ()) -> None:
        unmark = [f"RELEASE {self._mark}"] if self._marked else []
        # Whatever `completion_type` the job has set: https://dev.mysql.com/doc/refman/8.4/en/commit.html
        try:
            self._session.run_together([*unmark, *last, f"{how} AND NO CHAIN NO RELEASE", *then])
        except pymysql.MySQLError as error:
            if _code(error) != ER.SP_DOES_NOT_EXIST:  # also of a savepoint
                raise
            raise TransactionEndedError from None
        self._marked = False

    def _execute(self, statement: str) -> None:
        with self._session.cursor() as cursor:
            cursor.execute(statement)

    def destroy(self) -> Destroyed:
        """End the connection now. Takes milliseconds, never waits for the server, never raises; idempotent.

        After the deadline has struck it may take up to `KILL_SECONDS`, until the session is killed on the server; but a
        server that does not even greet is not waited for.
        Cursors that the job has kept can't be used afterwards.
        """
        if self._destroyed is None:
            started = time.monotonic()
            how = self._session.destroy()
            for cursor in self._cursors:
                # Closing a cursor, or collecting it, would read the rest of its rows from the network.
                cursor.connection, cursor._result = None, None  # type: ignore[assignment, attr-defined]
            self._destroyed = Destroyed(how, time.monotonic() - started, self._killed)
        return self._destroyed

    def _kill(self) -> None:
        """Kill the session on the server: by itself, it would notice the cut only when it next writes to the client.

        A user needs no privilege to kill threads of its own: https://dev.mysql.com/doc/refman/8.4/en/kill.html
        """
        if self._database.endpoint == "proxy":
            self._killed = "not through a proxy"
            return
        deadline = Deadline.after(KILL_SECONDS)
        try:
            killer = open_session(
                # Not the host name: it may lead to another server by now, whose threads have the same numbers.
                address=self._session.address,
                database=self._database,
                credentials=self._authentication.credentials(deadline),
                program_name="kill at the deadline",
                deadline=deadline,
                run_deadline=None,
                greeting_seconds=max(GREETING_SECONDS, GREETINGS * self._session.greeting_seconds),
            )
        except Exception as error:  # noqa: BLE001 (any error goes into the log line)
            self._killed = f"failed: {error}"
            return
        try:
            self._killed = self._kill_by(killer)
        except (pymysql.MySQLError, DeadlineExceeded) as error:
            self._killed = "already gone" if _code(error) == ER.NO_SUCH_THREAD else f"failed: {error}"
        finally:
            killer.destroy()

    def _kill_by(self, killer: Session) -> str:
        # Provably ours: since a restart of the server, another run's session may have the same number.
        with killer.cursor() as cursor:
            cursor.execute("SELECT IS_USED_LOCK(%s)", (self._session.identity,))
            if cursor.fetchone() != (self._session.thread_id(),):  # type: ignore[no-untyped-call]
                return "already gone"
            cursor.execute(f"KILL CONNECTION {self._session.thread_id()}")  # type: ignore[no-untyped-call]
        return "killed"

    def kill(self, session: int) -> bool:
        """Kill a session of the same user by its number; return False if that can't be done from here.

        Through a proxy, the numbers of sessions are not the server's. And the session may be another user's: up to
        version 0.1, all jobs had one.

        Raises:
            DeadlineExceeded, pymysql.MySQLError: the connection failed.
        """
        if self._database.endpoint == "proxy":
            return False
        try:
            self._execute(f"KILL CONNECTION {session}")
        except pymysql.MySQLError as error:
            if _code(error) == ER.KILL_DENIED_ERROR:
                return False
            if _code(error) != ER.NO_SUCH_THREAD:  # it has just ended
                raise
        return True


def _back_off(failures: Sequence[Exception], deadline: Deadline) -> None:
    """Wait with exponential backoff and full jitter, so that callers that failed together do not return together.

    https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** (len(failures) - 1))
    seconds = random.uniform(0, longest)  # noqa: S311 (nothing secret depends on it)
    if seconds >= deadline.remaining():
        # The deadline may have been the only cause of the last failure; the one before it shows the other cause.
        shown = [f"attempt {number}: {error}" for number, error in enumerate(failures, start=1)][-2:]
        raise DeadlineExceeded(f"not connected in time; {'; '.join(shown)}") from failures[-1]
    time.sleep(seconds)


def _transient(error: Exception) -> bool:
    """Return whether another attempt may succeed."""
    if isinstance(error, CredentialsError):
        return error.transient
    cause = getattr(error, "original_exception", None)  # PyMySQL's, of a failed connect
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return False  # a server that could not be verified; an end of file means one that restarts
    return _code(error) in TRANSIENT


def _from_server(error: Exception) -> bool:
    """Return whether the server answered with this error; the client's own are numbered from 2000 to 2999.

    https://dev.mysql.com/doc/refman/8.4/en/error-message-elements.html
    """
    code = _code(error)
    return code is not None and code > 0 and not 2000 <= code < 3000


def _code(error: Exception) -> int | None:
    code = error.args[0] if isinstance(error, pymysql.MySQLError) and error.args else None
    return code if isinstance(code, int) else None  # PyMySQL's own complaints have no number
