"""The network access that security groups allow, rule by rule."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from review.templates import SynthesizedEnvironment

ANY_PORT = (0, 65535)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Traffic that a security group allows."""

    group: str
    way: Literal["in", "out"]
    peer: str
    protocol: str
    ports: tuple[int | str, int | str]

    @property
    def owner(self) -> str:
        """Path of the construct whose access it is."""
        return self.group

    @property
    def denies(self) -> bool:
        """Whether it takes access away."""
        return False

    def covers(self, other: Rule) -> bool:
        """Whether all traffic that `other` lets through is let through by this one."""
        return (
            (self.group, self.way) == (other.group, other.way)
            and self.protocol in (other.protocol, "-1")
            and _within(other.ports, self.ports)
            and (self.peer == other.peer or _inside(other.peer, self.peer))
        )


def rules(environment: SynthesizedEnvironment) -> Iterator[Rule]:
    """All rules in `environment`."""
    resources = environment.resources.values()
    # Any rule removes the default one, also a rule that is a resource of its own: https://github.com/aws/aws-cdk/pull/998
    ruled = {_group(each.properties["GroupId"]) for each in resources if each.kind == "AWS::EC2::SecurityGroupEgress"}
    for resource in resources:
        properties = resource.properties
        match resource.kind:
            case "AWS::EC2::SecurityGroupIngress":
                yield _rule(str(properties.get("GroupId", properties.get("GroupName"))), "in", properties)
            case "AWS::EC2::SecurityGroupEgress":
                yield _rule(str(properties["GroupId"]), "out", properties)
            case "AWS::EC2::SecurityGroup":
                yield from (_rule(resource.path, "in", each) for each in _rules(properties.get("SecurityGroupIngress")))
                # Without any, all is open: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html
                default = [] if resource.path in ruled else [{"CidrIp": "0.0.0.0/0", "IpProtocol": "-1"}]
                egress = properties.get("SecurityGroupEgress", default)
                yield from (_rule(resource.path, "out", each) for each in _rules(egress))


def _rules(value: Any) -> Iterator[Mapping[str, Any]]:
    """The rules in `value`: behind a condition of the template, too."""
    match value:
        case {"IpProtocol": _}:
            yield value
        case dict():
            for part in value.values():
                yield from _rules(part)
        case list():
            for part in value:
                yield from _rules(part)


def _rule(group: str, way: Literal["in", "out"], rule: Mapping[str, Any]) -> Rule:
    peers = [str(value) for key, value in rule.items() if key.startswith(("Cidr", "Source", "Destination"))]
    protocol = str(rule["IpProtocol"])
    every = protocol == "-1" or "FromPort" not in rule  # others than tcp, udp and icmp have no ports
    return Rule(
        group=_group(group),
        way=way,
        peer=" ".join(sorted(f"`{_group(peer)}`" for peer in peers)),
        protocol=protocol,
        ports=ANY_PORT if every else (_port(rule["FromPort"]), _port(rule.get("ToPort"))),
    )


def _group(reference: Any) -> str:
    return str(reference).strip("{}").removesuffix(".GroupId")


def _port(value: Any) -> int | str:
    return int(value) if str(value).lstrip("-").isdigit() else str(value)


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
