"""What the Database stack knows of a MySQL server, whether it makes it (made.py) or finds it (existing.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IDependable


class Server(Protocol):
    """An RDS instance or an Aurora cluster."""

    host: str
    """The name of its endpoint."""
    port: int
    """Where it listens."""
    dimensions: Mapping[str, str]
    """Which metrics of AWS/RDS are its own."""
    secret: secretsmanager.ISecret
    """Username and password that the migrations log in with."""

    def grant_connect(self, role: iam.IRole, user: str) -> None:
        """Grant `role` the login as the database user `user` with a token."""

    def grant_secret(self, role: iam.IRole) -> None:
        """Grant `role` reading the secret."""

    def allow_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Allow connections from `security_group`, by rules in that one's stack."""

    def proxy_target(self, scope: Construct, security_group: ec2.ISecurityGroup) -> rds.ProxyTarget:
        """Return it as the target of a proxy in `security_group`, with what has to be made for that in `scope`."""

    def ways_in(self) -> list[IDependable]:
        """Return what makes it reachable for a proxy, besides the proxy's own group."""
