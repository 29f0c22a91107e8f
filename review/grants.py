"""Who may do what, by the policies of roles and resources."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from review.templates import Resource, SynthesizedEnvironment, listed
from settings.job_variables import USES_NOTE, noted_uses

OPPOSITE = "all but "
"""Before what a statement excepts: it has no pattern, as to except less is to allow more."""

HELD = ("Roles", "Users", "Groups", "Queues", "Topics")
OF_ANOTHER = (
    "AWS::IAM::RolePolicy",
    "AWS::Logs::ResourcePolicy",
    "AWS::S3::BucketPolicy",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::SNS::TopicInlinePolicy",
    "AWS::SQS::QueueInlinePolicy",
)
"""Policies of something else, which stays when they go: then what they denied is denied no more."""

WORN: Mapping[str, Mapping[tuple[str, ...], str]] = {
    "AWS::EC2::VPCEndpoint": {("SecurityGroupIds",): "be in the group"},
    "AWS::Lambda::Function": {
        ("Role",): "work in the role",
        ("VpcConfig", "SecurityGroupIds"): "be in the group",
        ("Layers",): "run the code of",
    },
    "AWS::EC2::FlowLog": {("DeliverLogsPermissionArn",): "work in the role"},
    "AWS::RDS::DBInstance": {("VPCSecurityGroups",): "be in the group", ("MonitoringRoleArn",): "work in the role"},
    "AWS::RDS::DBProxy": {("RoleArn",): "work in the role", ("VpcSecurityGroupIds",): "be in the group"},
    "AWS::Scheduler::Schedule": {("Target", "RoleArn"): "work in the role"},
}
"""Where a resource says whose access it has."""

CALL = "connect by run.http"
"""What a job may do with the hosts of the internet that it states."""

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
            and _holds_wherever(self.condition, other.condition)
        )


def grants(environment: SynthesizedEnvironment) -> Iterator[Grant]:
    """All in `environment`."""
    for resource in environment.resources.values():
        yield from _managed(resource)
        yield from _worn(resource)
        if resource.kind == "AWS::Lambda::Permission":
            yield _permission(resource)
        for holder in _holders(resource):
            for statement in _statements(resource.properties):
                yield from _of_statement(holder, statement, itself=resource.path)


def _holders(resource: Resource) -> list[str]:
    """Whose policy it is: that of roles, users, groups, queues …, or the resource's own."""
    if resource.kind in OF_ANOTHER:
        return [f"{resource.path}, the policy"]  # as its path may be that of a role
    holders = [str(each).strip("{}") for key in HELD for each in listed(resource.properties.get(key, []))]
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
        case str() if value.lstrip().startswith("{"):
            with suppress(json.JSONDecodeError):  # a text that begins like one; what can't be read is unclassified
                yield from _statements(json.loads(value))


def _of_statement(holder: str, statement: Mapping[str, Any], *, itself: str) -> Iterator[Grant]:
    condition = _condition(statement["Condition"]) if statement.get("Condition") else ""
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
    return [_named(each) if isinstance(each, str) else json.dumps(each) for each in listed(value)]


def _named(value: str) -> str:
    """An account by its number: as a principal, its root user means the same.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    return re.sub(r"^arn:[\w-]+:iam::([^:]+):root$", r"\1", value)


def _condition(value: Any) -> str:
    """A condition, the same text for the same meaning: a list of one is a single value, and lists have no order."""
    if not isinstance(value, dict) or not all(isinstance(keys, dict) for keys in value.values()):
        return json.dumps(value, sort_keys=True)
    found = {
        _operator(operator, keys): {key: _one(sorted(map(_plain, listed(values)))) for key, values in keys.items()}
        for operator, keys in value.items()
    }
    return json.dumps(found, sort_keys=True)


def _operator(name: str, keys: Mapping[str, Any]) -> str:
    """The operator's name; two have another that means the same.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """
    pattern = any(sign in str(values) for values in keys.values() for sign in "*?$")
    return name.replace("ArnEquals", "ArnLike") if pattern else name.replace("Like", "Equals")


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _one(values: list[str]) -> list[str] | str:
    return values[0] if len(values) == 1 else values


def _holds_wherever(wider: str, narrower: str) -> bool:
    """Whether the condition `wider` holds wherever `narrower` does."""
    if wider in ("", narrower):
        return True
    try:
        one, other = json.loads(wider), json.loads(narrower or "{}")
    except json.JSONDecodeError:
        return False
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    return all(_narrower(operator, wanted, other.get(operator)) for operator, wanted in one.items())


def _narrower(operator: str, wanted: Any, there: Any) -> bool:
    if not isinstance(wanted, dict) or not isinstance(there, dict):
        return bool(wanted == there)
    if "Not" in operator:  # more values are narrower there, and a key that is missing is none
        return all(set(listed(values)) <= set(listed(there.get(key, []))) for key, values in wanted.items())
    said = {key.lower(): values for key, values in there.items()}
    return all(
        all(any(_matched(operator, each, one) for one in listed(values)) for each in listed(said.get(key.lower())))
        for key, values in wanted.items()
    )


def _matched(operator: str, value: Any, wanted: Any) -> bool:
    """Whether `value` is one that `wanted` lets through, or fewer of them."""
    if value == wanted:
        return True
    if "Like" in operator:
        return fnmatchcase(str(value), str(wanted).replace("[", "[[]"))
    if operator == "IpAddress":
        with suppress(ValueError, TypeError):
            one, other = ipaddress.ip_network(str(value)), ipaddress.ip_network(str(wanted))
            return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]
    return False


def _worn(resource: Resource) -> Iterator[Grant]:
    for place, words in WORN.get(resource.kind, {}).items():
        value: Any = resource.properties
        for key in place:
            value = value.get(key, []) if isinstance(value, Mapping) else []
        for each in listed(value):
            yield _own(resource, words, each if isinstance(each, str) else json.dumps(each))
    if resource.kind == "AWS::Lambda::Function" and "VpcConfig" not in resource.properties:
        yield _own(resource, "run outside of the VPC", "the internet")
    for destination in noted_uses(resource.notes.get(USES_NOTE, {})).destinations:
        yield _own(resource, CALL, destination)  # by run.http: on the way there, only the port is known
    if resource.kind in WAYS:
        places = [str(each) for key, each in sorted(resource.properties.items()) if key != "Tags"]
        yield _own(resource, "lead out of the VPC", " ".join(places))
    # https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
    if resource.kind == "AWS::EC2::VPCEndpoint" and "PolicyDocument" not in resource.properties:
        yield replace(_own(resource, "*", "*"), who="*")


def _own(resource: Resource, action: str, on: str) -> Grant:
    return Grant(holder=resource.path, effect="Allow", who="", action=action, on=on, condition="")


def _includes(wider: str, narrower: str) -> bool:
    """As IAM compares: * and ? are patterns, brackets are not."""
    if wider == narrower:
        return True
    if wider.startswith(OPPOSITE):
        return _excepts_less(wider, narrower)
    return fnmatchcase(narrower, wider.replace("[", "[[]"))


def _excepts_less(wider: str, narrower: str) -> bool:
    excepted = {str(each).lower() for each in listed(json.loads(wider.removeprefix(OPPOSITE)))}
    if narrower.startswith(OPPOSITE):
        return excepted <= {str(each).lower() for each in listed(json.loads(narrower.removeprefix(OPPOSITE)))}
    return not any(_includes(each, narrower.lower()) or _includes(narrower.lower(), each) for each in excepted)


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
