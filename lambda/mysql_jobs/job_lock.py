"""The advisory lock that keeps two runs of a job apart, and the end of an orphan that holds it.

An orphan is the session of a run that is gone, and that works on all the same: a killed function can't end its
statement, and MySQL notices that a client is gone only when it next writes to it. So whoever meets the lock has to
learn whose it is, and until when that run had time. The server tells neither, but for the names of the locks that a
session holds; so a run holds two more, whose names say both.
"""

from __future__ import annotations

import hashlib
import time
from typing import NamedTuple

from mysql_jobs.connection import Connection
from mysql_jobs.deadline import MARGIN_SECONDS, Deadline
from mysql_jobs.request import Request
from mysql_jobs.session import Rows, no_autocommit_if

RELEASE_SECONDS = 0.1
"""How long the server may take to release the lock of a run that has just ended."""
ROLLBACK_SECONDS = 10.0
"""How long a run waits, at most, until an orphan that it killed is rolled back."""
STEP_SECONDS = 10
"""To this a deadline is rounded up, in the name of a lock."""
PAST_STEPS, FUTURE_STEPS = 100_000, 100
"""How far from now a deadline is looked for: 11 days back, and beyond the 900 s that a function may have."""


class LockError(Exception):
    """The server failed to take the lock, or the session does not hold it any more; the message says which."""


class OrphanError(Exception):
    """Another session holds the lock beyond its time, or nobody knows until when: this run fails, to be retried."""


class Holder(NamedTuple):
    """Who holds a job's lock."""

    session: int
    """The number of its session on the server."""
    overdue_seconds: float | None
    """For how long its time has been over; negative while it has some. None if its locks don't say."""
    same_invocation: bool
    """Whether it is an earlier attempt of the invocation that asks."""


