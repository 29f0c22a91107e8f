"""Changes that AWS refuses whatever else is deployed: found here, not by a deploy that fails and can't roll back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from review.changes import Change
from review.danger import Danger
from review.schemas import fixed_name, stateful
from review.templates import SynthesizedEnvironment
from settings.storage import growth_mistake


def refused(changes: Sequence[Change], after: SynthesizedEnvironment) -> Iterator[Danger]:
    """What of `changes` AWS will refuse."""
    for change in changes:
        yield from _growth(change)
        yield from _name(change, after)


def _growth(change: Change) -> Iterator[Danger]:
    if change.resource.kind != "AWS::RDS::DBInstance" or change.how != "changed":
        return
    for each in change.differences:
        stated = each.place == ("AllocatedStorage",) and all(str(it).isdecimal() for it in (each.before, each.after))
        if stated and (why := growth_mistake(int(each.before), int(each.after))):
            yield _refused(change, "storage", each.text, f"AWS will refuse, as {why}")


def _name(change: Change, after: SynthesizedEnvironment) -> Iterator[Danger]:
    """A replacement with a fixed name: CloudFormation makes the new one while the old one has the name."""
    if change.how != "replaced" or change.resource.kind in stateful():  # of these, it is said what becomes of the data
        return
    if name := kept_name(change, after):
        yield _refused(change, "fixed-name", f"would be replaced: {'; '.join(change.because)}", name_refused(name))


def kept_name(change: Change, after: SynthesizedEnvironment) -> str | None:
    """Return the fixed name that a resource has both before and after a change, if there is one."""
    names = {fixed_name(after.region, each.kind, each.properties) for each in (change.before, change.after) if each}
    return names.pop() if len(names) == 1 else None


def name_refused(name: str | None) -> str:
    """Return what becomes of a replacement that has the fixed `name` of what it replaces."""
    return f"CloudFormation will refuse, as it has a fixed name (`{name}`): the deploy would fail"


def _refused(change: Change, code: str, text: str, then: str) -> Danger:
    return Danger(kind="refused", resource=change.resource.path, code=code, text=text, then=then)
