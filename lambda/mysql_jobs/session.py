"""One session with the server: limited by a watchdog, sealed for the job's time, and with an end that never waits."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import pymysql
from pymysql.constants import COMMAND, CR, SERVER_STATUS

from mysql_jobs.deadline import Deadline, DeadlineExceeded, Watchdog
from mysql_jobs.network import forget_tls_errors

Rows = Sequence[tuple[Any, ...]]

SEND_QUIT_SECONDS = 0.003
"""How long COM_QUIT may wait for room in the send buffer before the connection is cut instead. A healthy connection's
buffer is empty by then: the server has answered all that was sent."""
MULTI_STATEMENTS_ON, MULTI_STATEMENTS_OFF = struct.pack("<H", 0), struct.pack("<H", 1)
"""https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_set_option.html"""
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
    _greeted: Callable[[], None]
    _at_work = False
    _logging_in = False
    _unsent: bytearray | None = None
    _sealed = False
    _watched = False
    _in_transaction = False
    _ended = False
    address = ""
    """The server's IP address."""
    direct = True
    """Whether it leads to the server itself, not to a proxy. What the server alone is known to understand, and what
    would pin a proxy's connection, is said to the server alone."""
    greeting_seconds = 0.0
    """How long the server took to greet, from the connection attempt on."""
    identity = ""
    """The name of an advisory lock that this session holds and no other ever did: thread numbers begin anew when a
    server restarts. Empty where nothing may be killed by its number."""

    def opened(self, watchdog: Watchdog, greeted: Callable[[], None]) -> None:
        """Let `watchdog` be this session's until its end; `greeted` is called when the server has."""
        self._watchdog, self._greeted = watchdog, greeted

    def watch(self, deadline: Deadline, at_deadline: Callable[[], None] | None = None) -> None:
        """Cut this session at `deadline`, and no longer at the one that it was opened by.

        Raises:
            pymysql.err.OperationalError: the deadline before has come meanwhile.
        """
        if self._watchdog is None or not self._watchdog.extend(deadline, at_deadline):
            raise pymysql.err.OperationalError(CR.CR_SERVER_LOST, "the attempt to connect took too long")
        self._at_work = True

    @property
    def struck(self) -> bool:
        """Whether its deadline has come, and cut it."""
        return self._watchdog is not None and self._watchdog.struck

    def destroy(self) -> Literal["polite", "cut", "gone"]:
        """Send COM_QUIT, unless the deadline has cut it or it is in the middle of a result; then close the socket.

        Never raises. Waits for what `watch` was given to do at the deadline.
        """
        how = self._destroy()
        if how != "polite":
            forget_tls_errors()
        return how

    def _destroy(self) -> Literal["polite", "cut", "gone"]:
        if self._watchdog is not None:
            self._watchdog.dismiss()
        in_the_middle = self._drop_unread_rows()
        if self._sock is None:
            return "cut" if self.struck else "gone"
        polite = not self.struck and not in_the_middle and self._send_quit()
        self._force_close()  # type: ignore[attr-defined]
        return "polite" if polite else "cut"

    def run_together(self, statements: Sequence[str]) -> list[Rows]:
        """Run statements one after the other, and return the rows of each; after one that fails, none is run.

        They take one round trip: the server gets them as one text, which it is told to take for this once. What a job
        runs is one statement at a time, always: what somebody smuggles into it would be another.
        https://dev.mysql.com/doc/c-api/8.4/en/c-api-multiple-queries.html

        Raises:
            TransactionEndedError: the run's transaction has ended before; the server is asked nothing.
            DeadlineExceeded, pymysql.MySQLError: of the first that fails.
        """
        if self._ended:
            raise TransactionEndedError  # what is not executed can't be committed alone
        self._watched = False
        if not self.direct or len(statements) == 1:
            return [self._run_alone(statement) for statement in statements]
        with self._sent_at_once():
            self._execute_command(COMMAND.COM_SET_OPTION, MULTI_STATEMENTS_ON)
            self._execute_command(COMMAND.COM_QUERY, ";\n".join(statements))
            self._execute_command(COMMAND.COM_SET_OPTION, MULTI_STATEMENTS_OFF)
        self._read_answer_to_option()
        try:
            return self._read_results(len(statements))
        finally:
            if self._sock is not None:
                self._read_last_answer()

    @contextmanager
    def _sent_at_once(self) -> Iterator[None]:
        """Hold back what is sent meanwhile, and then send all of it: the server reads one command after the other."""
        self._unsent = bytearray()
        try:
            yield
            self._write_bytes(self._unsent)
        finally:
            self._unsent = None

    def _run_alone(self, statement: str) -> Rows:
        super().query(statement)
        return self._rows()

    def _read_results(self, count: int) -> list[Rows]:
        self._next_seq_id = 1
        self._read_query_result()
        results = [self._rows()]
        while self._result.has_next:
            self._read_query_result()
            results.append(self._rows())
        if len(results) != count:
            raise pymysql.err.InternalError(CR.CR_COMMANDS_OUT_OF_SYNC, f"{count} statements, {len(results)} results")
        return results

    def _rows(self) -> Rows:
        return self._result.rows or ()

    def _read_answer_to_option(self) -> None:
        self._next_seq_id = 1
        self._read_packet()  # type: ignore[no-untyped-call]

    def _read_last_answer(self) -> None:
        try:
            self._read_answer_to_option()
        except (pymysql.MySQLError, DeadlineExceeded):
            if self._sock is not None:
                raise
            # The connection is lost, as the next statement will say; what the server has answered before counts.

    def seal(self) -> None:
        """From now on, as a job reaches it, it can't be taken away from its run, nor its transaction ended."""
        self._sealed = self._watched = True
        self._in_transaction = False

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
        self._logging_in = True
        super().connect(sock)
        self._logging_in = False

    def set_character_set(self, charset: str, collation: str | None = None) -> None:
        """Let texts be in `charset`. At the login it is `set_up` that says so, with the rest, in one round trip."""
        if not (self._logging_in and self.direct):
            super().set_character_set(charset, collation)

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

    def _get_server_information(self) -> None:
        super()._get_server_information()  # type: ignore[misc]
        self._greeted()

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

    def _write_bytes(self, data: bytes | bytearray) -> None:
        if self._unsent is not None and data is not self._unsent:
            self._unsent += data
            return
        try:
            super()._write_bytes(data)  # type: ignore[misc]
        except pymysql.MySQLError as error:
            raise self._explained(error) from error

    def _execute_command(self, command: int, sql: str | bytes) -> None:
        if self._sock is None:
            raise self._explained(pymysql.err.InterfaceError(0, "the connection is closed"))
        super()._execute_command(command, sql)  # type: ignore[misc]

    def _explained(self, error: pymysql.MySQLError) -> Exception:
        if self._at_work and self.struck:
            return DeadlineExceeded("the run's time was used up while it waited for the database")
        return error


def no_autocommit_if(condition: str) -> str:
    """Return an assignment for SET that is an error, WRONG_VALUE_FOR_VAR, unless the condition is true.

    Autocommit is off anyway, and 2 is no value of it; NULL would be, for off. What else fails on a condition does so in
    a strict sql_mode only.
    """
    return f"SESSION autocommit = IF({condition}, 0, 2)"
