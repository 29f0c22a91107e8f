"""A server that is there, and that others own: referred to by what [database.existing] says, and by nothing else.

What is made for it is ours alone: rules in its security group, each a resource of its own, and rights of our own roles.
tests/stacks/test_existing_database.py holds that no template has anything that could change it.
"""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IDependable

from settings.existing_database import ExistingDatabase
from stacks.database.instance import ENGINE
from stacks.database.login import let_read


class ExistingServer:
    """The RDS for MySQL instance or the Aurora MySQL cluster that [database.existing] names; see server.py."""

    def __init__(self, stack: cdk.Stack, *, environment: str, settings: ExistingDatabase) -> None:
        """Refer to the one that `settings` name; in `stack`, nothing is made."""
        self._settings = settings
        self._stack = stack
        self._rule = f"mysql-jobs, environment {environment}"
        self._is_cluster = settings.engine == "aurora-mysql"
        self.host = settings.endpoint
        self.port = settings.port
        # Of a cluster, those of the writer, whichever instance that is.
        # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/dimensions.html
        self.dimensions: Mapping[str, str] = (
            {"DBClusterIdentifier": settings.identifier, "Role": "WRITER"}
            if self._is_cluster
            else {"DBInstanceIdentifier": settings.identifier}
        )
        self.secret = secretsmanager.Secret.from_secret_complete_arn(stack, "ExistingLogin", settings.login)
        self._key = kms.Key.from_key_arn(stack, "ExistingLoginKey", settings.login_key) if settings.login_key else None
        self._group = ec2.SecurityGroup.from_security_group_id(
            stack, "ExistingSecurityGroup", settings.security_group, allow_all_outbound=True
        )

    def grant_connect(self, role: iam.IRole, user: str) -> None:
        """Grant `role` the login as the database user `user` with a token."""
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html
        arn = self._stack.format_arn(
            service="rds-db",
            resource="dbuser",
            resource_name=f"{self._settings.resource_id}/{user}",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        role.add_to_principal_policy(iam.PolicyStatement(actions=["rds-db:connect"], resources=[arn]))

    def grant_secret(self, role: iam.IRole) -> None:
        """Grant `role` reading the secret that the migrations log in with."""
        let_read(role, [self.secret.secret_arn], self._key)

    def allow_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Allow connections from `security_group`: a rule in the server's group that says whose it is."""
        security_group.connections.allow_to(self._group, ec2.Port.tcp(self.port), self._rule)

    def proxy_target(self, scope: Construct, security_group: ec2.ISecurityGroup) -> rds.ProxyTarget:
        """Return it as the target of a proxy in `security_group`."""
        self.allow_from(security_group)
        # Without its security group: the CDK would add a second rule to that, which does not say whose it is.
        if self._is_cluster:
            cluster = rds.DatabaseCluster.from_database_cluster_attributes(
                scope,
                "Cluster",
                cluster_identifier=self._settings.identifier,
                engine=rds.DatabaseClusterEngine.AURORA_MYSQL,
                port=self.port,
            )
            return rds.ProxyTarget.from_cluster(cluster)
        instance = rds.DatabaseInstance.from_database_instance_attributes(
            scope,
            "Instance",
            instance_identifier=self._settings.identifier,
            instance_endpoint_address=self.host,
            port=self.port,
            security_groups=[],
            engine=ENGINE,
        )
        return rds.ProxyTarget.from_instance(instance)

    def ways_in(self) -> list[IDependable]:
        """Return nothing: the rule is with the proxy's own group."""
        return []
