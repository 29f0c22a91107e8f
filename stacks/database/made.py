"""The server that an environment makes: its instance, and the ways to it."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IDependable

from settings.environment import DatabaseSettings
from stacks.database.instance import ENGINE, add_instance
from stacks.database.login import let_read
from stacks.network.network import Network


class MadeServer:
    """The instance that [database] describes; see server.py.

    Attributes:
        instance: the RDS instance.
    """

    def __init__(
        self,
        stack: cdk.Stack,
        *,
        environment: str,
        settings: DatabaseSettings,
        network: Network,
        encryption_key: kms.IKey | None,
    ) -> None:
        """Add the instance to `stack`."""
        self.instance = add_instance(
            stack, environment=environment, settings=settings, network=network, encryption_key=encryption_key
        )
        self.host = self.instance.db_instance_endpoint_address
        # Not the instance's own attribute: where the value of an output changes, the templates of the stacks that use
        # it don't, and the CDK CLI skips them.
        self.port = settings.port
        self.dimensions: Mapping[str, str] = {"DBInstanceIdentifier": self.instance.instance_identifier}
        self.secret = _given(self.instance.secret)
        self._key = encryption_key

    def grant_connect(self, role: iam.IRole, user: str) -> None:
        """Grant `role` the login as the database user `user` with a token."""
        self.instance.grant_connect(role, user)

    def grant_secret(self, role: iam.IRole) -> None:
        """Grant `role` reading the master secret, which RDS makes and rotates."""
        let_read(role, [self.secret.secret_arn], self._key)

    def allow_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Allow connections from `security_group`."""
        # The text is part of the rule's logical id, and what the CDK writes for a port that it does not know. With
        # another, an update from 0.1.0 would add the rule a second time before it deletes the first: AWS refuses that.
        port = ec2.Port(
            protocol=ec2.Protocol.TCP,
            from_port=self.port,
            to_port=self.port,
            string_representation="{IndirectPort}",
        )
        security_group.connections.allow_to(self.instance, port)

    def proxy_target(self, scope: Construct, security_group: ec2.ISecurityGroup) -> rds.ProxyTarget:
        """Return it as the target of a proxy, as the stack of `scope` sees it; the CDK adds the rules.

        To the instance itself, it would add the rule for the proxy in the instance's stack.
        """
        groups = [
            ec2.SecurityGroup.from_security_group_id(scope, f"InstanceSecurityGroup{number}", group.security_group_id)
            for number, group in enumerate(self.instance.connections.security_groups)
        ]
        instance = rds.DatabaseInstance.from_database_instance_attributes(
            scope,
            "Instance",
            instance_identifier=self.instance.instance_identifier,
            instance_endpoint_address=self.host,
            port=self.port,
            security_groups=groups,
            engine=ENGINE,
        )
        self._ways_in: list[IDependable] = [*instance.connections.security_groups]
        return rds.ProxyTarget.from_instance(instance)

    def ways_in(self) -> list[IDependable]:
        """Return the instance's security groups as the proxy's stack sees them, with their rules for the proxy."""
        return self._ways_in


def _given(secret: secretsmanager.ISecret | None) -> secretsmanager.ISecret:
    if secret is None:
        raise AssertionError("manage_master_user_password=True makes RDS provide a secret")
    return secret
