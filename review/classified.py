"""The dangers of changes by what is known of resource types: of what comes, goes, is replaced or gets another value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from review.changes import Change
from review.classification import BY_ACCESS, Known, Rule, Type, applies, applies_to_new, fits, known_type, unreadable
from review.danger import Danger, exact
from review.difference import Difference, differences
from review.jobs_stacks import job_of, part_of
from review.new_jobs import as_of
from review.schemas import stateful
from review.templates import Resource, SynthesizedEnvironment, at, listed

BY_DATA = (("DeletionPolicy",), ("UpdateReplacePolicy",))
"""Judged by what becomes of data: review/losses.py."""
OWN_CHOICE = ("less-memory", "less-time", "later", "login", "retries")
"""What each job chooses for itself, or is judged as access: which user it is."""
ENOUGH = 50
"""So many of the jobs that are there say what a job is like."""
SHOWN = Rule(
    kind="access", danger="secret-shown", then="The secret stands where whoever may describe the resource reads it"
)


def classified(
    changes: Sequence[Change], before: SynthesizedEnvironment, after: SynthesizedEnvironment
) -> Iterator[Danger]:
    """The dangers of `changes`, from `before` to `after`."""
    siblings = Siblings(before)
    for change in changes:
        for rule, text in _asked(change, after, siblings):
            if rule is None:
                yield _unclassified(change.resource, text)
            elif fits(rule, change.resource, after, before):
                yield _danger(change.resource, rule, text)


def _asked(change: Change, after: SynthesizedEnvironment, siblings: Siblings) -> Iterator[tuple[Rule | None, str]]:
    """What needs a yes, with the rule that says so; None: nobody has classified it."""
    known = known_type(change.resource.kind)
    match change.how:
        case "added" if like := siblings.of(change.resource):
            yield from min(([*_unlike(change.resource, each, known)] for each in like), key=len)
        case "added":
            yield from _event(change, known, "created", "is new")
            if known.events:  # else nobody knows its type, and that is said
                yield from _of_new(change.resource, known)
        case "removed":
            if change.resource.kind not in stateful():
                yield from _event(change, known, "removed", "would be removed")
        case "replaced":
            yield from _event(change, known, "replaced", f"would be replaced: {'; '.join(change.because)}")
            yield from _of_differences(change, known, after)
        case "changed":
            yield from _of_differences(change, known, after)


def _event(change: Change, known: Type, event: str, text: str) -> Iterator[tuple[Rule | None, str]]:
    if event not in known.events:
        yield None, f"{text}, and nobody has classified `{change.resource.kind}`"
    for rule in _rules(known.events.get(event)):
        yield rule, text


def _of_new(resource: Resource, known: Type) -> Iterator[tuple[Rule | None, str]]:
    """A new resource is judged like one that is changed to what it is."""
    for each in differences({}, dict(resource.properties)):
        rules = known.of(each.place)
        yield from _unknown(each, rules)
        for rule in _rules(rules):
            if applies_to_new(rule, each.after):
                yield rule, each.text
    for place, unsaid in known.properties.items():
        for rule in _rules(unsaid) if at(resource, *place) is None else ():
            if applies_to_new(rule, None):
                yield rule, f"has no `{'.'.join(place)}`"


def _of_differences(change: Change, known: Type, after: SynthesizedEnvironment) -> Iterator[tuple[Rule | None, str]]:
    for each in change.differences:
        gone = each.place == ("DependsOn",) and not after.has(*listed(each.before or []))  # nobody can wait for that
        if gone or each.place[:1] in BY_DATA:
            continue
        rules = known.of(each.place)
        yield from _unknown(each, rules)
        for rule in _rules(rules) if not each.order_only else ():
            if applies(rule, each):
                yield rule, each.text


def _unlike(resource: Resource, like: Resource, known: Type) -> Iterator[tuple[Rule | None, str]]:
    """What needs a yes of a new job's resource, as an old job has another: of the same kind, with its own names."""
    for each in differences(dict(like.properties), dict(resource.properties)):
        rules = known.of(each.place)
        yield from _unknown(each, rules)
        for rule in _rules(rules):
            directed = rule.lower or rule.higher or rule.danger in OWN_CHOICE
            if not directed and not only_retried(each) and applies(rule, each):
                yield rule, each.text.replace("changes", "differs from other jobs':", 1)


def _unknown(difference: Difference, known: Known | None) -> Iterator[tuple[Rule | None, str]]:
    """What of a value nobody can know here."""
    if known is None:
        yield None, f"{difference.text}, and nobody has classified it"
    elif known == BY_ACCESS and unreadable(difference.after):
        yield None, f"{difference.text}: what it gives access to is known at the deploy only"
    elif "{{resolve:secretsmanager" in str(difference.after) or "{{resolve:ssm-secure" in str(difference.after):
        yield SHOWN, difference.text


def only_retried(difference: Difference) -> bool:
    """Whether nothing of a rule's targets changes but how long it tries, as each job chooses for itself."""
    one, other = (_without_retries(targets) for targets in (difference.before, difference.after))
    return difference.place == ("Targets",) and one == other


def _without_retries(targets: Any) -> list[Any]:
    return [{**each, "RetryPolicy": None} if isinstance(each, Mapping) else each for each in listed(targets)]


class Siblings:
    """The same resources of other jobs, as a new job's are expected to be."""

    def __init__(self, before: SynthesizedEnvironment) -> None:
        """Take the jobs in `before` as those that are there."""
        self._old = {job for each in before.resources.values() if (job := job_of(each.path))}
        self._by_part: dict[tuple[str, str], list[tuple[str, Resource]]] = defaultdict(list)
        for each in before.resources.values():
            if job := job_of(each.path):
                self._by_part[part_of(each.path), each.kind].append((job, each))

    def of(self, resource: Resource) -> list[Resource]:
        """Those of old jobs, with the names of the new one; none, if it is not of a new job."""
        job = job_of(resource.path)
        if not job or job in self._old:
            return []
        alike = self._by_part[part_of(resource.path), resource.kind][:ENOUGH]
        return [as_of(each, old, job, stack=resource.stack) for old, each in alike]


def _rules(known: Known | None) -> tuple[Rule, ...]:
    return known if isinstance(known, tuple) else ()


def _danger(resource: Resource, rule: Rule, text: str) -> Danger:
    return Danger(kind=rule.kind, resource=resource.path, code=rule.danger, text=text, then=rule.then)


def _unclassified(resource: Resource, text: str) -> Danger:
    return Danger(
        kind="unclassified",
        resource=resource.path,
        code=exact("unclassified", text),
        text=text,
        then="Nobody here knows: read AWS's documentation, and write what is harmless into review/classes/",
    )
