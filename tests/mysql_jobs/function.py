"""The function of one job, in the process of the test."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from mysql_jobs.handler import lambda_handler
from mysql_jobs.run import Run

Job = Callable[[Run], dict[str, Any] | None]
EIGHT = datetime(2026, 11, 23, 8, tzinfo=UTC)


class Function:
    """The function of one job, in this process."""

    def __init__(self, context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.context = context
        self._monkeypatch = monkeypatch
        self.do(work)

    def do(self, job: Job) -> None:
        """Let this be the job from now on."""
        module = SimpleNamespace(__name__="jobs.pulse", run=job)
        self._monkeypatch.setitem(sys.modules, "jobs.pulse", module)

    def deliver(self, time: datetime = EIGHT, **more: object) -> dict[str, Any]:
        """Deliver an event for `time`."""
        return lambda_handler({"scheduled_time": time.isoformat(), **more}, self.context)

    def by_hand(self, event: dict[str, Any], request_id: str = "request-1") -> dict[str, Any]:
        """Deliver an event as it is."""
        self.context.aws_request_id = request_id
        return lambda_handler(event, self.context)

    def fail(self, error: type[BaseException], time: datetime = EIGHT) -> None:
        """Deliver an event and see the run end with `error`."""
        with pytest.raises(error):
            self.deliver(time)


def work(run: Run) -> dict[str, Any]:
    """Each of its runs shows in the table: doing it twice would be seen."""
    with run.cursor() as cursor:
        cursor.execute("INSERT INTO work (start, end) VALUES (%s, %s)", (run.window.start, run.window.end))
    return {"inserted": 1}
