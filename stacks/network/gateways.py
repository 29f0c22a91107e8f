"""The gateway endpoints of S3 and DynamoDB in a VPC that is made: free, and a route in the subnets that need it."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2

from settings.services import GATEWAYS
from settings.uses import Uses
from stacks.network.rights import of_an_endpoint, together


def add_gateways(
    stack: cdk.Stack, *, vpc: ec2.IVpc, subnets: Sequence[ec2.SubnetSelection], all_uses: Sequence[Uses]
) -> None:
    """Add those that `all_uses` need, through which this account's roles may do just that.

    In the stack of the VPC, as nothing refers to them: to take one away waits for no other stack.
    """
    for endpoint, some in together(all_uses, stack).items():
        if endpoint in GATEWAYS:
            gateway = ec2.GatewayVpcEndpoint(
                stack,
                f"Gateway-{endpoint}",
                vpc=vpc,
                service=ec2.GatewayVpcEndpointAwsService(endpoint),
                subnets=list(subnets),
            )
            for statement in of_an_endpoint(some, stack):
                gateway.add_to_policy(statement)
