"""What is promised of runs, whatever order they come in: docs/runs.md once more, and nothing of how the engine does it.

Two tests hold runs against it: test_model.py on a ledger in memory, test_run_semantics.py on a real server.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from mysql_jobs.claim import CatchUp
from mysql_jobs.request import Window

INTERVAL = timedelta(minutes=5)
"""The part of a window that is one batch of the job. Windows begin and end at multiples of it."""


class Schedule(Protocol):
    """The scheduled times of a job."""

    def before(self, time: datetime) -> datetime | None:
        """The last one before `time`; None if nobody knows any."""

    def latest(self, now: datetime) -> datetime | None:
        """The last one until `now`; None if nobody knows any."""


class Terms(NamedTuple):
    """What a job's settings say."""

    catch_up: CatchUp
    longest: timedelta
    hours: timedelta
    schedule: Schedule


@dataclass(frozen=True)
class Ask:
    """A run that is asked for: for a scheduled time, or by hand for a window."""

    execution_id: str
    time: datetime | None = None
    window: Window | None = None
    since: datetime | None = None
    """When the chain began that it goes on with."""
    number: int = 0
    """In that chain."""

    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = {"execution_id": self.execution_id}
        if self.time is not None:
            event["scheduled_time"] = self.time.isoformat()
        if self.window is not None:
            event["window"] = {"start": self.window.start.isoformat(), "end": self.window.end.isoformat()}
        if self.since is not None:
            event["continued"] = {"since": self.since.isoformat(), "number": self.number}
        return event


@dataclass
class Row:
    """A row of the ledger: so many batches of its window are done, or nobody works on it."""

    key: datetime | str
    """The scheduled time of the run that began it; by hand, the execution id."""
    window: Window
    by: str
    """The execution id of the latest run."""
    done: int = 0
    skipped: bool = False

    @property
    def batches(self) -> list[datetime]:
        """Each by its beginning."""
        count = (self.window.end - self.window.start) // INTERVAL
        return [self.window.start + number * INTERVAL for number in range(count)]

    @property
    def complete(self) -> bool:
        return self.skipped or self.done == len(self.batches)


@dataclass(frozen=True)
class Claim:
    """The row that a run is to complete, a new one perhaps, and the row of what is skipped before it."""

    row: Row
    new: bool = False
    skipped: Row | None = None


class Ending(NamedTuple):
    """What a run that went well leaves to do."""

    following: Ask | None
    """Who does it at once."""
    stuck: bool
    """Whether nobody does."""


NOTHING_LEFT = Ending(following=None, stuck=False)


@dataclass
class Model:
    """What is promised: the ledger, the work that is done, what a run may claim, and what follows it."""

    rows: list[Row] = field(default_factory=list)
    work: Counter[datetime] = field(default_factory=Counter)
    locked: bool = False
    """A run is at work, or its orphan is still on the server."""

    @property
    def sequence(self) -> list[Row]:
        """Without the windows by hand."""
        return [row for row in self.rows if isinstance(row.key, datetime)]

    def claim(self, ask: Ask, terms: Terms) -> Claim | str:
        """What a run is to do, or the outcome of one that has nothing to do."""
        if self.locked:
            return "overlapping"
        if ask.window is not None:
            return self._by_hand(ask.execution_id, ask.window)
        assert ask.time is not None
        last = self.sequence[-1] if self.rows and self.sequence else None
        if last is None:
            return Claim(Row(ask.time, Window(_first(ask.time, terms), ask.time), ask.execution_id), new=True)
        if ask.number and ask.execution_id != last.by:
            return "superseded"
        if ask.time < last.window.end or (ask.time == last.window.end and last.complete):
            recorded = {row.key for row in self.rows} | {last.window.end}
            return "duplicate" if ask.time in recorded else "superseded"
        return _next(ask, last.window.end, terms) if last.complete else Claim(last)

    def claim_before(self, ask: Ask, longest: timedelta) -> Claim | str:
        """The same, of version 0.1: a row is a scheduled time, so whoever continues a window writes another."""
        assert ask.time is not None
        last = self.sequence[-1] if self.sequence else None
        own = [row for row in self.rows if row.key == ask.time]
        if own:
            return "duplicate" if own[-1].complete or own[-1] is not last else Claim(own[-1])
        if last is None:
            return Claim(Row(ask.time, Window(ask.time - longest, ask.time), ask.execution_id), new=True)
        if ask.time <= last.window.end:
            return "superseded"
        if not last.complete:
            return Claim(Row(ask.time, last.window, ask.execution_id, last.done), new=True)
        end = min(ask.time, last.window.end + longest)
        return Claim(Row(ask.time, Window(last.window.end, end), ask.execution_id), new=True)

    def commit(self, claim: Claim, done: int, *, by: str) -> None:
        """A run has committed: so many batches of its row are done now."""
        row = claim.row
        self.work.update(row.batches[row.done : done])
        row.done, row.by = done, by
        if claim.new and not any(row is each for each in self.rows):
            self.rows += [claim.skipped, row] if claim.skipped else [row]

    def _by_hand(self, execution_id: str, window: Window) -> Claim | str:
        own = next((row for row in self.rows if row.key == execution_id), None)
        if own is None:
            return Claim(Row(execution_id, window, execution_id), new=True)
        return "duplicate" if own.complete else Claim(own)


def ending(
    ask: Ask, claim: Claim, *, got_on: bool, began: datetime, now: datetime, terms: Terms
) -> Ending:  # fmt: skip
    """What follows a run that has done what it could, as one of a chain with hours of its own for each scheduled time.

    It `got_on` if it ended with another progress than it began with.
    """
    time, since, number = ask.time, ask.since or began, ask.number + 1
    if claim.row.complete:
        due = terms.schedule.latest(now)
        if ask.time is None or claim.row.window.end >= max(ask.time, due or ask.time):
            return NOTHING_LEFT
        if due is not None and due > ask.time:
            time, since, number = due, now, 1
    elif not got_on:
        return Ending(None, stuck=True)
    if now - since >= terms.hours:
        return Ending(None, stuck=True)
    return Ending(replace(ask, time=time, since=since, number=number), stuck=False)


def _first(time: datetime, terms: Terms) -> datetime:
    """Where the first window of all begins."""
    before = terms.schedule.before(time) if terms.catch_up == "none" else None
    return max(time - terms.longest, before or time - terms.longest)


def _next(ask: Ask, level: datetime, terms: Terms) -> Claim:
    """What follows the windows that are done, up to there."""
    assert ask.time is not None
    start, end, skipped = level, ask.time, None
    if terms.catch_up == "all":
        end = min(end, level + terms.longest)
    if terms.catch_up == "none":
        start = max(level, terms.schedule.before(ask.time) or level)
    if start > level:
        skipped = Row(ask.time, Window(level, start), ask.execution_id, skipped=True)
    return Claim(Row(ask.time, Window(start, end), ask.execution_id), new=True, skipped=skipped)
