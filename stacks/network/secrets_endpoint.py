"""SecretsEndpoint construct: access from isolated subnets to the database's secrets, and to nothing else."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct


class SecretsEndpoint(Construct):
    """An interface endpoint of Secrets Manager. It costs about 7 USD a month and zone."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        secrets: Sequence[str],
    ) -> None:
        """Build an endpoint through which this account's roles may read the secrets with these ARNs.

        Their own policies have to allow it, too.
        """
        super().__init__(scope, construct_id)
        security_group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=vpc,
            description="Interface endpoint of Secrets Manager",
            allow_all_outbound=False,
        )
        self._endpoint = ec2.InterfaceVpcEndpoint(
            self,
            "Endpoint",
            vpc=vpc,
            subnets=subnets,
            service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
            security_groups=[security_group],
            open=False,  # each consumer is allowed by `allow_from`
        )
        # The default allows everything: a compromised function could send data to a secret of another account.
        # https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
        self._endpoint.add_to_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=["secretsmanager:GetSecretValue"],
                resources=list(secrets),
                conditions={"StringEquals": {"aws:PrincipalAccount": cdk.Stack.of(self).account}},
            )
        )

    def allow_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Allow connections from `security_group`."""
        security_group.connections.allow_to_default_port(self._endpoint)
