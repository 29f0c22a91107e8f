"""What is known of resource types: which of their changes are harmless, and why, and which need a yes.

The knowledge is data, in review/classes/: one table for each type. A property has a reason, a text, for which its
changes are harmless; or one or more rules, that say which of its changes need a yes. What has neither is
*unclassified*, and needs a yes like a danger. The same is said of a resource that comes (`created`), goes (`removed`)
or is replaced (`replaced`). The property "*" is all others of its type, or of what contains it, and the type "*" what
every resource has.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from review.difference import Difference, Place
from review.templates import REFERENCE, Resource, SynthesizedEnvironment, listed
from settings import instance_class

CLASSES = Path(__file__).parent / "classes"
BY_ACCESS = "judged by the access that it gives"
"""The reason of what review/access.py compares."""
UNREADABLE = ('"Fn::Select"', '"Fn::FindInMap"', '"Fn::ImportValue"', '"Fn::Transform"', "{{resolve:", '"Fn::Split"')
EVENTS = ("created", "removed", "replaced")
ANY = "*"
NONE = "none"
"""The property is missing."""


class Rule(BaseModel):
    """Which changes of a property need a yes; more than one may be said, and any of them is enough."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    danger: str
    """The danger's code."""
    kind: str = "protection"
    then: str
    """What happens if somebody says yes."""

    changes: bool = False
    """Any change."""
    alters: bool = False
    """It had a value, and has another or none."""
    lower: bool = False
    higher: bool = False
    """It becomes less, or more, as numbers or versions compare."""
    default: float | None = None
    """What counts where the property is missing."""
    parts: int | None = None
    """So many numbers of a version are compared."""
    loses: bool = False
    gains: bool = False
    """It has a value, or a list an element, no longer or newly."""
    narrows: bool = False
    """It is said where nothing was, which meant everything."""

    off: tuple[str, ...] = ()
    """It becomes one of these values, in small letters, and was another."""
    unless: tuple[str, ...] = ()
    """It becomes any value but these."""
    like: str | None = None
    """It becomes a text that matches this pattern."""
    unlike: str | None = None
    """It becomes a text that does not match this regular expression."""
    foreign: bool = False
    """It becomes the name of something that is not of AWS."""
    elsewhere: bool = False
    """It becomes, or gets, the ARN of something in another account."""

    except_from: tuple[str, ...] = ()
    """But not if it was one of these."""
    where: Mapping[str, str] = {}
    """Only where another property matches a pattern."""
    except_where: Mapping[str, str] = {}
    """But not where another property does."""
    mentioned: str | None = None
    """Only where a policy of the environment mentions this."""
    held: bool = False
    """Only where another stack, which is deployed later, had something in what goes."""
    shared: bool = False
    """Only where an alarm watches the same metric, or another resource of the type makes it."""

    new: bool = True
    """Whether a new resource is asked about for it, by what the property is: a change or a gain counts for access."""
    needed: bool = False
    """A new resource without it needs a yes."""


Known = str | tuple[Rule, ...]
"""A reason for which it is harmless, or rules."""


class ClassificationError(Exception):
    """A file in review/classes/ is wrong; the message says where."""


class Type(BaseModel):
    """What is known of one resource type."""

    model_config = ConfigDict(frozen=True)

    events: Mapping[str, Known]
    properties: Mapping[Place, Known]
    fixed: tuple[str, ...] = ()
    """Properties that can't be changed, of which the type's schema doesn't say so."""
    defaults: Mapping[str, Any] = {}
    """What a property is where it is not said, if to say it changes nothing."""

    def of(self, place: Place) -> Known | None:
        """What is known of the property at `place`, of all others beside it, or of what contains it; None: nothing."""
        for length in range(len(place), 0, -1):
            for each in (place[:length], (*place[: length - 1], ANY)):
                if (known := self.properties.get(each)) is not None:
                    return known
        return None


UNKNOWN = Type(events={}, properties={})


