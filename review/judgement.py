"""The dangers of a change, which have to be accepted: data lost or orphaned, access widened, protection taken away.

What AWS will refuse is one of them: what is deployed may differ from the base, so that it is taken after all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from review.access import widened
from review.changes import Change, compare
from review.danger import Danger
from review.protection import lost
from review.refusal import refused
from review.schemas import fixed_name, stateful
from review.templates import Resource, SynthesizedEnvironment

KEEPS = {
    "AWS::Logs::LogGroup": ("RetentionInDays", math.inf),
    "AWS::RDS::DBInstance": ("BackupRetentionPeriod", 1),
    "AWS::SQS::Queue": ("MessageRetentionPeriod", 345_600),
}
"""The property that says how long data is kept, and its default: with a lower value, older data is deleted at once."""
KEPT = ("Retain", "RetainExceptOnCreate")
FATES = {
    "Snapshot": "Only a final snapshot of its data is kept",
    "Delete": "Its data is lost",
    "Retain": "The old one stays with its data, orphaned: no stack manages it",
    "RetainExceptOnCreate": "The old one stays with its data, orphaned: no stack manages it",
}
"""What happens to the data, by policy. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html"""


def dangers(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> list[Danger]:
    """Return the dangers of the change from `before` to `after`, two syntheses of one environment."""
    if (before.account, before.region) != (after.account, after.region):
        return [_moved(before, after)]
    changes = compare(before, after)
    data = {_danger("data", each.resource, text) for each in changes for text in _losses(each, before, after)}
    access = {Danger(kind="access", code="access", resource=path, text=text) for path, text in widened(before, after)}
    protection = {_danger("protection", each.resource, text) for each in changes for text in lost(each)}
    refusals = {_danger("refused", each.resource, text) for each in changes for text in refused(each)}
    return [*sorted(refusals), *sorted(data), *sorted(access), *sorted(protection)]


def _moved(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Danger:
    return Danger(
        kind="data",
        code="moved",
        resource="account",
        text=(
            f"moves from {before.account}, {before.region} to {after.account}, {after.region}. "
            "Everything is created there, empty; what is deployed stays where it is, and keeps running"
        ),
    )


def _danger(kind: str, resource: Resource, text: str) -> Danger:
    return Danger(kind=kind, code=kind, resource=resource.path, text=text)


def left_behind(environment: SynthesizedEnvironment) -> list[Danger]:
    """Return the dangers of an environment that is no longer in the app."""
    if not _holds_data(environment):
        return []
    text = "stays deployed with its data, orphaned: to delete it, run `make destroy` in a checkout of the base"
    return [Danger(kind="data", code="left-behind", resource=environment.name, text=text)]


def _holds_data(environment: SynthesizedEnvironment, stack: str | None = None) -> bool:
    resources = environment.resources.values()
    return any(each.kind in stateful() for each in resources if stack in (None, each.stack))


def _losses(change: Change, before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Iterator[str]:
    resource = change.resource
    if resource.kind == "Stack" and change.how == "removed" and _holds_data(before, resource.stack):
        yield "is no longer in the app. It stays deployed with its data, orphaned: delete it by hand"
    if resource.kind not in stateful():
        return
    if change.how == "removed" and (successor := _successor(resource, before, after)):
        name = _fixed_name(resource, before)
        yield f"would be replaced: `{successor.path}` takes its place. {_refused(name)}"
    elif change.how == "removed" and resource.on_deletion not in KEPT:
        # Also those of a removed job: its dead letters and its log may be the only record of its runs. Whoever removes
        # the job has to accept that.
        yield f"would be deleted. {FATES[resource.on_deletion]}"
    if change.how == "changed" and (less := _kept_for_less(change)):
        yield less
    if change.how == "replaced":
        yield f"would be replaced: {'; '.join(change.because)}. {_fate(change, after)}"
    elif change.perhaps and _kept_name(change, after) is None:
        yield f"may be replaced: {'; '.join(change.perhaps)}. {_fate(change, after)}"


def _kept_for_less(change: Change) -> str | None:
    name, default = KEEPS.get(change.resource.kind, ("", 0))
    for each in change.differences:
        if each.place == (name,) and float(each.after or default) < float(each.before or default):
            return f"keeps less: {each.text}. What is older is deleted"
    return None


def _fate(change: Change, after: SynthesizedEnvironment) -> str:
    if name := _kept_name(change, after):
        return _refused(name)
    return FATES[change.resource.on_replacement]


def _refused(name: str | None) -> str:
    return f"CloudFormation will refuse, as it has a fixed name (`{name}`): the deploy would fail"


def _successor(resource: Resource, before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Resource | None:
    """Return the resource with the same fixed name in `after`: it would be created while the old one exists."""
    name = _fixed_name(resource, before)
    same = (each for each in after.resources.values() if each.kind == resource.kind)
    return next((each for each in same if name is not None and _fixed_name(each, after) == name), None)


def _fixed_name(resource: Resource, environment: SynthesizedEnvironment) -> str | None:
    return fixed_name(environment.region, resource.kind, resource.properties)


def _kept_name(change: Change, environment: SynthesizedEnvironment) -> str | None:
    """Return the fixed name that the resource has both before and after, if there is one."""
    names = [_fixed_name(each, environment) for each in (change.before, change.after) if each]
    return names[0] if len(set(names)) == 1 else None
