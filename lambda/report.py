"""The one log line of a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from connection import Connection, Destroyed
from ledger import Refusal, Turn
from request import Request
from run import Outcome

logger = logging.getLogger("mysql_jobs")
logger.setLevel(logging.INFO)


class Report:
    """Everything about a run, gathered while it goes and written once.

    With Lambda's JSON log format each entry becomes a field of its own, which metrics are filtered from.
    """

    def __init__(self, *, job: str, request_id: str) -> None:
        """The report of the invocation `request_id`; a run that never says otherwise has failed."""
        self._started = time.monotonic()
        self.entries: dict[str, Any] = {"job": job, "request_id": request_id, "outcome": "failed"}

    def requested(self, request: Request) -> None:
        """For which scheduled time the job runs."""
        self.entries["scheduled_time"] = request.scheduled_time.isoformat()
        self.entries["execution_id"] = request.execution_id

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """How long `stage` takes, in milliseconds, whichever way it ends."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.entries[f"{stage}_ms"] = _milliseconds(time.monotonic() - started)

    def connected(self, connection: Connection) -> None:
        """There is a connection."""
        self.entries["attempts"] = connection.attempts

    def refused(self, refusal: Refusal) -> None:
        """There is nothing for this run to do."""
        self.entries["outcome"] = refusal

    def began(self, turn: Turn) -> None:
        """The job begins with its window."""
        self.entries["window_start"] = turn.window.start.isoformat()
        self.entries["window_end"] = turn.window.end.isoformat()

    def ended(self, outcome: Outcome) -> None:
        """The work is committed, or, in a dry run, rolled back."""
        self.entries["outcome"] = outcome.word
        self.entries["result"] = outcome.result
        if outcome.progress:
            self.entries["progress"] = outcome.progress

    def failed(self, error: BaseException) -> None:
        """The run ends with `error`."""
        self.entries["outcome"] = "failed"
        self.entries["error"] = _describe(error)

    def destroyed(self, destroyed: Destroyed) -> None:
        """The connection is gone."""
        self.entries["destroyed"] = destroyed.how
        self.entries["destroy_ms"] = _milliseconds(destroyed.seconds)
        if destroyed.killed:
            self.entries["killed"] = destroyed.killed

    def left(self, leftovers: list[str]) -> None:
        """What of the run is still in the process, now that nothing should be."""
        self.entries["left"] = leftovers

    def write(self) -> None:
        """Write the log line."""
        self.entries["duration_ms"] = _milliseconds(time.monotonic() - self._started)
        good = self.entries["outcome"] != "failed" and not self.entries.get("left")
        logger.log(logging.INFO if good else logging.ERROR, "run", extra=self.entries)


def _describe(error: BaseException) -> str:
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:  # noqa: BLE001 (an error that can't say what it is must not take the place of itself)
        return name


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