@cache
def classification() -> Mapping[str, Type]:
    """What is known, by resource type.

    Raises:
        ClassificationError: a file is wrong.
    """
    found: dict[str, Type] = {}
    for file in sorted(CLASSES.glob("*.toml")):
        for kind, table in tomllib.loads(file.read_text()).items():
            if kind in found:
                raise ClassificationError(f"{file.name}: {kind} is in another file, too")
            found[kind] = _type(table)
    everything = found.pop(ANY).properties
    for kind, each in found.items():
        found[kind] = each.model_copy(update={"properties": {**everything, **each.properties}})
    return found


def known_type(kind: str) -> Type:
    """What is known of the resource type `kind`; of an unknown one, nothing."""
    return classification().get(kind, UNKNOWN)


def _type(table: Mapping[str, Any]) -> Type:
    events = {event: _known(table[event]) for event in EVENTS if event in table}
    rest = {key: value for key, value in table.items() if key not in (*EVENTS, "fixed", "defaults")}
    said = {key: table[key] for key in ("fixed", "defaults") if key in table}
    return Type(events=events, properties=dict(_properties((), rest)), **said)


def _properties(place: Place, table: Mapping[str, Any]) -> Iterator[tuple[Place, Known]]:
    for key, value in table.items():
        if isinstance(value, dict) and "then" not in value:
            yield from _properties((*place, key), value)
        else:
            yield (*place, key), _known(value)


def _known(value: Any) -> Known:
    if isinstance(value, str):
        return value
    rules = value if isinstance(value, list) else [value]
    return tuple(Rule.model_validate(each) for each in rules)


def fits(rule: Rule, resource: Resource, environment: SynthesizedEnvironment, before: SynthesizedEnvironment) -> bool:
    """Whether the rule is for resources like this one, in this environment, which was as `before`."""
    if rule.held and not _held(resource, before):
        return False
    if rule.mentioned is not None and rule.mentioned not in environment.policies:
        return False
    if rule.shared and not _shared(resource, environment):
        return False
    if rule.except_where and _matches(resource, rule.except_where):
        return False
    return _matches(resource, rule.where)


def _matches(resource: Resource, patterns: Mapping[str, str]) -> bool:
    return all(fnmatchcase(str(resource.properties.get(key)), pattern) for key, pattern in patterns.items())


def _held(resource: Resource, before: SynthesizedEnvironment) -> bool:
    others = (each for each in before.resources.values() if each.stack != resource.stack)
    return any(resource in before.meant(dict(each.properties)) for each in others)


def _shared(resource: Resource, environment: SynthesizedEnvironment) -> bool:
    others = [each for each in environment.of(resource.kind) if each.path != resource.path]
    watched = {metric for alarm in environment.of("AWS::CloudWatch::Alarm") for metric in _watched(alarm.properties)}
    return bool(_metrics([resource]) & (_metrics(others) | watched))


def _watched(value: Any) -> Iterator[tuple[str, str]]:
    """Namespace and name of each metric in `value`, an alarm's properties."""
    match value:
        case {"Namespace": namespace, "MetricName": name}:
            yield str(namespace), str(name)
        case dict():
            for part in value.values():
                yield from _watched(part)
        case list():
            for part in value:
                yield from _watched(part)


def _metrics(filters: Iterable[Resource]) -> set[tuple[str, str]]:
    return {
        (str(each.get("MetricNamespace")), str(each.get("MetricName")))
        for some in filters
        for each in listed(some.properties.get("MetricTransformations", []))
        if isinstance(each, Mapping)
    }


def applies(rule: Rule, difference: Difference) -> bool:
    """Whether a change of a property needs the rule's yes."""
    before, after = difference.before, difference.after
    directed = rule.off or rule.unless or rule.lower or rule.higher
    return _text(before) not in rule.except_from and bool(
        rule.changes
        or (rule.alters and before is not None)
        or (directed and _undecided(after))
        or (_text(after) in rule.off and _text(before) not in rule.off)
        or (rule.lower and (_compared(rule, after, before) or _pinned(after, before)))
        or (rule.higher and _compared(rule, before, after))
        or (rule.loses and _lost(rule, difference))
        or (rule.gains and after is not None and (before is None or isinstance(after, list)))
        or (rule.narrows and before is None and not difference.elements)
        or _is_wrong(rule, after)
    )


