"""Which properties CloudFormation can't change in place, by the resource types' own schemas, which come with cfn-lint.

What they leave out is `fixed` in review/classes/: another port replaces an RDS instance. Nothing is fetched.
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

from review.classification import known_type
from review.difference import Place


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The properties of a resource type that can't be changed."""

    fixed: frozenset[Place]
    """createOnlyProperties: to change one of them is to replace the resource."""
    at_times_fixed: frozenset[Place]
    """conditionalCreateOnlyProperties: no source says on which condition."""
    identifier: frozenset[str]

    def replaces(self, place: Place) -> bool:
        """Whether a change at `place` replaces the resource."""
        return any(_meet(place, each) for each in self.fixed)

    def may_replace(self, place: Place) -> bool:
        """Whether a change at `place` replaces the resource under conditions."""
        return any(_meet(place, each) for each in self.at_times_fixed)


@cache
def schema(region: str, kind: str) -> Schema:
    """Return the schema of the resource type `kind`; any change may replace a resource of an unknown type."""
    if "::" not in kind:
        return Schema(fixed=frozenset(), at_times_fixed=frozenset(), identifier=frozenset())
    try:
        found = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, kind).schema
    except ResourceNotFoundError:
        return Schema(fixed=frozenset(), at_times_fixed=frozenset([()]), identifier=frozenset())
    return Schema(
        fixed=_places(found.get("createOnlyProperties", ())) | {(name,) for name in known_type(kind).fixed},
        at_times_fixed=_places(found.get("conditionalCreateOnlyProperties", ())),
        identifier=frozenset(place[-1] for place in _places(found["primaryIdentifier"])),
    )


@cache
def stateful() -> frozenset[str]:
    """The resource types that hold data, by cfn-lint's list (its rule I3011)."""
    text = (files("cfnlint") / "data" / "AdditionalSpecs" / "StatefulResources.json").read_text()
    return frozenset(json.loads(text)["ResourceTypes"])


def fixed_name(region: str, kind: str, properties: Mapping[str, Any]) -> str | None:
    """Return the name that the template gives a resource: CloudFormation can't replace it, as names are unique.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
    """
    names = schema(region, kind).identifier | {"Name", f"{kind.rpartition(':')[2]}Name"}
    named = (each[0] for each in sorted(schema(region, kind).fixed) if each[0] in names and each[0] in properties)
    return next((str(properties[each]) for each in named), None)


def _places(pointers: Iterable[str]) -> frozenset[Place]:
    return frozenset(tuple(pointer.removeprefix("/properties/").split("/")) for pointer in pointers)


def _meet(one: Place, other: Place) -> bool:
    """Return whether one place contains the other: adding a whole changes all its parts."""
    return all("*" in pair or pair[0] == pair[1] for pair in zip(one, other, strict=False))
