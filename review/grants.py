"""Who may do what, by the policies of roles and resources."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from review.templates import Resource, SynthesizedEnvironment, listed
from settings.job_variables import RIGHTS_FILE

OPPOSITE = "all but "
"""Before what a statement excepts: it has no pattern, as to except less is to allow more."""

WORN: Mapping[str, Mapping[tuple[str, ...], str]] = {
    "AWS::EC2::VPCEndpoint": {("SecurityGroupIds",): "be in the group"},
    "AWS::Lambda::Function": {
        ("Role",): "work in the role",
        ("VpcConfig", "SecurityGroupIds"): "be in the group",
        ("Layers",): "run the code of",
    },
    "AWS::RDS::DBInstance": {("VPCSecurityGroups",): "be in the group"},
    "AWS::RDS::DBProxy": {("RoleArn",): "work in the role", ("VpcSecurityGroupIds",): "be in the group"},
    "AWS::Scheduler::Schedule": {("Target", "RoleArn"): "work in the role"},
}
"""Where a resource says whose access it has."""

DATABASE_USER = "the jobs' database user"

WAYS = (
    "AWS::EC2::EgressOnlyInternetGateway",
    "AWS::EC2::Route",
    "AWS::EC2::TransitGatewayAttachment",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::EC2::VPCPeeringConnection",
)
"""Where a network says whom it is connected with: ours has none."""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One action on one resource."""

    holder: str
    """Path of the role, or of the resource whose own policy it is."""
    effect: str
    who: str
    action: str
    on: str
    condition: str

    @property
    def owner(self) -> str:
        """Path of the construct whose access it is."""
        return self.holder

    @property
    def denies(self) -> bool:
        """Whether it takes access away."""
        return self.effect == "Deny"

    def covers(self, other: Grant) -> bool:
        """Whether whoever has this one needs no `other`."""
        return (
            (self.holder, self.effect) == (other.holder, other.effect)
            and self.who in (other.who, "*")
            and _includes(self.action.lower(), other.action.lower())
            and _includes(self.on, other.on)
            and self.condition in ("", other.condition)
        )


def grants(environment: SynthesizedEnvironment) -> Iterator[Grant]:
    """All in `environment`."""
    for resource in environment.resources.values():
        yield from _managed(resource)
        yield from _worn(resource)
        yield from _rights(resource)
        if resource.kind == "AWS::Lambda::Permission":
            yield _permission(resource)
        for holder in _holders(resource):
            for statement in _statements(resource.properties):
                yield from _of_statement(holder, statement, itself=resource.path)


def _holders(resource: Resource) -> list[str]:
    """Whose policy it is: that of roles, users, groups, queues …, or the resource's own."""
    named = ("Roles", "Users", "Groups", "Queues", "Topics")
    holders = [str(each).strip("{}") for key in named for each in listed(resource.properties.get(key, []))]
    return holders or [resource.path]


def _statements(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every statement of a policy in `value`, wherever it is: behind a condition of the template, too."""
    match value:
        case {"Effect": str(), **rest} if rest.keys() & {"Action", "NotAction"}:
            yield value
        case dict():
            for part in value.values():
                yield from _statements(part)
        case list():
            for part in value:
                yield from _statements(part)


def _of_statement(holder: str, statement: Mapping[str, Any], *, itself: str) -> Iterator[Grant]:
    condition = json.dumps(statement["Condition"], sort_keys=True) if statement.get("Condition") else ""
    for who in _each(statement, "Principal", default=""):
        for action in _each(statement, "Action", default="*"):
            for on in _each(statement, "Resource", default=itself):
                yield Grant(
                    holder=holder, effect=statement["Effect"], who=who, action=action, on=on, condition=condition
                )


def _each(statement: Mapping[str, Any], key: str, *, default: str) -> list[str]:
    """The values of `key`, or of its opposite, like NotAction."""
    if f"Not{key}" in statement:
        return [f"{OPPOSITE}{json.dumps(statement[f'Not{key}'])}"]
    value = statement.get(key, default)
    if key == "Principal" and isinstance(value, dict):  # of others, it is a function of CloudFormation's
        value = [each for part in value.values() for each in listed(part)]
    return [each if isinstance(each, str) else json.dumps(each) for each in listed(value)]


def _worn(resource: Resource) -> Iterator[Grant]:
    for place, words in WORN.get(resource.kind, {}).items():
        value: Any = resource.properties
        for key in place:
            value = value.get(key, []) if isinstance(value, Mapping) else []
        for each in listed(value):
            yield _own(resource, words, each if isinstance(each, str) else json.dumps(each))
    if resource.kind == "AWS::Lambda::Function" and "VpcConfig" not in resource.properties:
        yield _own(resource, "run outside of the VPC", "the internet")
    if resource.kind in WAYS:
        places = [str(each) for key, each in sorted(resource.properties.items()) if key != "Tags"]
        yield _own(resource, "lead out of the VPC", " ".join(places))
    # https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
    if resource.kind == "AWS::EC2::VPCEndpoint" and "PolicyDocument" not in resource.properties:
        yield replace(_own(resource, "*", "*"), who="*")


def _rights(resource: Resource) -> Iterator[Grant]:
    """What the migrations grant to the jobs' database user: see settings/job_variables.py."""
    rights: Mapping[str, Any] = {}
    match resource.properties:
        case {"Environment": {"Variables": {"RIGHTS": str(text)}}} if text.startswith('{"'):
            rights = json.loads(text)
        case {"Environment": {"Variables": {"RIGHTS": str(file)}}} if file == RIGHTS_FILE:
            rights = resource.notes.get(RIGHTS_FILE, {})
    for table, some in rights.items():
        for right in str(some).split(", "):
            yield replace(_own(resource, right, f"table {table}"), who=DATABASE_USER)


def _own(resource: Resource, action: str, on: str) -> Grant:
    return Grant(holder=resource.path, effect="Allow", who="", action=action, on=on, condition="")


def _includes(wider: str, narrower: str) -> bool:
    """As IAM compares: * and ? are patterns, brackets are not."""
    if wider == narrower:
        return True
    return not wider.startswith(OPPOSITE) and fnmatchcase(narrower, wider.replace("[", "[[]"))


def _managed(resource: Resource) -> Iterator[Grant]:
    for policy in listed(resource.properties.get("ManagedPolicyArns", [])):
        name = policy if isinstance(policy, str) else json.dumps(policy)
        yield Grant(holder=resource.path, effect="Allow", who="", action=f"all of {name}", on="*", condition="")
    if boundary := resource.properties.get("PermissionsBoundary"):
        beyond = f"anything beyond {boundary}"
        yield Grant(holder=resource.path, effect="Deny", who="", action=beyond, on="*", condition="")


def _permission(resource: Resource) -> Grant:
    properties = resource.properties
    rest = {key: each for key, each in properties.items() if key not in ("Action", "FunctionName", "Principal")}
    return Grant(
        holder=str(properties["FunctionName"]).strip("{}").removesuffix(".Arn"),
        effect="Allow",
        who=str(properties["Principal"]),
        action=str(properties["Action"]),
        on=str(properties["FunctionName"]),
        condition=json.dumps(rest, sort_keys=True) if rest else "",
    )
