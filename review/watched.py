"""What a change keeps from being watched: the watcher is told of each job when it runs and how late that may be seen.

What of that follows from the job's own settings is no decision of its own: only what says less than they do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from review.danger import Danger
from review.jobs_stacks import job_of
from review.templates import Resource, SynthesizedEnvironment, at
from settings.schedule import read_schedule
from settings.watched_jobs import WATCHED_FILE

VARIABLE = ("Environment", "Variables", "WATCHED")
TOLD = ("schedule", "time_zone", "allowance_seconds", "silence_seconds")
CLOCKS = timedelta(hours=2)
"""By so much, and an interval, clocks that change may stretch an interval."""


def unwatched(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Iterator[Danger]:
    """The dangers of jobs that only `after` watches later than they run, or not at all."""
    old = _told(before)
    for watcher in _watchers(after):
        new = _told(after)
        for schedule in after.of("AWS::Scheduler::Schedule"):
            job = job_of(schedule.path)
            if not job or old.get(job) == new.get(job) or str(at(schedule, "State")).upper() == "DISABLED":
                continue
            if why := _wrong(new.get(job), schedule, job, after):
                text = f"the job {job} {why}"
                then = "No alarm tells when its runs are missed"
                yield Danger(kind="protection", resource=watcher.path, code="unwatched", text=text, then=then)


def _wrong(watched: Mapping[str, Any] | None, schedule: Resource, job: str, after: SynthesizedEnvironment) -> str:
    """Why what the watcher is told is less than the job's settings say; empty if it is not."""
    if watched is None:
        return "is no longer watched"
    if not all(isinstance(watched.get(key), (int, float) if key.endswith("_seconds") else str) for key in TOLD):
        return f"is watched by less than {', '.join(TOLD)}"
    expression, zone = at(schedule, "ScheduleExpression"), at(schedule, "ScheduleExpressionTimezone") or "UTC"
    if (watched["schedule"], watched["time_zone"]) != (expression, zone):
        other = f"`{watched['schedule']}` ({watched['time_zone']})"
        return f"runs on `{expression}` ({zone}), and is watched as if on {other}"
    try:
        longest = read_schedule(str(expression)).longest_interval or timedelta(0)
    except ValueError:  # it never runs, or nobody knows when: asked about itself
        return ""
    late = _allowance(schedule, job, after)
    for key, most in (("allowance_seconds", late), ("silence_seconds", late + 2 * longest + CLOCKS)):
        if timedelta(seconds=float(watched[key])) > most:
            return f"counts as missed after {watched[key]} s (`{key}`), though its settings say {most}"
    return ""


def _allowance(schedule: Resource, job: str, after: SynthesizedEnvironment) -> timedelta:
    """How late a run may be recorded: its flexible window, how long it is tried again, and its timeout."""
    flexible = at(schedule, "FlexibleTimeWindow", "MaximumWindowInMinutes") or 0
    retried = at(schedule, "Target", "RetryPolicy", "MaximumEventAgeInSeconds") or 0
    timeouts = (at(each, "Timeout") or 0 for each in after.of("AWS::Lambda::Function") if job_of(each.path) == job)
    return timedelta(minutes=int(flexible), seconds=int(retried) + max(map(int, timeouts), default=0))


def told(function: Resource) -> Mapping[str, Any] | None:
    """What the function is told of jobs, by their names: see settings/watched_jobs.py; None if it is no watcher."""
    text = at(function, *VARIABLE)
    if text is None:
        return None
    if text == WATCHED_FILE:
        noted: Mapping[str, Any] = function.notes.get(WATCHED_FILE, {})
        return noted
    with suppress(ValueError):  # what nobody can read watches nothing
        found = json.loads(str(text))
        return (
            {job: each for job, each in found.items() if isinstance(each, Mapping)} if isinstance(found, dict) else {}
        )
    return {}


def _told(environment: SynthesizedEnvironment) -> Mapping[str, Any]:
    return {job: each for watcher in _watchers(environment) for job, each in (told(watcher) or {}).items()}


def _watchers(environment: SynthesizedEnvironment) -> list[Resource]:
    return [each for each in environment.of("AWS::Lambda::Function") if told(each) is not None]
