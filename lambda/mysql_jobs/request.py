"""The request for a run: an event of EventBridge Scheduler, or one written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

KEYS = ("job", "scheduled_time", "execution_id", "window", "dry_run", "continued")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(minutes=1)
"""How far the clocks of EventBridge Scheduler and of the function may differ."""


class EventError(Exception):
    """The event is malformed; the message names the key and says what to write."""


class Window(NamedTuple):
    """A span of time, in UTC: `start` belongs to it, `end` does not."""

    start: datetime
    end: datetime


class Continued(NamedTuple):
    """Which run of a chain is asked for: the runs that follow each other at once, for one scheduled time."""

    since: datetime
    """When the first run of the chain began, UTC."""
    number: int
    """How many came before this one; from 1."""


class Request(NamedTuple):
    """A request for one run."""

    job: str
    scheduled_time: datetime
    """UTC. Without one in the event, the moment of the invocation."""
    execution_id: str
    window: Window | None
    """The window of a run by hand, outside of the job's sequence of windows; None for the next one of the sequence."""
    dry_run: bool
    """Whether to roll everything back."""
    continued: Continued | None = None
    """None for the first run of a chain, which is the only one of most."""

    @classmethod
    def read(cls, event: object, *, job: str, request_id: str, now: datetime) -> Request:
        """Return the request in `event`, of the function of `job`, invoked as `request_id` at `now` (UTC).

        EventBridge Scheduler sends {"job", "scheduled_time", "execution_id"}; a run that has left work adds
        {"continued": {"since", "number"}} for the next one. By hand, write {"scheduled_time"} or
        {"window": {"start", "end"}}, with or without {"dry_run": true}, or {"dry_run": true} alone.

        Raises:
            EventError: a key is unknown, missing or malformed, or a time is in the future.
        """
        if not isinstance(event, Mapping):
            raise EventError(f'the event is {type(event).__name__}: write an object like {{"dry_run": true}}')
        for key in event:
            if key not in KEYS:
                raise EventError(f"the event's key {key} is unknown: write one of {', '.join(KEYS)}")
        if event.get("job", job) != job:
            raise EventError(f"the event's job is {event['job']!r}, but this function runs {job!r}")
        dry_run = event.get("dry_run", False)
        if not isinstance(dry_run, bool):
            raise EventError(f"the event's dry_run is {dry_run!r}: write true or false")
        if "window" in event and "scheduled_time" in event:
            raise EventError("the event has a window and a scheduled_time: write one of them")
        if not (dry_run or "window" in event or "scheduled_time" in event):
            # Not the moment of the invocation: each retry would be another run, and do the work again.
            raise EventError('the event\'s scheduled_time is missing: write it, or a window, or "dry_run": true')
        return cls(
            job=job,
            scheduled_time=_time(event, "scheduled_time", now) if "scheduled_time" in event else now,
            execution_id=_text(event, "execution_id") if "execution_id" in event else request_id,
            window=_window(event["window"], now) if "window" in event else None,
            dry_run=dry_run,
            continued=_continued(event["continued"], now) if "continued" in event else None,
        )

    def event(self) -> dict[str, object]:
        """Return the event that asks for this run: read again, it is the same."""
        event: dict[str, object] = {"job": self.job, "execution_id": self.execution_id}
        if self.window is not None:
            event["window"] = {"start": self.window.start.isoformat(), "end": self.window.end.isoformat()}
        else:
            event["scheduled_time"] = self.scheduled_time.isoformat()
        if self.dry_run:
            event["dry_run"] = True
        if self.continued is not None:
            event["continued"] = {"since": self.continued.since.isoformat(), "number": self.continued.number}
        return event


def _continued(value: object, now: datetime) -> Continued:
    if not isinstance(value, Mapping) or set(value) != {"since", "number"}:
        raise EventError(f"the event's continued is {value!r}: write an object with since and number")
    number = value["number"]
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise EventError(f"the event's number is {number!r}: write a whole number from 1")
    return Continued(since=_time(value, "since", now), number=number)


def _window(value: object, now: datetime) -> Window:
    if not isinstance(value, Mapping) or set(value) != {"start", "end"}:
        raise EventError(f"the event's window is {value!r}: write an object with start and end")
    window = Window(start=_time(value, "start", now), end=_time(value, "end", now))
    if window.start >= window.end:
        raise EventError(f"the event's window ends at {value['end']}: write an end after its start, {value['start']}")
    return window


def _text(event: Mapping[str, object], key: str) -> str:
    value = event.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise EventError(f"the event's {key} is {value!r}: write a text of at most 255 characters")
    return value


def _time(event: Mapping[str, object], key: str, now: datetime) -> datetime:
    text = _text(event, key)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise EventError(f"the event's {key} is {text!r}: write a time like 2026-11-23T08:00:00Z") from None
    if time.tzinfo is None:
        raise EventError(f"the event's {key} is {text!r}: add the offset, for example a Z for UTC")
    if not EPOCH <= time <= now + CLOCK_SKEW:
        # The window of a run in the future, once recorded, would supersede all runs until then.
        raise EventError(f"the event's {key} is {text!r}: write a time from 1970 to now, {now:%Y-%m-%dT%H:%M:%SZ}")
    return time.astimezone(UTC)
