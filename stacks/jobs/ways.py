"""Ways construct: the security groups of the ways out of the network that the jobs of one stack use.

One for each way, and not for each job: EC2 allows 60 rules that let somebody into an endpoint's group, and a stack has
room for no more resources with each job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from settings.environment import NetworkSettings
from settings.services import GATEWAYS, SECRETS, SERVICES
from settings.uses import Uses, interfaces
from stacks.database.database import Database
from stacks.network.interface_endpoint import InterfaceEndpoint
from stacks.network.network import Network
from stacks.network.rights import of_an_endpoint, together

HTTPS = 443


class Ways(Construct):
    """The groups, which the functions of jobs wear beside that of all jobs."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        all_uses: Sequence[Uses],
        settings: NetworkSettings,
        network: Network,
        database: Database,
        endpoints: Mapping[str, InterfaceEndpoint],
    ) -> None:
        """Build the groups of what `all_uses` come to, with rules to `endpoints` and to that of the secrets."""
        super().__init__(scope, construct_id)
        self._settings = settings
        self._groups: dict[str, ec2.SecurityGroup] = {}
        for way in sorted({way for uses in all_uses for way in uses.ways}):
            group = self._groups[way] = ec2.SecurityGroup(
                self, way, vpc=network.vpc, description=f"Jobs that use {_called(way)}", allow_all_outbound=False
            )
            if way == SECRETS:
                database.allow_secrets_from(group)
            elif way in endpoints:
                endpoints[way].allow_from(group)
            else:
                group.add_egress_rule(self._peer(way), ec2.Port.tcp(int(way) if way.isdigit() else HTTPS), _called(way))

    def groups(self, uses: Uses) -> list[ec2.ISecurityGroup]:
        """Return the groups of what `uses` needs."""
        return [self._groups[way] for way in sorted(uses.ways)]

    def _peer(self, way: str) -> ec2.IPeer:
        """Where a way without an endpoint's group leads to.

        To any address: of those, a job has a route to the internet only if it uses it, and else to nothing but the
        gateway endpoints, or to what the routes of an existing VPC have.
        """
        listed = getattr(self._settings.prefix_lists, way) if way in GATEWAYS else None
        return ec2.Peer.any_ipv4() if listed is None else ec2.Peer.prefix_list(listed)


def interface_endpoints(
    scope: cdk.Stack, *, all_uses: Sequence[Uses], settings: NetworkSettings, network: Network
) -> dict[str, InterfaceEndpoint]:
    """Add the endpoints to `scope` that `all_uses` need, by the endpoint; none to a VPC that is there.

    There, private names would lead whoever else is in it to an endpoint whose policy is not for them.
    """
    if settings.vpc_id is not None:
        return {}
    needed = interfaces(all_uses)
    return {
        endpoint: InterfaceEndpoint(
            scope,
            f"Endpoint-{endpoint}",
            service=endpoint,
            called=_called(endpoint),
            vpc=network.vpc,
            subnets=network.subnets,
            statements=of_an_endpoint(some, scope),
        )
        for endpoint, some in together(all_uses, scope).items()
        if endpoint in needed
    }


def _called(way: str) -> str:
    """Return what people call a way."""
    if way.isdigit():
        return f"the internet, port {way}"
    if way == SECRETS:
        return "secrets"
    return " and ".join(sorted(name for name, each in SERVICES.items() if each.endpoint == way))
