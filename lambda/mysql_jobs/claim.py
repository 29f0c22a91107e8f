"""What a run may claim: the window that it works on, or the reason why it has nothing to do.

Pure: it decides by the rows of the ledger and by what the job's settings say, and asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol

from mysql_jobs.request import Request, Window

Refusal = Literal["overlapping", "duplicate", "superseded"]
"""Why a run has nothing to do.

overlapping: another run of this job is at work, within its time; it goes on to this scheduled time, or the next run
does. duplicate: this scheduled time is recorded. superseded: it came late, and a recorded window ends after it; or it
was to continue what another run has taken over meanwhile."""
CatchUp = Literal["all", "latest", "none"]
"""What becomes of the times that a job has missed.

all: their windows are worked through, none longer than the longest. latest: one run covers them all, in one window
that may be longer than that. none: they are skipped, and recorded as such."""


class Entry(NamedTuple):
    """A row of the ledger."""

    sequence: int
    window: Window
    outcome: Literal["done", "partial", "skipped"]
    progress: Mapping[str, Any]
    execution_id: str
    """Of the latest run that wrote it."""


class Claim(NamedTuple):
    """The window that a run may work on, while it holds the job's lock."""

    window: Window
    progress: Mapping[str, Any]
    """Of the run that is continued; empty if none is."""
    sequence: int | None
    """Of the row that is continued; None for a new one."""
    skipped: Window | None = None
    """What nobody works on, before the window: recorded together with it."""


class Times(Protocol):
    """The times of a job's schedule."""

    def before(self, time: datetime) -> datetime | None:
        """Return the last scheduled time before `time`; None if there is none, or none is known."""


class Terms(NamedTuple):
    """What a job's settings say of its windows."""

    max_window: timedelta
    catch_up: CatchUp
    times: Times


def decide(request: Request, own: Entry | None, last: Entry | None, terms: Terms) -> Claim | Refusal:
    """Return what `request` may do, given the row of its scheduled time and the last row of the job's sequence.

    The windows of a job's sequence follow each other without a gap or an overlap: each begins where the last one
    ended, and the last one ends at a scheduled time. A partial window is continued unchanged, in its own row and by
    whichever run comes next, before another begins: its progress may have any meaning within it.
    """
    if request.window is not None:
        return _by_hand(request.window, own)
    time = request.scheduled_time
    if last is None:
        return Claim(window=Window(start=_first_start(time, terms), end=time), progress={}, sequence=None)
    if (refusal := _refusal(request, own, last)) is not None:
        return refusal
    if last.outcome == "partial":
        return Claim(window=last.window, progress=last.progress, sequence=last.sequence)
    return _next(last.window.end, time, terms)


def _refusal(request: Request, own: Entry | None, last: Entry) -> Refusal | None:
    if request.continued is not None and request.execution_id != last.execution_id:
        # Whoever has taken over goes on by itself. Where a function runs once at a time, no chain would ever meet
        # another at work, and each scheduled time that comes meanwhile would add one.
        return "superseded"
    if request.scheduled_time < last.window.end:
        return "superseded" if own is None else "duplicate"
    if request.scheduled_time == last.window.end and last.outcome != "partial":
        return "duplicate"
    return None


def _by_hand(window: Window, own: Entry | None) -> Claim | Refusal:
    if own is None:
        return Claim(window=window, progress={}, sequence=None)
    if own.outcome == "done":
        return "duplicate"
    return Claim(window=own.window, progress=own.progress, sequence=own.sequence)


def _first_start(time: datetime, terms: Terms) -> datetime:
    longest = time - terms.max_window
    return max(longest, terms.times.before(time) or longest) if terms.catch_up == "none" else longest


def _next(start: datetime, time: datetime, terms: Terms) -> Claim:
    """Return the window from `start` on, towards the scheduled time `time`."""
    skipped = None
    end = time
    match terms.catch_up:
        case "all":
            end = min(time, start + terms.max_window)
        case "none":
            due = terms.times.before(time) or start
            if due > start:
                skipped, start = Window(start=start, end=due), due
    return Claim(window=Window(start=start, end=end), progress={}, sequence=None, skipped=skipped)
