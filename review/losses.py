"""What a change does to data: what is deleted, replaced, kept for less, or left where no stack manages it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from review.changes import Change
from review.danger import Danger
from review.refusal import kept_name, name_refused
from review.schemas import fixed_name, stateful
from review.templates import Resource, SynthesizedEnvironment

FATES = {
    "Delete": "Its data is lost",
    "Snapshot": "Only a final snapshot of its data is kept",
    "RetainExceptOnCreate": "It stays with its data, orphaned: no stack manages it",
    "Retain": "It stays with its data, orphaned: no stack manages it",
}
"""What happens to the data, by policy, from the one that keeps least to the one that keeps most.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html"""


def losses(
    changes: Sequence[Change], before: SynthesizedEnvironment, after: SynthesizedEnvironment
) -> Iterator[Danger]:
    """The dangers of `changes` to data."""
    for change in changes:
        if change.resource.kind == "Stack" and change.how == "removed":
            yield from _left_behind(change.resource, before)
        if change.resource.kind in stateful():
            yield from _removed(change, before, after)
            yield from _replaced(change, after)
            yield from _policies(change)


def _left_behind(stack: Resource, before: SynthesizedEnvironment) -> Iterator[Danger]:
    if any(each.kind in stateful() for each in before.resources.values() if each.stack == stack.stack):
        text = "is no longer in the app. It stays deployed with its data, orphaned: delete it by hand"
        yield Danger(kind="data", resource=stack.path, code="left-behind", text=text)


def _removed(change: Change, before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Iterator[Danger]:
    if change.how != "removed":
        return
    if successor := _successor(change.resource, before, after):
        text = f"would be replaced: `{successor.path}` takes its place"
        then = name_refused(_fixed_name(change.resource, before))
        yield Danger(kind="data", resource=change.resource.path, code="replaced", text=text, then=then)
    else:
        # Also those of a removed job: its dead letters and its log may be the only record of its runs.
        yield _loss(change, "deleted", "would be deleted", _fate(change.resource.on_deletion))


def _replaced(change: Change, after: SynthesizedEnvironment) -> Iterator[Danger]:
    kept = kept_name(change, after)
    fate = name_refused(kept) if kept else _fate(change.resource.on_replacement)
    if change.how == "replaced":
        yield _loss(change, "replaced", f"would be replaced: {'; '.join(change.because)}", fate)
    elif change.perhaps and not kept:
        yield _loss(change, "perhaps-replaced", f"may be replaced: {'; '.join(change.perhaps)}", fate)


def _policies(change: Change) -> Iterator[Danger]:
    for each in change.differences:
        if each.place[0] in ("DeletionPolicy", "UpdateReplacePolicy") and _rank(each.after) < _rank(each.before):
            event = "deletion" if each.place[0] == "DeletionPolicy" else "replacement"
            fate = _fate(str(each.after))
            then = f"At a {event}: {fate[0].lower()}{fate[1:]}"
            yield Danger(
                kind="protection", resource=change.resource.path, code=f"{event}-policy", text=each.text, then=then
            )


def _rank(policy: str) -> int:
    return list(FATES).index(policy) if policy in FATES else -1


def _fate(policy: str) -> str:
    return FATES.get(policy, "What becomes of its data is known at the deploy only")


def _loss(change: Change, code: str, text: str, then: str) -> Danger:
    return Danger(kind="data", resource=change.resource.path, code=code, text=text, then=then)


def _successor(resource: Resource, before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Resource | None:
    """Return the resource with the same fixed name in `after`: it would be created while the old one exists."""
    name = _fixed_name(resource, before)
    same = (each for each in after.resources.values() if each.kind == resource.kind)
    return next((each for each in same if name is not None and _fixed_name(each, after) == name), None)


def _fixed_name(resource: Resource, environment: SynthesizedEnvironment) -> str | None:
    return fixed_name(environment.region, resource.kind, resource.properties)
