"""The network access that security groups allow, rule by rule."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from review.templates import SynthesizedEnvironment

Ports = tuple[int | str, int | str]
"""The first and the last; a text is known at the deploy only."""
ANY_PORT = (0, 65535)
NO_TRAFFIC = "`255.255.255.255/32`"
"""The CDK's rule that stands for none:
https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_ec2.SecurityGroup.html"""
NUMBERS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}
"""Protocols that have a name: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html"""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Traffic that a security group allows."""

    group: str
    way: Literal["in", "out"]
    peer: str
    protocol: str
    ports: Ports

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


def let_through(rule: Rule, others: Iterable[Rule]) -> bool:
    """Whether `others` together let all of its traffic through: two may have half of its ports or addresses each."""
    same = [each for each in others if (each.group, each.way) == (rule.group, rule.way)]
    same = [each for each in same if each.protocol in (rule.protocol, "-1")]
    ports = [each.ports for each in same if each.peer == rule.peer or _inside(rule.peer, each.peer)]
    peers = [each.peer for each in same if _within(rule.ports, each.ports)]
    return (
        any(_within(rule.ports, each) for each in [*ports, *_joined(ports)])
        or rule.peer in peers
        or any(_inside(rule.peer, each) for each in _collapsed(peers))
    )


def _joined(ports: Iterable[Ports]) -> list[Ports]:
    """The ranges of numbers, those that touch as one."""
    found: list[tuple[int, int]] = []
    for first, last in sorted((one, other) for one, other in ports if isinstance(one, int) and isinstance(other, int)):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return list(found)


def _collapsed(peers: Iterable[str]) -> list[str]:
    """The networks among them, those that are halves of one as one."""
    found: dict[int, list[Any]] = {4: [], 6: []}
    for peer in peers:
        try:
            network = ipaddress.ip_network(peer.strip("`"))
        except ValueError:  # a security group, a list of prefixes
            continue
        found[network.version].append(network)
    return [f"`{each}`" for version in found.values() for each in ipaddress.collapse_addresses(version)]


def rules(environment: SynthesizedEnvironment) -> Iterator[Rule]:
    """All rules in `environment` that let anything through."""
    return (each for each in _all(environment) if each.peer != NO_TRAFFIC)


def _all(environment: SynthesizedEnvironment) -> Iterator[Rule]:
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
                egress = properties.get("SecurityGroupEgress") or default
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
    protocol = NUMBERS.get(str(rule["IpProtocol"]), str(rule["IpProtocol"]).lower())
    if protocol.startswith("icmp") and str(rule.get("FromPort", "-1")) != "-1":  # a type and a code
        kind, code = str(rule["FromPort"]), str(rule.get("ToPort", "-1"))
        return Rule(
            group=_group(group), way=way, peer=_peers(rule), protocol=protocol, ports=(f"type {kind}", f"code {code}")
        )
    every = protocol == "-1" or "FromPort" not in rule  # others than tcp, udp and icmp have no ports
    return Rule(
        group=_group(group),
        way=way,
        peer=_peers(rule),
        protocol=protocol,
        ports=ANY_PORT if every else (_port(rule["FromPort"]), _port(rule.get("ToPort"))),
    )


def _peers(rule: Mapping[str, Any]) -> str:
    peers = [str(value) for key, value in rule.items() if key.startswith(("Cidr", "Source", "Destination"))]
    return " ".join(sorted(f"`{_group(peer)}`" for peer in peers))


def _group(reference: Any) -> str:
    return str(reference).strip("{}").removesuffix(".GroupId")


def _port(value: Any) -> int | str:
    return int(value) if str(value).lstrip("-").isdigit() else str(value)


def _within(inner: Ports, outer: Ports) -> bool:
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
