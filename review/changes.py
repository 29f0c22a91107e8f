"""The changes between two syntheses of an environment, per resource, and which make CloudFormation replace it.

Ignored: metadata, the order of creation (DependsOn), a reference that means the same resource as before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from review.schemas import Place, schema
from review.templates import Resource, SynthesizedEnvironment

Key = tuple[str, str, str]
"""Stack, logical id and type: a resource never changes its type."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A property that differs; None is a missing value."""

    place: Place
    before: Any
    after: Any

    @property
    def text(self) -> str:
        """The difference in words; of two long values, the parts that differ."""
        return f"`{'.'.join(self.place)}` changes {_from_to(self.before, self.after)}"


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
        return bool(self.differences) and all(each.place[-1] == "S3Key" for each in self.differences)


def compare(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> list[Change]:
    """The changes from `before` to `after`, in the order of the paths.

    A stack that only one of them has is one change, without its resources: a stack that is no longer in the app stays
    deployed.
    """
    shared = before.stacks & after.stacks
    old, new = _by_key(before, shared), _by_key(after, shared)
    changes = [*_changed(old, new, after.region), *_come_and_gone(old, new)]
    return sorted(_spread(changes, old, new, after.region), key=lambda change: (change.resource.path, change.how))


def _by_key(environment: SynthesizedEnvironment, shared: set[str]) -> dict[Key, Resource]:
    resources = environment.resources.values()
    return {_key(each): each for each in resources if each.stack in shared or each.kind == "Stack"}


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
    yield from _within((), dict(before.properties), dict(after.properties))
    for name, one, other in (
        ("UpdateReplacePolicy", before.on_replacement, after.on_replacement),
        ("DeletionPolicy", before.on_deletion, after.on_deletion),
    ):
        if one != other:
            yield Difference(place=(name,), before=one, after=other)


def _within(place: Place, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _within((*place, key), before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list):
        if before != after:
            gone = [each for each in before if each not in after]
            come = [each for each in after if each not in before]
            # Where only the order differs, the lists are shown whole.
            yield Difference(
                place=place, before=gone or (None if come else before), after=come or (None if gone else after)
            )
    elif before != after:
        yield Difference(place=place, before=before, after=after)


def _from_to(before: Any, after: Any) -> str:
    if before is None:
        return f"to `{_short(after)}`, from none"
    if after is None:
        return f"from `{_short(before)}` to none"
    one, other = _text(before), _text(after)
    if max(len(one), len(other)) > SHORT:
        one, other = _where_they_differ(one, other)
    return f"from `{one}` to `{other}`"


SHORT = 100
"""The longest value that is shown whole, in characters."""


def _short(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"


def _text(value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("`", "'").replace("\n", " ")


def _where_they_differ(one: str, other: str) -> tuple[str, str]:
    """Return the part of each that the other does not have, with a few characters around it."""
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    pairs = zip(reversed(one[start:]), reversed(other[start:]), strict=False)
    end = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)) - start)
    first = max(0, start - 20)
    return _cut(one, first, len(one) - end), _cut(other, first, len(other) - end)


def _cut(text: str, first: int, last: int) -> str:
    last = min(last + 20, len(text), first + SHORT)
    return f"{'…' if first else ''}{text[first:last]}{'…' if last < len(text) else ''}"
