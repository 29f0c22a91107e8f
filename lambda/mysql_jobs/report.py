"""The one log line of a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mysql_jobs.connection import Connection, Destroyed
from mysql_jobs.ledger import Claim, Refusal
from mysql_jobs.request import Request
from mysql_jobs.run import Outcome

logger = logging.getLogger("mysql_jobs")
logger.setLevel(logging.INFO)


class Report:
    """Everything about a run, collected during the run and written once at its end.

    With Lambda's JSON log format each entry becomes a field of the log line; metric filters read these fields.
    """

    def __init__(self, *, job: str, request_id: str) -> None:
        """Begin the report of the invocation `request_id`; its outcome is `failed` until another is known."""
        self._started = time.monotonic()
        self.entries: dict[str, Any] = {"job": job, "request_id": request_id, "outcome": "failed"}

    def requested(self, request: Request) -> None:
        """Add which run was asked for."""
        self.entries["scheduled_time"] = request.scheduled_time.isoformat()
        self.entries["execution_id"] = request.execution_id

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add how long `stage` takes, in milliseconds, whether it succeeds or fails."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.entries[f"{stage}_ms"] = _milliseconds(time.monotonic() - started)

    def connected(self, connection: Connection) -> None:
        """Add how many attempts it took to connect."""
        self.entries["attempts"] = connection.attempts

    def refused(self, refusal: Refusal) -> None:
        """Set the outcome of a run that has nothing to do."""
        self.entries["outcome"] = refusal

    def began(self, claim: Claim) -> None:
        """Add the window that the run claimed."""
        self.entries["window_start"] = claim.window.start.isoformat()
        self.entries["window_end"] = claim.window.end.isoformat()

    def ended(self, outcome: Outcome) -> None:
        """Set the outcome of a job whose work is committed or, in a dry run, rolled back."""
        self.entries["outcome"] = outcome.word
        self.entries["result"] = outcome.result
        if outcome.progress:
            self.entries["progress"] = outcome.progress

    def failed(self, error: BaseException) -> None:
        """Set the outcome `failed`, and add `error`."""
        self.entries["outcome"] = "failed"
        self.entries["error"] = _describe(error)

    def destroyed(self, destroyed: Destroyed) -> None:
        """Add how the connection was destroyed."""
        self.entries["destroyed"] = destroyed.how
        self.entries["destroy_ms"] = _milliseconds(destroyed.seconds)
        if destroyed.killed:
            self.entries["killed"] = destroyed.killed

    def leaked(self, leaks: list[str]) -> None:
        """Add what the run left open in the process; nothing should be."""
        self.entries["leaked"] = leaks

    def write(self) -> None:
        """Write the log line."""
        self.entries["duration_ms"] = _milliseconds(time.monotonic() - self._started)
        good = self.entries["outcome"] != "failed" and not self.entries.get("leaked")
        logger.log(logging.INFO if good else logging.ERROR, "run", extra=self.entries)


def _describe(error: BaseException) -> str:
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:  # noqa: BLE001 (a failing __str__ must not hide the error itself)
        return name


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
