"""The dangers of changes by what is known of resource types: of what comes, goes, is replaced or gets another value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from review.changes import Change
from review.classification import Known, Rule, Type, applies, applies_to_new, fits, known_type
from review.danger import Danger, exact
from review.difference import differences
from review.schemas import stateful
from review.templates import Resource, SynthesizedEnvironment, at, listed

BY_DATA = ("DeletionPolicy", "UpdateReplacePolicy")
"""Judged by what becomes of data: review/losses.py."""


def classified(changes: Sequence[Change], after: SynthesizedEnvironment) -> Iterator[Danger]:
    """The dangers of `changes`, after which the environment is `after`."""
    for change in changes:
        for rule, text in _asked(change, after):
            if rule is None:
                yield _unclassified(change.resource, text)
            elif fits(rule, change.resource, after):
                yield _danger(change.resource, rule, text)


def _asked(change: Change, after: SynthesizedEnvironment) -> Iterator[tuple[Rule | None, str]]:
    """What needs a yes, with the rule that says so; None: nobody has classified it."""
    known = known_type(change.resource.kind)
    match change.how:
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
        if rules is None:
            yield None, f"{each.text}, and nobody has classified it"
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
        if gone or each.place[0] in BY_DATA:
            continue
        rules = known.of(each.place)
        if rules is None:
            yield None, f"{each.text}, and nobody has classified it"
        for rule in _rules(rules) if not each.order_only else ():
            if applies(rule, each):
                yield rule, each.text


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
