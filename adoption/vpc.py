"""What the CDK would look up of a VPC, looked up here: so that synth asks nobody, and needs no first synthesis.

As the pinned CLI's own lookup does it: tests/adoption/test_vpc.py compares the two.
https://github.com/aws/aws-cdk-cli/blob/main/packages/%40aws-cdk/toolkit-lib/lib/context-providers/vpcs.ts
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from delivery.aws import Aws
from delivery.refusal import Refused

Tags = Iterable[Mapping[str, str]]


def context_key(*, account: str, region: str, vpc: str) -> str:
    """Return the key in cdk.context.json under which the CDK finds the VPC."""
    return f"vpc-provider:account={account}:filter.vpc-id={vpc}:region={region}:returnAsymmetricSubnets=true"


def look_up(aws: Aws, vpc: str) -> dict[str, Any]:
    """Return what the CDK would write of `vpc` into cdk.context.json.

    Raises:
        Refused: there is no such VPC, or its subnets can't be told apart.
    """
    ec2 = aws.client("ec2")
    of_the_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    vpcs = ec2.describe_vpcs(Filters=of_the_vpc)["Vpcs"]
    if not vpcs:
        raise Refused(f"There is no {vpc} in {aws.region} that these credentials can see")
    subnets = _all(ec2, "describe_subnets", "Subnets", of_the_vpc)
    tables = _all(ec2, "describe_route_tables", "RouteTables", of_the_vpc)
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc]}, {"Name": "attachment.state", "Values": ["attached"]}]
    gateways = ec2.describe_vpn_gateways(Filters=[*attached, {"Name": "state", "Values": ["available"]}])["VpnGateways"]
    return {
        "vpcId": vpc,
        "vpcCidrBlock": vpcs[0]["CidrBlock"],
        "ownerAccountId": vpcs[0]["OwnerId"],
        "availabilityZones": [],
        **({"vpnGatewayId": gateways[0]["VpnGatewayId"]} if len(gateways) == 1 else {}),
        "subnetGroups": _groups(subnets, tables),
    }


def reaches_secrets_manager(aws: Aws, vpc: str) -> bool:
    """Return whether the VPC has an interface endpoint of Secrets Manager that answers to the service's own name."""
    ec2 = aws.client("ec2")
    service = f"com.amazonaws.{aws.region}.secretsmanager"
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "service-name", "Values": [service]}]
    endpoints = _all(ec2, "describe_vpc_endpoints", "VpcEndpoints", filters)
    return any(each.get("PrivateDnsEnabled") and each["State"].lower() == "available" for each in endpoints)


def _all(ec2: Any, operation: str, key: str, filters: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    return [each for page in ec2.get_paginator(operation).paginate(Filters=filters) for each in page[key]]


def _groups(subnets: Iterable[Mapping[str, Any]], tables: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for subnet in subnets:
        table = _table(subnet["SubnetId"], tables)
        kind = _tag("aws-cdk:subnet-type", subnet.get("Tags", ())) or _kind(subnet, table)
        name = _tag("aws-cdk:subnet-name", subnet.get("Tags", ())) or kind
        groups.setdefault((kind, name), []).append(
            {
                "subnetId": subnet["SubnetId"],
                "cidr": subnet["CidrBlock"],
                "availabilityZone": subnet["AvailabilityZone"],
                "routeTableId": table["RouteTableId"],
            }
        )
    return [
        {"name": name, "type": kind, "subnets": sorted(group, key=lambda each: str(each["availabilityZone"]))}
        for (kind, name), group in groups.items()
    ]


def _kind(subnet: Mapping[str, Any], table: Mapping[str, Any]) -> str:
    routes = table.get("Routes", ())
    if subnet.get("MapPublicIpOnLaunch") or any(each.get("GatewayId", "").startswith("igw-") for each in routes):
        return "Public"
    ways_out = [each for each in routes if each.get("DestinationCidrBlock") == "0.0.0.0/0"]
    if any(each.get("NatGatewayId") or each.get("TransitGatewayId") for each in ways_out):
        return "Private"
    return "Isolated"


def _table(subnet: str, tables: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    def has(table: Mapping[str, Any], key: str, value: object) -> bool:
        return any(each.get(key) == value for each in table.get("Associations", ()))

    own = next((each for each in tables if has(each, "SubnetId", subnet)), None)
    main = next((each for each in tables if has(each, "Main", True)), None)
    table = own or main
    if table is None:
        raise Refused(f"{subnet} has no route table that these credentials can see")
    return table


def _tag(key: str, tags: Tags) -> str | None:
    return next((each["Value"] for each in tags if each["Key"] == key), None)
