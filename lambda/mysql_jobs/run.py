"""The run, which a job gets as its argument: its window, its transaction and its checkpoints."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pymysql.cursors import Cursor

from mysql_jobs.claim import Claim
from mysql_jobs.connection import Connection
from mysql_jobs.deadline import Deadline
from mysql_jobs.ledger import Ledger
from mysql_jobs.request import Request

if TYPE_CHECKING:
    from mysql_jobs.outside.outside import Outside
    from mysql_jobs.outside.web import Web

LONGEST_JSON = 16_384
"""The most characters of a result or a progress: both go into the ledger and the log line, which holds 256 KB."""


class JobError(Exception):
    """A job's module breaks the contract with the handler; the message says how."""


class RunEnded(BaseException):
    """Ends a job at a checkpoint. Like SystemExit it is no Exception, so that `except Exception` does not catch it."""


class Outcome(NamedTuple):
    """How a job ended, and what it returned."""

    word: Literal["done", "partial", "dry_run"]
    result: Mapping[str, Any]
    progress: Mapping[str, Any]


class Run:
    """One execution of a job.

    Attributes:
        scheduled_time: the time that the run was scheduled for, UTC.
        window: the span of time that the run is to work on; the windows of a job's runs leave no gap and no overlap.
        progress: what the last checkpoint of this window recorded, possibly in an earlier run; {} if there is none.
        parameters: the job's `Parameters`, from the environment file; None if the module has none.
        deadline: when the run must have ended.
        dry_run: whether everything will be rolled back. For jobs that do something outside of the database.
    """

    def __init__(
        self,
        *,
        request: Request,
        claim: Claim,
        ledger: Ledger,
        parameters: Any,
        deadline: Deadline,
        connection: Connection,
        outside: Outside | None = None,
    ) -> None:
        """Make the run for `request` that works on `claim`, in a transaction of `connection`.

        `outside` is what the job uses besides its database; None if nothing.
        """
        self.scheduled_time = request.scheduled_time
        self.window = claim.window
        self.progress = claim.progress
        self.parameters = parameters
        self.deadline = deadline
        self.dry_run = request.dry_run
        self._ended = False
        self._claim = claim
        self._ledger = ledger
        self._connection = connection
        self._outside = outside
        self._batch_started = time.monotonic()
        self._longest_batch = 0.0

    def cursor(self, kind: type[Cursor] = Cursor) -> Cursor:
        """Return a cursor in the run's transaction; `pymysql.cursors` has the other kinds.

        Bind values (`cursor.execute("… WHERE id = %s", (id,))`); never format them into the statement.
        """
        return self._connection.cursor(kind)

    def client(self, service: str) -> Any:
        """Return a botocore client of an AWS service that the job names in USES, for this run: run.client("s3").

        What it does is not part of the transaction. A request is tried three times, as long as the run's time lasts.

        Raises:
            UsesError: USES does not name the service, or botocore is not in the job's packages.
        """
        return self._reach(f'run.client("{service}")').client(service)

    def secret(self, name: str) -> str:
        """Return the text of a secret in Secrets Manager that the job names in USES; it is read once in a run.

        It is kept out of the run's log line, of the error that Lambda gets, and of the ledger.

        Raises:
            UsesError: USES does not name the secret.
            CredentialsError: Secrets Manager refused or could not be reached, or the secret is no text.
            DeadlineExceeded: no time is left for it.
        """
        return self._reach(f'run.secret("{name}")').secret(name)

    @property
    def http(self) -> Web:
        """An HTTP client for the hosts that the job names in USES, for this run: a PoolManager of urllib3.

        What it does is not part of the transaction. What it can: https://urllib3.readthedocs.io

        Raises:
            UsesError: the job states no USES, or urllib3 is not in its packages.
        """
        return self._reach("run.http").http

    def checkpoint(self, progress: Mapping[str, Any]) -> None:
        """Commit what was done so far, together with `progress`; go on only if there is time for another batch.

        Otherwise the run ends here as `partial`. Another one follows at once, if `progress` differs from what this run
        began with, and gets the same window and this progress. There is time if twice the longest batch so far fits
        before the deadline. A dry run ends at its first checkpoint.

        Raises:
            RunEnded: the run ends here; do not catch it.
            JobError: `progress` can't be recorded.
            LockError, OutcomeUnknownError, TransactionEndedError, DeadlineExceeded, pymysql.MySQLError: see
                `Ledger.commit`.
        """
        if self._ended:
            raise RunEnded
        self.progress = self._without_secrets(_as_progress(progress), "run.checkpoint")
        if self.dry_run:
            self._end()
        self._ledger.commit(self._claim, "partial", progress=self.progress, go_on=True)
        now = time.monotonic()
        self._longest_batch = max(self._longest_batch, now - self._batch_started)
        if self.deadline.remaining() < 2 * self._longest_batch:
            self._end()
        self._batch_started = now

    def _reach(self, asked: str) -> Outside:
        if self._outside is None:
            raise JobError(f"{asked}, and the job's module has no USES: write there what it uses")
        return self._outside

    def _without_secrets(self, value: dict[str, Any], where: str) -> dict[str, Any]:
        """Return `value`, which goes into the ledger and the log line."""
        if self._outside is not None and (name := self._outside.secret_in(json.dumps(value, ensure_ascii=False))):
            raise JobError(f"{where} gave something that the secret {name} has in it: leave it out")
        return value

    def _finish(self, result: Mapping[str, Any]) -> Outcome:
        if self.dry_run:
            self._connection.rollback()
            return Outcome(word="dry_run", result=result, progress=self.progress)
        if self._ended:
            return Outcome(word="partial", result={}, progress=self.progress)
        self._ledger.commit(self._claim, "done", progress=self.progress, result=result)
        return Outcome(word="done", result=result, progress=self.progress)

    def _end(self) -> None:
        self._ended = True
        raise RunEnded


