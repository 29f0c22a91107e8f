"""What of a change is one decision: a part that goes as a whole, a proxy that comes or goes, another database."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from review.changes import Change
from review.classified import only_retried
from review.danger import KINDS, Danger, exact
from review.jobs_stacks import PATH, job_of
from review.templates import Resource, SynthesizedEnvironment
from settings.schedule import read_schedule

ALARM = "AWS::CloudWatch::Alarm"
NAMES = ("DBInstanceIdentifier", "DBProxyName", "FunctionName", "QueueName")
"""Properties that a dimension of a metric has the value of."""
PROXY = "AWS::RDS::DBProxy"
HOST = ("Environment", "Variables", "DATABASE_HOST")
DATABASE = "AWS::RDS::DBInstance"
STATE = ("State",)
SCHEDULED = {("ScheduleExpression",), ("ScheduleExpressionTimezone",), ("FlexibleTimeWindow", "MaximumWindowInMinutes")}
OTHER = ("deleted", "removed", "replaced")
"""When a database is another one."""
OF_DATABASE = ("alarm-watches", "events", "login", "other-database")
"""What points to a database, and to the other one when it is replaced."""
THROUGH = "All jobs connect another way; through a proxy, no statement is killed at the deadline: see `docs/proxy.md`"
TIMES = ("alarm-later", "alarm-watches")
"""What of a job's alarms follows from its schedule."""
LAG = "lag_seconds"
OF_TIME = {"missed", LAG, "catching_up"}
"""The metrics of alarms that a job has while its schedule is on: see stacks/watching/job_alarms.py."""
BY_CLASS = ("DatabaseConnections", "FreeableMemory")
"""Metrics whose thresholds follow from the instance class."""


def decided(
    found: Iterable[Danger],
    changes: Sequence[Change],
    before: SynthesizedEnvironment,
    after: SynthesizedEnvironment,
) -> Iterator[Danger]:
    """Return `found`, those that are one decision with one resource and one code."""
    gone = _with_what_it_watches(changes, _wholes(changes, "removed", after))
    follows = _follows(changes, after)
    asked = [each for each in found if (each.resource, each.code) not in follows]
    gravest = _gravest(asked, gone)
    rest = [_of_whole(each, whole, gravest[whole]) if (whole := gone.get(each.resource)) else each for each in asked]
    wholes = {**_wholes(changes, "added", before), **gone}
    for change in changes:
        if change.resource.kind == PROXY and change.resource.path in wholes:
            rest = _by_proxy(rest, wholes[change.resource.path], changes)
        if change.resource.kind == DATABASE and change.how in ("removed", "replaced"):
            rest = _by_database(rest, change.resource.path)
    yield from rest


def _follows(changes: Sequence[Change], after: SynthesizedEnvironment) -> set[tuple[str, str]]:
    """What follows from a change that is shown itself, by path and code, and is no decision of its own.

    How long a run is tried again, and when it counts as missed or behind, follow from the schedule; when there are too
    many connections, or too little memory, from the instance class.
    """
    found = set()
    for change in changes:
        resource, places = change.resource, {each.place for each in change.differences}
        if resource.kind == "AWS::Scheduler::Schedule" and places & SCHEDULED:
            job = resource.path.rpartition("/")[0]
            found |= {(f"{job}/{part}", "retries") for part in ("Retry", "Schedule")}
            rule = f"{job}/Continuation/Rule"
            found |= {(rule, "event-source") for each in changes if each.resource.path == rule and _only_retried(each)}
            found |= _of_times(changes, resource)
        if resource.kind == "AWS::Scheduler::Schedule" and places & {*SCHEDULED, STATE}:
            found |= _without_times(changes, resource)
        if resource.kind == DATABASE and ("DBInstanceClass",) in places:
            names = {f"{{{resource.path}}}", *_names(resource)}
            found |= {
                (each.path, "alarm-threshold")
                for each in after.of(ALARM)
                if each.properties.get("MetricName") in BY_CLASS and _watched(each.properties) & names
            }
    return found


def _only_retried(rule: Change) -> bool:
    """Whether nothing of a rule changes but how long it tries."""
    return all(only_retried(each) for each in rule.differences)


