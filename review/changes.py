"""The changes between two syntheses of an environment, per resource, and which make CloudFormation replace it.

Ignored: metadata, a reference that means the same resource as before, a value that means the same to CloudFormation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from review.classification import known_type
from review.difference import Difference, differences
from review.schemas import schema
from review.templates import Resource, SynthesizedEnvironment

Key = tuple[str, str, str]
"""Stack, logical id and type: a resource never changes its type."""


CODE = ("Code", "S3Key")
"""Where a function says what its code is."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The change of one resource."""

    how: Literal["added", "removed", "changed", "replaced"]
    before: Resource | None
    after: Resource | None
    differences: tuple[Difference, ...] = ()
    because: tuple[str, ...] = ()
    """Why it is replaced."""
    perhaps: tuple[str, ...] = ()
    """Why it may be replaced, under conditions that no schema states."""

    @property
    def resource(self) -> Resource:
        """The resource after the change, or before it was removed."""
        found = self.after or self.before
        assert found is not None  # noqa: S101 - either is given
        return found

    @property
    def code_only(self) -> bool:
        """Whether nothing but the code of a function differs."""
        return bool(self.differences) and all(each.place == CODE for each in self.differences)


def compare(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> list[Change]:
    """The changes from `before` to `after`, in the order of the paths.

    A stack that is no longer in the app is one change, without its resources: it stays deployed.
    """
    old, new = _by_key(before, after.stacks), _by_key(after, after.stacks)
    changes = [*_changed(old, new, after.region), *_come_and_gone(old, new)]
    return sorted(_spread(changes, old, new, after.region), key=lambda change: (change.resource.path, change.how))


def _by_key(environment: SynthesizedEnvironment, stacks: set[str]) -> dict[Key, Resource]:
    resources = environment.resources.values()
    return {_key(each): each for each in resources if each.stack in stacks or each.kind == "Stack"}


def _key(resource: Resource) -> Key:
    return resource.stack, resource.logical_id, resource.kind


def _changed(old: Mapping[Key, Resource], new: Mapping[Key, Resource], region: str) -> Iterator[Change]:
    for key in old.keys() & new.keys():
        before, after = old[key], new[key]
        if differences := tuple(_differences(before, after)):
            rules = schema(region, after.kind)
            because = tuple(each.text for each in differences if rules.replaces(each.place))
            perhaps = tuple(each.text for each in differences if rules.may_replace(each.place))
            yield Change(
                how="replaced" if because else "changed",
                before=before,
                after=after,
                differences=differences,
                because=because,
                perhaps=perhaps,
            )


def _come_and_gone(old: Mapping[Key, Resource], new: Mapping[Key, Resource]) -> Iterator[Change]:
    gone = {(old[key].path, old[key].kind): old[key] for key in old.keys() - new.keys()}
    come = {(new[key].path, new[key].kind): new[key] for key in new.keys() - old.keys()}
    for place in gone.keys() | come.keys():
        before, after = gone.get(place), come.get(place)
        if before and after:
            because = (f"its logical id changes from `{before.logical_id}` to `{after.logical_id}`",)
            differences = tuple(_differences(before, after))
            yield Change(how="replaced", before=before, after=after, differences=differences, because=because)
        else:
            yield Change(how="added" if after else "removed", before=before, after=after)


def _spread(
    changes: Iterable[Change],
    old: Mapping[Key, Resource],
    new: Mapping[Key, Resource],
    region: str,
) -> list[Change]:
    """Return the changes, and the replacements that follow from them.

    A resource is replaced, too, if it refers to a replaced one in a property that can't be changed.
    """
    found = {_key(change.resource): change for change in changes}
    replaced = [change.resource.path for change in found.values() if change.how == "replaced"]
    while replaced:
        path = replaced.pop()
        refers = re.compile(rf"\{{{re.escape(path)}[.}}]")
        for key in old.keys() & new.keys():
            resource = new[key]
            change = found.get(key, Change(how="changed", before=old[key], after=resource))
            if change.how == "replaced":
                continue
            fixed = [place for place in schema(region, resource.kind).fixed if place[0] in resource.properties]
            places = [place for place in fixed if refers.search(json.dumps(resource.properties[place[0]]))]
            if places:
                because = (f"its `{sorted(places)[0][0]}` is of `{path}`, which is replaced",)
                found[key] = replace(change, how="replaced", because=because)
                replaced.append(resource.path)
    return list(found.values())


def _differences(before: Resource, after: Resource) -> Iterator[Difference]:
    yield from differences(_properties(before), _properties(after))
    yield from differences(_attributes(before), _attributes(after))


def _properties(resource: Resource) -> dict[str, Any]:
    """Its properties, with the defaults that are known; one in braces is another property's value."""
    defaults = {
        key: resource.properties.get(str(value).strip("{}")) if str(value).startswith("{") else value
        for key, value in known_type(resource.kind).defaults.items()
    }
    return {**{key: value for key, value in defaults.items() if value is not None}, **resource.properties}


def _attributes(resource: Resource) -> dict[str, Any]:
    policies = {"UpdateReplacePolicy": resource.on_replacement, "DeletionPolicy": resource.on_deletion}
    return {**resource.attributes, **policies}
