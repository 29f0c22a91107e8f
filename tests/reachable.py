"""Where a job gets through to, by its templates: the rules of its groups, the routes of its subnets, the endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from review.templates import Resource, SynthesizedEnvironment

ANYWHERE = "0.0.0.0/0"


class Reachable:
    """Of one job.

    That an endpoint's policy or a role refuses what gets through to it is no matter of this.
    """

    def __init__(self, environment: SynthesizedEnvironment, job: str) -> None:
        """Read the templates of `environment`."""
        self._environment = environment
        [function] = [
            each.properties
            for each in environment.of("AWS::Lambda::Function")
            if each.properties.get("Environment", {}).get("Variables", {}).get("JOB") == job
        ]
        self._groups = environment.meant(function["VpcConfig"]["SecurityGroupIds"])
        self._tables = self._tables_of(environment.meant(function["VpcConfig"]["SubnetIds"]))

    def database(self, port: int) -> bool:
        """Whether it gets through to the environment's database."""
        [instance] = self._environment.of("AWS::RDS::DBInstance")
        return self._into(instance.properties["VPCSecurityGroups"], port)

    def service(self, name: str, port: int) -> bool:
        """Whether it gets through to the AWS service that is called so in the names of endpoints."""
        endpoints = [
            each.properties
            for each in self._environment.of("AWS::EC2::VPCEndpoint")
            if each.properties["ServiceName"].endswith(f".{name}")
        ]
        for endpoint in endpoints:
            if endpoint.get("PrivateDnsEnabled"):  # then the service's name leads there, and nowhere else
                return self._into(endpoint["SecurityGroupIds"], port)
        through = [table for each in endpoints for table in self._environment.meant(each["RouteTableIds"])]
        if all(table in through for table in self._tables):
            listed = any("DestinationPrefixListId" in rule for rule in self._rules(port))
            return listed or self._outwards(port)
        return self.internet(port)

    def internet(self, port: int) -> bool:
        """Whether it gets through to this port of any host of the internet."""
        routed = [
            self._environment.meant(route.properties["RouteTableId"])
            for route in self._environment.of("AWS::EC2::Route")
            if route.properties["DestinationCidrBlock"] == ANYWHERE and "NatGatewayId" in route.properties
        ]
        return self._outwards(port) and all([table] in routed for table in self._tables)

    def _into(self, groups: Any, port: int) -> bool:
        """Whether a rule leads to what wears `groups`, and one of theirs lets it in."""
        theirs = self._environment.meant(groups)
        led = self._outwards(port) or any(
            set(self._paths(rule.get("DestinationSecurityGroupId"))) & {each.path for each in theirs}
            for rule in self._rules(port)
        )
        return led and any(
            set(self._paths(rule.get("SourceSecurityGroupId"))) & {each.path for each in self._groups}
            for each in theirs
            for rule in self._of(each, "Ingress")
            if _has(rule, port)
        )

    def _outwards(self, port: int) -> bool:
        return any(rule.get("CidrIp") == ANYWHERE for rule in self._rules(port))

    def _rules(self, port: int) -> Iterator[Mapping[str, Any]]:
        """The rules that let it out on this port."""
        for group in self._groups:
            rules = self._of(group, "Egress")
            if not rules:
                # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html
                raise AssertionError(f"{group.path} has no rules: EC2 adds one that lets everything out")
            yield from (rule for rule in rules if _has(rule, port))

    def _of(self, group: Resource, direction: str) -> list[Mapping[str, Any]]:
        """A group's own rules, and those that are resources of their own."""
        apart = self._environment.of(f"AWS::EC2::SecurityGroup{direction}")
        return [
            *group.properties.get(f"SecurityGroup{direction}", []),
            *(each.properties for each in apart if self._paths(each.properties["GroupId"]) == [group.path]),
        ]

    def _tables_of(self, subnets: list[Resource]) -> list[Resource]:
        return [
            table
            for each in self._environment.of("AWS::EC2::SubnetRouteTableAssociation")
            if self._environment.meant(each.properties["SubnetId"])[0] in subnets
            for table in self._environment.meant(each.properties["RouteTableId"])
        ]

    def _paths(self, value: Any) -> list[str]:
        return [] if value is None else [each.path for each in self._environment.meant(value)]


def _has(rule: Mapping[str, Any], port: int) -> bool:
    if rule["IpProtocol"] not in {"tcp", "-1"}:
        return False
    return rule["IpProtocol"] == "-1" or int(rule["FromPort"]) <= port <= int(rule["ToPort"])