def _of_times(changes: Sequence[Change], schedule: Resource) -> set[tuple[str, str]]:
    """What of the alarms of its job follows from when it runs: how long a run may be missing or behind, no longer."""
    try:
        longest = read_schedule(_expression(schedule)).longest_interval
    except ValueError:  # it never runs, or nobody knows when: asked about itself
        return set()
    most = 3 * (longest or timedelta(0)) + timedelta(hours=2)
    found = set()
    for alarm in _alarms(changes, schedule, how="changed"):
        if _length(alarm.properties) <= most:
            found |= {(alarm.path, code) for code in TIMES}
        # Two intervals, and two are twice as long where the clocks leave a time out: settings/missed_runs.py.
        if _metrics(alarm.properties) == {LAG} and _threshold(alarm.properties) <= 2 * most:
            found.add((alarm.path, "alarm-threshold"))
    return found


def _without_times(changes: Sequence[Change], schedule: Resource) -> set[tuple[str, str]]:
    """The alarms that go as its job is not expected any more, or but once."""
    gone: set[str] = {LAG} if _expression(schedule).startswith("at(") else set()
    if schedule.properties.get("State") == "DISABLED":
        gone = OF_TIME
    return {
        (alarm.path, "alarm-removed")
        for alarm in _alarms(changes, schedule, how="removed")
        if _metrics(alarm.properties) and _metrics(alarm.properties) <= gone
    }


def _alarms(changes: Sequence[Change], schedule: Resource, *, how: str) -> Iterator[Resource]:
    """The alarms of the schedule's job that are changed, or removed."""
    job = job_of(schedule.path)
    for change in changes:
        if change.resource.kind == ALARM and change.how == how and job in _watched(change.resource.properties):
            yield change.resource


def _expression(schedule: Resource) -> str:
    return str(schedule.properties.get("ScheduleExpression"))


def _threshold(alarm: Mapping[str, Any]) -> timedelta:
    try:
        return timedelta(seconds=float(str(alarm.get("Threshold"))))
    except (ValueError, OverflowError):  # a reference, for instance
        return timedelta.max


def _metrics(value: object) -> set[str]:
    """The names of all metrics in `value`, an alarm's properties."""
    match value:
        case {"MetricName": str(name)}:
            return {name}
        case dict():
            return {each for part in value.values() for each in _metrics(part)}
        case list():
            return {each for part in value for each in _metrics(part)}
    return set()


def _length(alarm: Mapping[str, Any]) -> timedelta:
    """How long what an alarm watches has to be so until it goes off."""
    periods = [int(each) for each in re.findall(r'"Period": "?(\d+)', json.dumps(alarm))]
    return timedelta(seconds=max(periods, default=0) * int(alarm.get("EvaluationPeriods", 1)))


def _with_what_it_watches(changes: Sequence[Change], gone: Mapping[str, str]) -> dict[str, str]:
    """`gone`, and the alarms that go with what they watch, as parts of the same whole."""
    names = {
        name: gone[change.resource.path]
        for change in changes
        if change.how == "removed" and change.resource.path in gone
        for name in _names(change.resource)
    }
    found = dict(gone)
    for change in changes:
        if change.how == "removed" and change.resource.kind == ALARM:
            watched = _watched(change.resource.properties)
            found.update((change.resource.path, whole) for name, whole in names.items() if name in watched)
    return found


def _names(resource: Resource) -> Iterator[str]:
    """What a dimension calls it by."""
    yield f"{{{resource.path}}}"
    job = job_of(resource.path)
    if resource.path == f"{PATH}{job}/Schedule":  # its alarms go with the job, and not with a part of it
        yield job
    yield from (str(value) for key, value in resource.properties.items() if key in NAMES)


def _watched(value: object) -> set[str]:
    """The values of all dimensions in `value`, an alarm's properties."""
    match value:
        case {"Name": str(), "Value": str(watched)}:
            return {watched}
        case dict():
            return {each for part in value.values() for each in _watched(part)}
        case list():
            return {each for part in value for each in _watched(part)}
    return set()


