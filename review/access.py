"""Who may do what, and who reaches whom: what a change adds to it.

Read from the whole environment: a permission that moves from one policy to another is no new one.
"""

from __future__ import annotations

import ipaddress
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from review.templates import Environment, Resource

ANY_PORT = (0, 65535)


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

    def covers(self, other: Grant) -> bool:
        """Whether whoever has this one needs no `other`."""
        return (
            (self.holder, self.effect) == (other.holder, other.effect)
            and self.who in (other.who, "*")
            and fnmatchcase(other.action.lower(), self.action.lower())
            and self.on in (other.on, "*")
            and self.condition in ("", other.condition)
        )


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A way that a security group opens."""

    group: str
    way: Literal["in", "out"]
    peer: str
    protocol: str
    ports: tuple[int | str, int | str]

    def covers(self, other: Rule) -> bool:
        """Whether all traffic that `other` lets through is let through by this one."""
        return (
            (self.group, self.way) == (other.group, other.way)
            and self.protocol in (other.protocol, "-1")
            and _within(other.ports, self.ports)
            and (self.peer == other.peer or _inside(other.peer, self.peer))
        )


def widened(before: Environment, after: Environment) -> Iterator[tuple[str, str]]:
    """What only `after` lets happen: the path of the role, resource or security group, and a sentence."""
    yield from _more_granted(before, after)
    old = list(_rules(before))
    for rule in dict.fromkeys(_rules(after)):
        if not any(each.covers(rule) for each in old):
            ports = _ports(rule)
            lets = f"lets {rule.peer} in" if rule.way == "in" else f"lets it reach {rule.peer}"
            yield rule.group, f"{lets}, on {ports}"


def _more_granted(before: Environment, after: Environment) -> Iterator[tuple[str, str]]:
    old, new = set(_grants(before)), set(_grants(after))
    added = [grant for grant in new if grant.effect == "Allow" and not any(each.covers(grant) for each in old)]
    kept = {resource.path for resource in after.resources.values()}
    dropped = [
        grant
        for grant in old
        if grant.effect == "Deny" and grant.holder in kept and not any(each.covers(grant) for each in new)
    ]
    for words, grants in (("may now", added), ("is no longer denied", dropped)):
        actions = defaultdict(list)
        for grant in grants:
            actions[grant.holder, grant.who, grant.on, grant.condition].append(grant.action)
        for (holder, who, on, condition), some in sorted(actions.items()):
            named = ", ".join(f"`{action}`" for action in sorted(some))
            only = f", if `{condition}`" if condition else ""
            subject = f"`{who}`" if who else "it"
            yield holder, f"{subject} {words} {named} on `{on}`{only}"


def _grants(environment: Environment) -> Iterator[Grant]:
    for resource in environment.resources.values():
        yield from _managed(resource)
        if resource.kind == "AWS::Lambda::Permission":
            yield _permission(resource)
        for holder in _holders(resource):
            for statement in _statements(resource.properties):
                yield from _of_statement(holder, statement, itself=resource.path)


def _holders(resource: Resource) -> list[str]:
    """Whose policy it is: that of roles, users, groups, queues …, or the resource's own."""
    named = ("Roles", "Users", "Groups", "Queues", "Topics")
    holders = [str(each).strip("{}") for key in named for each in resource.properties.get(key, ())]
    return holders or [resource.path]


def _statements(value: Any) -> Iterator[Mapping[str, Any]]:
    """Of every policy document in `value`, wherever it is."""
    match value:
        case {"Statement": statements}:
            yield from _listed(statements)
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
        return [f"all but {json.dumps(statement[f'Not{key}'])}"]
    value = statement.get(key, default)
    if isinstance(value, dict):
        value = [each for part in value.values() for each in _listed(part)]
    return [each if isinstance(each, str) else json.dumps(each) for each in _listed(value)]


def _managed(resource: Resource) -> Iterator[Grant]:
    for policy in resource.properties.get("ManagedPolicyArns", ()):
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


def _rules(environment: Environment) -> Iterator[Rule]:
    for resource in environment.resources.values():
        properties = resource.properties
        match resource.kind:
            case "AWS::EC2::SecurityGroupIngress":
                yield _rule(str(properties.get("GroupId", properties.get("GroupName"))), "in", properties)
            case "AWS::EC2::SecurityGroupEgress":
                yield _rule(str(properties["GroupId"]), "out", properties)
            case "AWS::EC2::SecurityGroup":
                yield from (_rule(resource.path, "in", each) for each in properties.get("SecurityGroupIngress", ()))
                # Without any, all is open: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html
                everywhere = [{"CidrIp": "0.0.0.0/0", "IpProtocol": "-1"}]
                egress = properties.get("SecurityGroupEgress", everywhere)
                yield from (_rule(resource.path, "out", each) for each in egress)


def _rule(group: str, way: Literal["in", "out"], rule: Mapping[str, Any]) -> Rule:
    peers = [str(value) for key, value in rule.items() if key.startswith(("Cidr", "Source", "Destination"))]
    protocol = str(rule["IpProtocol"])
    every = protocol == "-1"
    return Rule(
        group=group.strip("{}").removesuffix(".GroupId"),
        way=way,
        peer=" ".join(sorted(f"`{peer.strip('{}').removesuffix('.GroupId')}`" for peer in peers)),
        protocol=protocol,
        ports=ANY_PORT if every else (_port(rule["FromPort"]), _port(rule["ToPort"])),
    )


def _port(value: Any) -> int | str:
    return int(value) if str(value).lstrip("-").isdigit() else str(value)


def _ports(rule: Rule) -> str:
    if rule.protocol == "-1":
        return "every port and protocol"
    first, last = rule.ports
    return f"{rule.protocol} `{first}`" if first == last else f"{rule.protocol} `{first}` to `{last}`"


def _within(inner: tuple[int | str, int | str], outer: tuple[int | str, int | str]) -> bool:
    if outer in (inner, ANY_PORT):
        return True
    match inner, outer:
        case (int(first), int(last)), (int(lowest), int(highest)):
            return lowest <= first and last <= highest
    return False


def _inside(inner: str, outer: str) -> bool:
    try:
        one, other = (ipaddress.ip_network(each.strip("`")) for each in (inner, outer))
    except ValueError:  # a security group, a list of prefixes
        return False
    return isinstance(one, type(other)) and one.subnet_of(other)  # type: ignore[arg-type]


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [value]
