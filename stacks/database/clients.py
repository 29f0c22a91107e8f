"""The rules that let [[database.clients]] in: an application, people through a bastion host."""

from collections.abc import Sequence

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from constructs import Construct

from settings.environment import ClientSettings


def let_clients_in(
    scope: Construct, construct_id: str, *, instance: rds.DatabaseInstance, port: int, clients: Sequence[ClientSettings]
) -> None:
    """Let `clients` connect to `instance`, on its port and no other. TLS and a login are asked of them as of the jobs.

    A resource for each rule, named for whom it lets in: the order in the file means nothing, and no rule of another
    stack in the same group is touched.
    """
    if not clients:
        return
    [group] = instance.connections.security_groups
    rules = Construct(scope, construct_id)
    for client in clients:
        ec2.CfnSecurityGroupIngress(
            rules,
            _given(client.peer),
            group_id=group.security_group_id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            source_security_group_id=client.security_group,
            source_prefix_list_id=client.prefix_list,
            cidr_ip=client.cidr,
            description=client.reason,
        )


def _given(peer: str | None) -> str:
    if peer is None:
        raise AssertionError("settings/checks.py asks for one of them")
    return peer
