"""What a job gets: the run it is part of, with its window, its transaction and its checkpoints."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

from pymysql.cursors import Cursor

from connection import Connection
from deadline import Deadline
from ledger import Ledger, Turn
from request import Request

LONGEST_JSON = 16_384
"""Characters of a result or a progress: both are kept in the ledger, and a log line holds 256 KB."""


class JobError(Exception):
    """A job's module breaks the contract with the handler; the message says how."""


class RunEnded(BaseException):
    """Ends a job at a checkpoint. Like SystemExit it is no Exception, so that a job's own handlers let it pass."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a job's work."""

    word: Literal["done", "partial", "dry_run"]
    result: Mapping[str, Any] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)


class Run:
    """One execution of a job.

    Attributes:
        scheduled_time: the time that the run was scheduled for, UTC.
        window: the span of time that the run is to work on; the windows of a job's runs leave no gap and no overlap.
        progress: what the last checkpoint of this window recorded, in an earlier run perhaps; {} at its beginning.
        parameters: the job's `Parameters`, from the environment file; None if the module has none.
        deadline: when the run must have ended.
        dry_run: whether everything will be rolled back. For jobs that do something outside of the database.
    """

    def __init__(
        self,
        *,
        request: Request,
        turn: Turn,
        ledger: Ledger,
        parameters: Any,
        deadline: Deadline,
        connection: Connection,
    ) -> None:
        """The run for `request` that does what is its `turn`, in `connection`'s open transaction."""
        self.scheduled_time = request.scheduled_time
        self.window = turn.window
        self.progress = turn.progress
        self.parameters = parameters
        self.deadline = deadline
        self.dry_run = request.dry_run
        self._ended = False
        self._turn = turn
        self._ledger = ledger
        self._connection = connection
        self._batch_started = time.monotonic()
        self._longest_batch = 0.0

    def cursor(self, kind: type[Cursor] = Cursor) -> Cursor:
        """A cursor in the run's transaction; pymysql.cursors names the other kinds.

        Bind values (`cursor.execute("… WHERE id = %s", (id,))`); never format them into the statement.
        """
        return self._connection.cursor(kind)

    def checkpoint(self, progress: Mapping[str, Any]) -> None:
        """Commit what was done so far, together with `progress`; go on only if there is time for another batch.

        Otherwise the run ends here, as partial, and the next run gets the same window and this progress. There is time
        if twice the longest batch so far fits before the deadline. A dry run ends at its first checkpoint.

        Raises:
            RunEnded: let it pass.
            JobError: `progress` can't be recorded.
            OutcomeUnknownError, TransactionEndedError, DeadlineExceeded, pymysql.MySQLError: as of a commit.
        """
        if self._ended:
            raise RunEnded
        self.progress = _readable(progress, "run.checkpoint")
        if self.dry_run:
            self._end()
        self._ledger.record(self._turn, "partial", progress=self.progress)
        self._connection.commit()
        now = time.monotonic()
        self._longest_batch = max(self._longest_batch, now - self._batch_started)
        if self.deadline.remaining() < 2 * self._longest_batch:
            self._end()
        self._connection.begin()
        self._batch_started = now

    def _finish(self, result: Mapping[str, Any]) -> Outcome:
        if self.dry_run:
            self._connection.rollback()
            return Outcome(word="dry_run", result=result, progress=self.progress)
        if self._ended:
            return Outcome(word="partial", progress=self.progress)
        self._ledger.record(self._turn, "done", progress=self.progress, result=result)
        self._connection.commit()
        return Outcome(word="done", result=result, progress=self.progress)

    def _end(self) -> None:
        self._ended = True
        raise RunEnded


def carry_out(job: ModuleType, run: Run) -> Outcome:
    """Run the job. What it did is committed together with the row that says so; in a dry run it is rolled back.

    Raises:
        JobError: the module has no `run`, or `run` returned something other than a dict or None.
        OutcomeUnknownError, TransactionEndedError, DeadlineExceeded, pymysql.MySQLError: as of a commit.
    """
    if not callable(getattr(job, "run", None)):
        raise JobError(f"{job.__name__} has no function run(run)")
    run._connection.begin()
    try:
        result = job.run(run)
    except RunEnded:
        result = None
    # Now, while the work can still be rolled back: a result that is no JSON must not fail after the commit.
    return run._finish(_readable({} if result is None else result, f"{job.__name__}.run"))


def _readable(value: object, where: str) -> dict[str, Any]:
    """`value` as it will stand in the log line and in the ledger."""
    if not isinstance(value, Mapping):
        raise JobError(f"{where} gave {type(value).__name__}: give a dict")
    text = json.dumps(value, default=str, allow_nan=False)
    if len(text) > LONGEST_JSON:
        raise JobError(f"{where} gave {len(text)} characters of JSON: give at most {LONGEST_JSON}")
    readable: dict[str, Any] = json.loads(text)
    return readable
