"""Whether a run is followed by another at once, so that work ends when it can, not when the clock comes round again.

A run says so in its answer, and Lambda's destination for successes hands it over: the function asks no service, so it
needs no way out of its network. Nobody waits for that run. Should it never come, the next scheduled time takes over.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html

A chain of such runs ends by itself: each of them has to get on, and all of them together have `max_hours`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from mysql_jobs.claim import Claim
from mysql_jobs.request import Continued, Request
from mysql_jobs.run import Outcome
from mysql_jobs.timetable import Timetable


class Following(NamedTuple):
    """What follows a run."""

    event: Mapping[str, Any] | None
    """Of the next run, which is to begin at once; None if none is."""
    stuck: bool
    """Whether work is left, and no run follows before the next scheduled time."""


NOTHING = Following(event=None, stuck=False)


def following(
    request: Request,
    claim: Claim,
    outcome: Outcome,
    *,
    began: datetime,
    now: datetime,
    timetable: Timetable,
    most: timedelta,
) -> Following:
    """Return what follows the run of `request`, which `began` at that time and whose work is committed by `now`.

    A run that left its window partial is followed if it got on in it; one that finished it, if it ends before the
    latest scheduled time. What follows for one scheduled time has to begin within `most`, since the first run did.

    Raises:
        ValueError, ZoneInfoNotFoundError: see `Timetable.latest`.
    """
    if outcome.word == "dry_run":
        return NOTHING
    wanted = _wanted(request, claim, outcome, now=now, timetable=timetable)
    if wanted is None:
        return NOTHING
    if outcome.word == "partial" and outcome.progress == claim.progress:
        return Following(event=None, stuck=True)
    if wanted.scheduled_time > request.scheduled_time:
        # Another scheduled time, with hours of its own.
        continued = Continued(since=now, number=1)
    else:
        before = request.continued or Continued(since=began, number=0)
        continued = Continued(since=before.since, number=before.number + 1)
    if now - continued.since >= most:
        return Following(event=None, stuck=True)
    return Following(event=wanted._replace(continued=continued).event(), stuck=False)


def _wanted(request: Request, claim: Claim, outcome: Outcome, *, now: datetime, timetable: Timetable) -> Request | None:
    """Return the run that would go on with what is left, but for its place in the chain; None if nothing is."""
    if outcome.word == "partial":
        return request
    if request.window is not None:
        return None
    due = timetable.latest(now, since=request.scheduled_time)
    return request._replace(scheduled_time=due) if claim.window.end < due else None