def applies_to_new(rule: Rule, value: Any) -> bool:
    """Whether a new resource needs the rule's yes, as its property has this value; None: it has none."""
    if not rule.new:
        return False
    if value is None:
        return rule.needed or NONE in rule.off
    return bool(
        _text(value) in rule.off
        or (rule.off and _undecided(value))
        or (rule.kind == "access" and (rule.changes or rule.gains))
        or _is_wrong(rule, value)
    )


def _is_wrong(rule: Rule, value: Any) -> bool:
    """Whether the value itself needs the rule's yes, whatever it was before."""
    return bool(
        (rule.unless and _text(value) not in [each.lower() for each in rule.unless])
        or (rule.like and fnmatchcase(str(value), rule.like))
        or (rule.unlike and not re.fullmatch(rule.unlike, str(value)))
        or (rule.foreign and _foreign(value))
        or (rule.elsewhere and _elsewhere(value))
    )


def _lost(rule: Rule, difference: Difference) -> bool:
    if difference.before is None or (rule.narrows and not difference.elements):  # unsaid, it means everything
        return False
    return difference.after is None or isinstance(difference.before, list)


def unreadable(value: Any) -> bool:
    """Whether what the value gives access to is known at the deploy only."""
    text = json.dumps(value)
    written = isinstance(value, str) and "tatement" in text  # a policy as a text
    return any(sign in text for sign in UNREADABLE) or (written and not _json(value)) or _no_statement(value)


def _no_statement(value: Any) -> bool:
    """Whether something stands where statements do that is none."""
    return isinstance(value, list) and any(isinstance(each, dict) and "effect" in each for each in value)


def _json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except json.JSONDecodeError:
        return False


def _elsewhere(value: Any) -> bool:
    return any(":<account>:" not in arn for arn in re.findall(r"arn:[^\s\"']+", json.dumps(value)))


def _text(value: Any) -> str:
    return NONE if value is None else str(value).lower()


def _undecided(value: Any) -> bool:
    """Whether the value is known at the deploy only: of a parameter, or behind a condition."""
    if isinstance(value, dict):
        return any(key.startswith("Fn::") for key in value)
    return isinstance(value, str) and REFERENCE.search(value) is not None


def _compared(rule: Rule, one: Any, other: Any) -> bool:
    """Whether `one` is less than `other`; what can't be compared is less."""
    first, second = (_numbers(rule.default if each is None else each, rule.parts) for each in (one, other))
    return first is None or second is None or first[0] != second[0] or first[1] < second[1]


def _pinned(after: Any, before: Any) -> bool:
    """Whether a version is said more precisely: what runs may be a later one, as AWS upgrades by itself."""
    return isinstance(after, str) and isinstance(before, str) and after.startswith(f"{before}.")


def _numbers(value: Any, parts: int | None) -> tuple[str, list[float]] | None:
    """A number or a version like python3.14, as the text before it and its numbers."""
    if isinstance(value, float | int):
        return "", [float(value)]
    if (name := str(value).removeprefix("db.")) in instance_class.CLASSES:
        found = instance_class.CLASSES[name]
        return "db", [found.memory_gb, found.vcpus, not found.burstable]
    match = re.fullmatch(r"(\D*)(\d+(?:\.\d+)*)\D*", str(value))
    return match and (match[1], [float(each) for each in match[2].split(".")[:parts]])


def _foreign(value: Any) -> bool:
    """Whether it is no service of AWS's own; those that others offer are com.amazonaws.vpce.<region>.vpce-svc-…"""
    return ".vpce." in str(value) or not str(value).startswith(("com.amazonaws.", "cn.com.amazonaws."))
