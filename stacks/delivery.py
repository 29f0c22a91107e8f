"""The Stage of what delivers to one environment: GitHub's identity provider, and the roles of its workflows.

A Stage of its own, so that `make deploy` of the environment leaves it alone: a person deploys it. See docs/delivery.md.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.delivery_access import (
    DEPLOY,
    QUALIFIER,
    READ_ONLY,
    SESSION_HOURS,
    bootstrap_role,
    github_environment,
    role_name,
)
from stacks.settings import DeliverySettings, EnvironmentSettings

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
"""What aws-actions/configure-aws-credentials asks GitHub for.
https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws"""


class Delivery(cdk.Stage):
    """What delivers to one environment.

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
    """GitHub's identity provider, and a role to look with and one to deploy with.

    Attributes:
        read_only: reads what is deployed; can't change it.
        deploy: starts the deploys of the CDK CLI, whose own roles do the work.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: EnvironmentSettings, delivery: DeliverySettings
    ) -> None:
        """Build the roles that only jobs of the repository in `delivery` may work in."""
        super().__init__(scope, construct_id, termination_protection=True)
        self._settings = settings
        self._repository = delivery.repository
        self._provider = self._identity_provider(make=delivery.provider)
        self.read_only = self._role("ReadOnly", READ_ONLY, assumes=("lookup",), asks=("DescribeStacks",))
        self.deploy = self._role(
            "Deploy",
            DEPLOY,
            assumes=("deploy", "file-publishing", "lookup"),
            asks=("DescribeStackEvents", "DescribeStacks"),
        )

    def _identity_provider(self, *, make: bool) -> iam.IOidcProvider:
        if make:
            return iam.OidcProviderNative(self, "Provider", url=f"https://{ISSUER}", client_ids=[AUDIENCE])
        arn = f"arn:aws:iam::{self._settings.account}:oidc-provider/{ISSUER}"
        return iam.OidcProviderNative.from_oidc_provider_arn(self, "Provider", arn)

    def _role(self, construct_id: str, role: str, *, assumes: tuple[str, ...], asks: tuple[str, ...]) -> iam.Role:
        github = github_environment(self._settings.name, role)
        return iam.Role(
            self,
            construct_id,
            role_name=role_name(self._settings.name, role),
            description=f"Workflows of {self._repository} in the GitHub environment {github}",
            assumed_by=iam.OpenIdConnectPrincipal(
                self._provider,
                # Word for word: a pattern in a subject lets in whoever finds a name that fits.
                conditions={
                    "StringEquals": {
                        f"{ISSUER}:aud": AUDIENCE,
                        f"{ISSUER}:sub": f"repo:{self._repository}:environment:{github}",
                    }
                },
            ),
            max_session_duration=cdk.Duration.hours(SESSION_HOURS[role]),
            inline_policies={"Cdk": iam.PolicyDocument(statements=self._what_the_cdk_needs(assumes, asks))},
        )

    def _what_the_cdk_needs(self, assumes: tuple[str, ...], asks: tuple[str, ...]) -> list[iam.PolicyStatement]:
        settings = self._settings
        # Those that `cdk bootstrap` made trust their whole account, so this decides who works in them.
        roles = [bootstrap_role(settings, each) for each in assumes]
        version = self.format_arn(
            service="ssm", resource="parameter", resource_name=f"cdk-bootstrap/{QUALIFIER}/version"
        )
        stacks = self.format_arn(service="cloudformation", resource="stack", resource_name=f"{settings.name}-*/*")
        return [
            iam.PolicyStatement(actions=["sts:AssumeRole"], resources=roles),
            iam.PolicyStatement(actions=["ssm:GetParameter"], resources=[version]),
            iam.PolicyStatement(actions=[f"cloudformation:{each}" for each in asks], resources=[stacks]),
        ]
