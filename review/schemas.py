"""Which properties CloudFormation can't change in place.

Two sources, as each knows some properties that the other doesn't: the resource types' own schemas, which come with
cfn-lint, and the "Update requires" of CloudFormation's documentation, which comes with the CDK CLI (only it knows that
another port replaces an RDS instance). Nothing is fetched.
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

from settings.project import ROOT

DOCUMENTED = ROOT / "node_modules" / "aws-cdk" / "db.json.gz"
"""A file of the CLI that package.json pins, in a format of its own."""

Place = tuple[str, ...]
"""Where a property is: ("Code", "S3Key")."""


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The properties of a resource type that can't be changed."""

    fixed: frozenset[Place]
    """createOnlyProperties, "Replacement": to change one of them is to replace the resource."""
    at_times_fixed: frozenset[Place]
    """conditionalCreateOnlyProperties, "Some interruptions or replacement": no source says on which condition."""
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
        fixed=_places(found.get("createOnlyProperties", ())) | _documented(kind, "yes"),
        at_times_fixed=_places(found.get("conditionalCreateOnlyProperties", ())) | _documented(kind, "maybe"),
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


def _documented(kind: str, replacement: str) -> frozenset[Place]:
    properties = _documentation().get(kind, {}).items()
    return frozenset((name,) for name, each in properties if each.get("causesReplacement") == replacement)


@cache
def _documentation() -> dict[str, dict[str, Any]]:
    """The properties of the resource types."""
    resources = json.loads(gzip.decompress(DOCUMENTED.read_bytes()))["schema"]["resource"]["entities"]
    return {each["cloudFormationType"]: each["properties"] for each in resources}


def _places(pointers: Iterable[str]) -> frozenset[Place]:
    return frozenset(tuple(pointer.removeprefix("/properties/").split("/")) for pointer in pointers)


def _meet(one: Place, other: Place) -> bool:
    """Return whether one place contains the other: adding a whole changes all its parts."""
    return all("*" in pair or pair[0] == pair[1] for pair in zip(one, other, strict=False))