def _gravest(found: Iterable[Danger], gone: Mapping[str, str]) -> dict[str, str]:
    """What is worst of the parts of each whole: that data is lost, as a queue is in it, or else the first of KINDS."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for each in found:
        if each.resource in gone:
            kinds[gone[each.resource]].add(each.kind)
    return {whole: "data" if "data" in some else min(some, key=KINDS.index) for whole, some in kinds.items()}


def _of_whole(danger: Danger, whole: str, kind: str) -> Danger:
    part = danger.resource.removeprefix(f"{whole}/")
    text = f"{'its ' if part != danger.resource else ''}`{part}` {danger.text}"
    # Of what goes with it, it goes without saying.
    then = danger.then if KINDS.index(danger.kind) <= KINDS.index(kind) else ""
    return replace(danger, kind=kind, resource=whole, code="removed", text=text, then=then)


def _by_proxy(found: Sequence[Danger], whole: str, changes: Sequence[Change]) -> list[Danger]:
    """Return `found`, what comes with the proxy `whole`, or goes, as one decision."""
    moved = {
        change.resource.path
        for change in changes
        for each in change.differences
        if each.place == HOST and f"{{{whole}/" in f"{each.before}{each.after}"
    }
    of_proxy = [
        danger
        for danger in found
        if f"{danger.resource}/".startswith(f"{whole}/")
        or f"{whole}/" in danger.text
        or (danger.code == "other-database" and danger.resource in moved)
    ]
    code = exact("proxy", all_of(of_proxy))
    return as_one(found, of_proxy, Danger(kind="access", resource=whole, code=code, text="", then=THROUGH))


def _by_database(found: Sequence[Danger], path: str) -> list[Danger]:
    """Return `found`, what a database that is another one brings with it as part of its own decision."""
    own = [each for each in found if each.resource == path and each.kind == "data" and each.code in OTHER]
    of_it = [each for each in found if each.code in OF_DATABASE and each.resource != path and _points(each, path)]
    if not own or not of_it:
        return list(found)
    first = max(own, key=lambda each: (len(each.then), each))  # what says what becomes of the data
    return as_one(found, [*own, *of_it], replace(first, code=exact(first.code, all_of(of_it))))


def _points(danger: Danger, path: str) -> bool:
    """Whether the danger is that something points to another database."""
    return f"{{{path}" in danger.text or any(name in danger.text for name in ("DATABASE_NAME", "DATABASE_PORT"))


def all_of(dangers: Iterable[Danger]) -> str:
    """All that `dangers` say, as one text: what the code of their one decision is exact for."""
    return "\n".join(sorted(f"{each.resource}: {each.text}" for each in dangers))


def as_one(found: Sequence[Danger], belongs: Sequence[Danger], decision: Danger) -> list[Danger]:
    """Return `found`, with `belongs` as lines of one `decision`, those that say the same as one line."""
    where: dict[str, list[str]] = defaultdict(list)
    for each in belongs:
        where[each.text].append(each.resource)
    one = [replace(decision, text=_line(text, some, decision.resource)) for text, some in where.items()]
    return [*(each for each in found if each not in belongs), *one]


def _line(text: str, resources: Sequence[str], whole: str) -> str:
    """What changes, after the names of those where it does."""
    names = ", ".join(f"`{each}`" for each in sorted(resources) if each != whole)
    return f"{names}: {text}" if names else text


def _wholes(changes: Sequence[Change], how: str, other: SynthesizedEnvironment) -> dict[str, str]:
    """The whole that each resource that comes or goes is a part of, by its path: the largest that `other` has not."""
    there = {prefix for each in other.resources.values() for prefix in _prefixes(each.path)}
    paths = [each.resource.path for each in changes if each.how == how and "::" in each.resource.kind]
    wholes = {path: next((each for each in _prefixes(path) if each not in there), path) for path in paths}
    parts = Counter(wholes.values())
    return {path: whole for path, whole in wholes.items() if parts[whole] > 1}


def _prefixes(path: str) -> Iterator[str]:
    """The constructs that contain it, without the stack, from the largest on; itself at last."""
    parts = path.split("/")
    yield from ("/".join(parts[:length]) for length in range(2, len(parts) + 1))
