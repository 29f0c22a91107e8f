"""What of a change somebody has to say yes to: data that is lost or left behind, access that is widened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from review.access import widened
from review.changes import Change, compare
from review.schemas import fixed_name, stateful
from review.templates import Environment, Resource

KEPT = ("Retain", "RetainExceptOnCreate")
FATES = {
    "Snapshot": "A last snapshot is all that stays of its data",
    "Delete": "Its data is lost",
    "Retain": "The old one stays, with its data, and nothing manages it any more",
    "RetainExceptOnCreate": "The old one stays, with its data, and nothing manages it any more",
}
"""By policy. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html"""


@dataclass(frozen=True, kw_only=True, order=True)
class Danger:
    """One reason to look twice."""

    kind: str
    """"data" or "access"."""
    resource: str
    """The path that an accept_change in the environment file names."""
    text: str


def dangers(before: Environment, after: Environment) -> list[Danger]:
    """Of the step from `before` to `after`, two syntheses of one environment."""
    if (before.account, before.region) != (after.account, after.region):
        return [_moved(before, after)]
    data = [_danger(change.resource, text) for change in compare(before, after) for text in _losses(change, after)]
    access = [Danger(kind="access", resource=path, text=text) for path, text in widened(before, after)]
    return sorted(set(data)) + sorted(set(access))


def _moved(before: Environment, after: Environment) -> Danger:
    return Danger(
        kind="data",
        resource="account",
        text=(
            f"moves from {before.account}, {before.region} to {after.account}, {after.region}. "
            "Everything is made anew there, and empty; what is deployed stays where it is, and goes on running"
        ),
    )


def _danger(resource: Resource, text: str) -> Danger:
    return Danger(kind="data", resource=resource.path, text=text)


def _losses(change: Change, after: Environment) -> Iterator[str]:
    resource = change.resource
    if resource.kind not in stateful():
        return
    if change.how == "removed" and resource.on_deletion not in KEPT:
        yield f"would be deleted. {FATES[resource.on_deletion]}"
    if change.how == "replaced":
        yield f"would be replaced: {'; '.join(change.because)}. {_fate(change, after)}"
    elif change.perhaps and _kept_name(change, after) is None:
        yield f"may be replaced: {'; '.join(change.perhaps)}. {_fate(change, after)}"


def _fate(change: Change, after: Environment) -> str:
    if name := _kept_name(change, after):
        return f"CloudFormation will refuse, as it has a fixed name (`{name}`): the deploy would fail"
    return FATES[change.resource.on_replacement]


def _kept_name(change: Change, environment: Environment) -> str | None:
    """The fixed name that the resource has, before and after."""
    names = [
        fixed_name(environment.region, each.kind, each.properties) for each in (change.before, change.after) if each
    ]
    return names[0] if len(set(names)) == 1 else None