def carry_out(job: ModuleType, run: Run) -> Outcome:
    """Run the job, and commit its work together with its row in the ledger; roll a dry run back.

    Raises:
        JobError: the module has no `run`, or `run` returned something other than a dict or None.
        LockError, OutcomeUnknownError, TransactionEndedError, DeadlineExceeded, pymysql.MySQLError:
            see `Ledger.commit`.
    """
    if not callable(getattr(job, "run", None)):
        raise JobError(f"{job.__name__} has no function run(run)")
    try:
        result = job.run(run)
    except RunEnded:
        result = None
    # Before the commit, while the work can still be rolled back: the result may be no JSON.
    where = f"{job.__name__}.run"
    return run._finish(run._without_secrets(_as_json({} if result is None else result, where), where))


def _as_progress(progress: object) -> dict[str, Any]:
    """Return `progress` as the next run will get it: exactly as it is, since a job goes on from there."""
    decoded = _as_json(progress, "run.checkpoint", default=_refuse)
    if decoded != progress:
        raise JobError(
            f"run.checkpoint gave {progress!r}, which would come back as {decoded!r}: give numbers, texts, and lists "
            "or dicts of these, with texts as keys"
        )
    return decoded


def _refuse(value: object) -> str:
    raise JobError(
        f"run.checkpoint gave {value!r}, a {type(value).__name__}: give a number or a text, as JSON has them"
    )


def _as_json(value: object, where: str, default: Callable[[Any], str] = str) -> dict[str, Any]:
    """Return `value` as it will be read from the log line and from the ledger; `default` converts what JSON lacks."""
    if not isinstance(value, Mapping):
        raise JobError(f"{where} gave {type(value).__name__}: give a dict")
    text = json.dumps(value, default=default, allow_nan=False)
    if len(text) > LONGEST_JSON:
        raise JobError(f"{where} gave {len(text)} characters of JSON: give at most {LONGEST_JSON}")
    decoded: dict[str, Any] = json.loads(text)
    return decoded
