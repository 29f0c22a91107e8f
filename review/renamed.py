"""Roles, security groups and databases that get another name: what had the one has the other, and no more."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from review.changes import Change
from review.templates import Resource, SynthesizedEnvironment

KINDS = ("AWS::EC2::SecurityGroup", "AWS::IAM::Role", "AWS::RDS::DBInstance")


def named_as_after(before: SynthesizedEnvironment, changes: Sequence[Change]) -> SynthesizedEnvironment:
    """Return `before` with the names that these have after `changes`.

    A new one stands for one that goes if something that uses the old one uses the new one in its place.
    """
    gone = {each.resource.path: each.resource for each in changes if each.how == "removed"}
    come = {each.resource.path: each.resource for each in changes if each.how == "added"}
    names: dict[str, str] = {}
    for difference in (each for change in changes for each in change.differences):
        old, new = _meant(difference.before, gone), _meant(difference.after, come)
        if len(old) == len(new) == 1 and old[0].kind == new[0].kind:
            names[old[0].path] = new[0].path
    times = Counter(names.values())  # one that takes the place of two has the access of both
    names = {old: new for old, new in names.items() if times[new] == 1}
    if not names:
        return before
    resources = {key: _renamed(each, names) for key, each in before.resources.items()}
    return replace(before, resources=resources)


def _meant(value: object, among: Mapping[str, Resource]) -> list[Resource]:
    text = json.dumps(value)
    return [each for path, each in among.items() if each.kind in KINDS and _reference(path).search(text)]


def _renamed(resource: Resource, names: Mapping[str, str]) -> Resource:
    text = json.dumps(resource.properties)
    for old, new in names.items():
        text = _reference(old).sub(f"{{{new}", text)
    return replace(resource, path=names.get(resource.path, resource.path), properties=json.loads(text))


def _reference(path: str) -> re.Pattern[str]:
    return re.compile(rf"\{{{re.escape(path)}(?=[.}}])")
