"""What of a change is one decision: a part that goes as a whole, like a job, and a proxy that comes or goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from review.changes import Change
from review.danger import Danger, exact
from review.new_jobs import job_of
from review.templates import Resource, SynthesizedEnvironment

ALARM = "AWS::CloudWatch::Alarm"
NAMES = ("DBInstanceIdentifier", "DBProxyName", "FunctionName", "QueueName")
"""Properties that a dimension of a metric has the value of."""
PROXY = "AWS::RDS::DBProxy"
HOST = ("Environment", "Variables", "DATABASE_HOST")
FOLLOWS = ("retries",)
"""Dangers that are none where the schedule changes: how long a run is tried again follows from it."""


def decided(
    found: Iterable[Danger],
    changes: Sequence[Change],
    before: SynthesizedEnvironment,
    after: SynthesizedEnvironment,
) -> Iterator[Danger]:
    """Return `found`, those that are one decision with one resource and one code."""
    gone = _with_what_it_watches(changes, _wholes(changes, "removed", after))
    scheduled = _scheduled(changes)
    rest = []
    for danger in found:
        if danger.code in FOLLOWS and danger.resource.startswith(scheduled):
            continue
        rest.append(_of_whole(danger, gone[danger.resource]) if danger.resource in gone else danger)
    wholes = {**_wholes(changes, "added", before), **gone}
    for change in changes:
        if change.resource.kind == PROXY and change.resource.path in wholes:
            rest = _by_proxy(rest, wholes[change.resource.path], changes)
    yield from rest


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
    if job := job_of(resource.path):
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


def _of_whole(danger: Danger, whole: str) -> Danger:
    part = danger.resource.removeprefix(f"{whole}/")
    text = f"{'its ' if part != danger.resource else ''}`{part}` {danger.text}"
    return replace(danger, kind="data", resource=whole, code="removed", text=text)


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
    where: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in of_proxy:
        where[each.text, each.then].append(each.resource)
    code = exact("proxy", "\n".join(f"{text} {sorted(some)}" for (text, _), some in sorted(where.items())))
    one = [
        Danger(kind="access", resource=whole, code=code, text=_line(text, some, whole), then=then)
        for (text, then), some in where.items()
    ]
    return [*(each for each in found if each not in of_proxy), *one]


def _line(text: str, resources: Sequence[str], whole: str) -> str:
    """What changes, after the names of those where it does."""
    names = ", ".join(f"`{each}`" for each in sorted(resources) if each != whole)
    return f"{names}: {text}" if names else text


def _scheduled(changes: Sequence[Change]) -> tuple[str, ...]:
    """The jobs whose schedule changes, each as the beginning of its paths."""
    return tuple(
        f"{change.resource.path.rpartition('/')[0]}/"
        for change in changes
        if change.resource.kind == "AWS::Scheduler::Schedule"
        and any(each.place == ("ScheduleExpression",) for each in change.differences)
    )


def _wholes(changes: Sequence[Change], how: str, other: SynthesizedEnvironment) -> dict[str, str]:
    """The whole that each resource that comes or goes is a part of, by its path: the largest that `other` has not."""
    there = {prefix for each in other.resources.values() for prefix in _prefixes(each.path)}
    paths = [each.resource.path for each in changes if each.how == how and "::" in each.resource.kind]
    wholes = {path: next((each for each in _prefixes(path) if each not in there), path) for path in paths}
    return {path: whole for path, whole in wholes.items() if list(wholes.values()).count(whole) > 1}


def _prefixes(path: str) -> Iterator[str]:
    """The constructs that contain it, without the stack, from the largest on; itself at last."""
    parts = path.split("/")
    yield from ("/".join(parts[:length]) for length in range(2, len(parts) + 1))