class JobLock:
    """The lock of one job, as one run takes it.

    Attributes:
        name: <schema>.<job>.
        orphan: what became of an orphan that held it; empty if none did.
    """

    def __init__(
        self, *, connection: Connection, schema: str, request: Request, request_id: str, deadline: Deadline
    ) -> None:
        """Prepare for the run of `request`, which Lambda invoked as `request_id`; nothing is asked yet."""
        self.name = f"{schema}.{request.job}"
        self.orphan = ""
        self._connection = connection
        self._cursor = connection.cursor()
        self._deadline = deadline
        self._invocation = invocation_lock(self.name, request_id)

    def take(self, then: str) -> Rows | None:
        """Take the lock, which the session holds until it ends; return what `then` reads under it.

        None if another run is at work. A session that holds the lock beyond its run's time is killed first: a user may
        kill sessions of its own.

        Raises:
            LockError: the server could not take it.
            OrphanError: the holder can't be ended, or not in time, or is an earlier attempt of this invocation.
            pymysql.MySQLError, DeadlineExceeded: the connection failed.
        """
        if (rows := self._taken(then)) is not None:
            return rows
        # A run does not wait for the server when it ends: its lock may be released some milliseconds later.
        time.sleep(RELEASE_SECONDS)
        if (rows := self._taken(then)) is not None:
            return rows
        holder = self._holder()
        if holder is None:
            return self._taken(then)
        if holder.overdue_seconds is None:
            raise OrphanError(
                f"session {holder.session} holds the lock {self.name}, and is no run that says how long it may: "
                "find out whose it is (docs/operations.md, “A job's lock is held”)"
            )
        if holder.overdue_seconds > 0:
            return self._taken_from(holder, holder.overdue_seconds, then)
        if holder.same_invocation:
            # Not killed: Lambda may deliver an event twice at the same time, and then it is at work.
            # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
            raise OrphanError(
                f"session {holder.session}, an earlier attempt of this invocation, still holds the lock {self.name}: "
                "the server has not ended it yet. This attempt fails, to be retried"
            )
        return None

    def required(self) -> str:
        """Return a statement that is an error, WRONG_VALUE_FOR_VAR, if the session has lost the lock.

        A job may release it by name, or with all others.
        """
        held = self._cursor.mogrify("IS_USED_LOCK(%s) = CONNECTION_ID()", (self.name,))
        return f"SET {no_autocommit_if(held)}"

    def lost(self) -> LockError:
        """Return the error of a run that finds its lock lost."""
        return LockError(
            f"the job released the lock {self.name}: take RELEASE_LOCK or RELEASE_ALL_LOCKS out of it, as another "
            "run may have worked at the same time"
        )

    def _taken(self, then: str, wait_seconds: float = 0) -> Rows | None:
        # `then` is a statement of its own: one that asks for the lock and reads a table could read it as it was before.
        # https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html
        ours = "IF(IS_USED_LOCK(%s) = CONNECTION_ID(), GET_LOCK(%s, 0), NULL)"
        until = deadline_lock(self.name, time.time() + self._deadline.remaining() + MARGIN_SECONDS)
        take = self._cursor.mogrify(
            f"SELECT GET_LOCK(%s, %s), {ours}, {ours}",
            (self.name, wait_seconds, self.name, until, self.name, self._invocation),
        )
        [[(taken, *_others)], rows] = self._connection.begin(take, then)
        if taken is None:
            raise LockError(f"GET_LOCK({self.name!r}) answered NULL: see the server's error log")
        if taken:
            return rows
        # What was read without the lock is not to be read again: the next transaction sees what is there by then.
        self._connection.rollback()
        return None

    def _holder(self) -> Holder | None:
        """Return who holds the lock; None if nobody does any more."""
        self._cursor.execute("SELECT IS_USED_LOCK(%s), IS_USED_LOCK(%s)", (self.name, self._invocation))
        [(session, attempt)] = self._cursor.fetchall()
        if session is None:
            return None
        newest = int(time.time() // STEP_SECONDS) + FUTURE_STEPS
        # Without the performance schema, which RDS may have off, nothing lists the locks that a session holds. SHA2, as
        # MySQL 9 has no SHA1(). The 100,000 names take a fifth of a second.
        self._cursor.execute(
            "WITH RECURSIVE step (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM step WHERE n < %s)"
            " SELECT /*+ SET_VAR(cte_max_recursion_depth = 1000000) */ n FROM step"
            " WHERE IS_USED_LOCK(SHA2(CONCAT(%s, ' until ', %s - n), 224)) = %s LIMIT 1",
            (PAST_STEPS + FUTURE_STEPS, self.name, newest, session),
        )
        found = self._cursor.fetchall()
        if not found:
            # A run that ends while its locks are looked for lets go of them one by one.
            time.sleep(RELEASE_SECONDS)
            if not self._holds(session):
                return None
        overdue = time.time() - (newest - found[0][0]) * STEP_SECONDS if found else None
        return Holder(session=session, overdue_seconds=overdue, same_invocation=attempt == session)

    def _holds(self, session: int) -> bool:
        """Return whether `session` holds the lock."""
        self._cursor.execute("SELECT IS_USED_LOCK(%s) <=> %s", (self.name, session))
        return self._cursor.fetchone() == (1,)

    def _taken_from(self, holder: Holder, overdue_seconds: float, then: str) -> Rows:
        """Kill an orphan, take its lock, and return what `then` reads under it.

        Raises:
            OrphanError: it can't be killed from here, or the server still rolls it back.
        """
        self.orphan = f"session {holder.session}, {overdue_seconds:.0f} s beyond its time"
        if not self._connection.kill(holder.session):
            raise OrphanError(
                f"{self.orphan}, still holds the lock {self.name}, and can't be killed through a proxy, or as another "
                "user's: kill it at the instance (docs/operations.md, “A job's lock is held”)"
            )
        self.orphan += ": killed"
        rows = self._taken(then, min(ROLLBACK_SECONDS, self._deadline.remaining() / 2))
        if rows is None:
            raise OrphanError(f"{self.orphan}, and the server is still rolling its work back: retry this run")
        return rows


def invocation_lock(name: str, request_id: str) -> str:
    """Return the name of the lock that says for which invocation the lock `name` is held."""
    return _hashed(f"{name} invocation {request_id}")


def deadline_lock(name: str, moment: float) -> str:
    """Return the name of the lock that says until when the holder of `name` has time: `moment` is in s since 1970."""
    return _hashed(f"{name} until {-int(-moment // STEP_SECONDS)}")


def _hashed(text: str) -> str:
    """Return a name of 56 characters: a lock's may have 64.

    https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html
    """
    return hashlib.sha224(text.encode()).hexdigest()
