"""What a job gets: the run it is part of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from pymysql.cursors import Cursor

from connection import Connection
from deadline import Deadline


class EventError(Exception):
    """The event that started the run is malformed; the message names the key and says what to write."""


class JobError(Exception):
    """A job's module breaks the contract with the handler; the message says how."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What EventBridge Scheduler asks for."""

    job: str
    scheduled_time: datetime
    """UTC."""
    execution_id: str

    @classmethod
    def read(cls, event: object) -> Request:
        """The request in `event`: {"job", "scheduled_time", "execution_id"}, all of them text.

        Raises:
            EventError: a key is missing or malformed.
        """
        if not isinstance(event, Mapping):
            raise EventError(
                f"the event is {type(event).__name__}: write an object with job, scheduled_time and execution_id"
            )
        return cls(
            job=_text(event, "job"),
            scheduled_time=_time(event, "scheduled_time"),
            execution_id=_text(event, "execution_id"),
        )


class Run:
    """One execution of a job."""

    def __init__(self, *, request: Request, deadline: Deadline, connection: Connection) -> None:
        """A run for `request` that works in `connection`'s open transaction."""
        self.scheduled_time = request.scheduled_time
        self.deadline = deadline
        self._connection = connection

    def cursor(self, kind: type[Cursor] = Cursor) -> Cursor:
        """A cursor in the run's transaction; pymysql.cursors names the other kinds.

        Bind values (`cursor.execute("… WHERE id = %s", (id,))`); never format them into the statement.
        """
        return self._connection.cursor(kind)


def carry_out(job: ModuleType, run: Run) -> dict[str, Any]:
    """Run the job and return its result as it will stand in the log line.

    Raises:
        JobError: the module has no `run`, or `run` returned something other than a dict or None.
    """
    if not callable(getattr(job, "run", None)):
        raise JobError(f"{job.__name__} has no function run(run)")
    result = job.run(run)
    if result is None:
        return {}
    if not isinstance(result, dict):
        raise JobError(f"{job.__name__}.run returned {type(result).__name__}: return a dict or None")
    # Now, while the work can still be rolled back: a result that is no JSON must not fail after the commit.
    readable: dict[str, Any] = json.loads(json.dumps(result, default=str, allow_nan=False))
    return readable


def _text(event: Mapping[str, object], key: str) -> str:
    value = event.get(key)
    if not isinstance(value, str) or not value:
        raise EventError(f"the event's {key} is {value!r}: write a text")
    return value


def _time(event: Mapping[str, object], key: str) -> datetime:
    text = _text(event, key)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise EventError(f"the event's {key} is {text!r}: write a time like 2026-11-23T08:00:00Z") from None
    if time.tzinfo is None:
        raise EventError(f"the event's {key} is {text!r}: add the offset, for example a Z for UTC")
    return time.astimezone(UTC)
