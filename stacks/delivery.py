"""The Stage of the delivery to one environment: GitHub's identity provider, and the roles of its workflows.

A Stage of its own, so that `make deploy` of the environment never changes it: a person deploys it, by `make delivery`.
See docs/delivery.md.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from settings import names
from settings.environment import DatabaseSettings, DeliverySettings, EnvironmentSettings

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
"""The audience for which aws-actions/configure-aws-credentials requests tokens.
https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws"""


class Delivery(cdk.Stage):
    """The delivery to one environment.

    Attributes:
        roles: its only stack.
    """

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, delivery: DeliverySettings) -> None:
        """Add the stage <environment>-delivery; `delivery` is the environment's own section."""
        boundary = settings.permissions_boundary
        super().__init__(
            scope,
            f"{settings.name}-delivery",
            env=cdk.Environment(account=settings.account, region=settings.region),
            permissions_boundary=cdk.PermissionsBoundary.from_name(boundary) if boundary else None,
        )
        self.settings = settings
        self.roles = Roles(self, "Roles", settings=settings, delivery=delivery)
        for key, value in {**settings.tags, "project": "mysql-jobs", "environment": settings.name}.items():
            cdk.Tags.of(self).add(key, value)


class Roles(cdk.Stack):
    """GitHub's identity provider, and two roles for workflows.

    Attributes:
        read_only: compares with what is deployed; can't change it.
        deploy: runs the CDK CLI, which assumes the roles of `cdk bootstrap` for the work.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: EnvironmentSettings, delivery: DeliverySettings
    ) -> None:
        """Build the roles that only jobs of the repository in `delivery` may assume."""
        super().__init__(scope, construct_id, termination_protection=True)
        self._settings = settings
        self._repository = delivery.repository
        self._provider = self._identity_provider(make=delivery.provider)
        self.read_only = self._role(
            "ReadOnly", names.READ_ONLY, assumes=("lookup",), asks=("DescribeStacks", "GetTemplate")
        )
        self.deploy = self._role(
            "Deploy",
            names.DEPLOY,
            assumes=("deploy", "file-publishing", "lookup"),
            asks=("DescribeStackEvents", "DescribeStacks", "GetTemplate"),
            database=True,
        )

    def _identity_provider(self, *, make: bool) -> iam.IOidcProvider:
        if make:
            return iam.OidcProviderNative(self, "Provider", url=f"https://{ISSUER}", client_ids=[AUDIENCE])
        arn = f"arn:aws:iam::{self._settings.account}:oidc-provider/{ISSUER}"
        return iam.OidcProviderNative.from_oidc_provider_arn(self, "Provider", arn)

    def _role(
        self, construct_id: str, role: str, *, assumes: tuple[str, ...], asks: tuple[str, ...], database: bool = False
    ) -> iam.Role:
        github = names.github_environment(self._settings.name, role)
        return iam.Role(
            self,
            construct_id,
            role_name=names.workflow_role(self._settings.name, role),
            description=f"Workflows of {self._repository} in the GitHub environment {github}",
            assumed_by=iam.OpenIdConnectPrincipal(
                self._provider,
                # Exact: a pattern in a subject would admit every repository or environment whose name fits it.
                conditions={
                    "StringEquals": {
                        f"{ISSUER}:aud": AUDIENCE,
                        f"{ISSUER}:sub": f"repo:{self._repository}:environment:{github}",
                    }
                },
            ),
            max_session_duration=cdk.Duration.hours(names.SESSION_HOURS[role]),
            inline_policies={
                "Cdk": iam.PolicyDocument(
                    statements=[*self._rights(assumes, asks), *(self._database_rights() if database else ())]
                )
            },
        )

    def _rights(self, assumes: tuple[str, ...], asks: tuple[str, ...]) -> list[iam.PolicyStatement]:
        settings = self._settings
        # The roles of `cdk bootstrap` trust their whole account, so it is these rights that decide who assumes them.
        roles = [names.bootstrap_role(settings.account, settings.region, each) for each in assumes]
        version = self.format_arn(
            service="ssm", resource="parameter", resource_name=f"cdk-bootstrap/{names.QUALIFIER}/version"
        )
        stacks = self.format_arn(service="cloudformation", resource="stack", resource_name=f"{settings.name}-*/*")
        return [
            iam.PolicyStatement(actions=["sts:AssumeRole"], resources=roles),
            iam.PolicyStatement(actions=["ssm:GetParameter"], resources=[version]),
            iam.PolicyStatement(actions=[f"cloudformation:{each}" for each in asks], resources=[stacks]),
        ]

    def _database_rights(self) -> list[iam.PolicyStatement]:
        """To look, before a deploy, at what it would change or restore: delivery/database_checks.py."""
        if not isinstance(self._settings.database, DatabaseSettings):
            return []  # a deploy changes nothing of a database that is there
        instance = names.database(self._settings.name)
        snapshot = self._settings.database.snapshot
        looks = [("rds:DescribeDBInstances", self._rds_arn("db", instance))]
        if snapshot is not None:
            arn = snapshot if snapshot.startswith("arn:") else self._rds_arn("snapshot", snapshot)
            looks.append(("rds:DescribeDBSnapshots", arn))
        return [iam.PolicyStatement(actions=[action], resources=[arn]) for action, arn in looks]

    def _rds_arn(self, kind: str, name: str) -> str:
        return self.format_arn(
            service="rds", resource=kind, resource_name=name, arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
        )
