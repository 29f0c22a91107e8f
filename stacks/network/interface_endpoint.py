"""InterfaceEndpoint construct: access from isolated subnets to one AWS service, for what is stated and nothing else."""

from collections.abc import Iterable

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct


class InterfaceEndpoint(Construct):
    """An endpoint with private addresses. It costs about 7 USD a month and zone."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        service: str,
        called: str,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        statements: Iterable[iam.PolicyStatement],
    ) -> None:
        """Build the endpoint of `service`, as AWS names it, `called` so to people, which lets `statements` through.

        The roles' own policies have to allow it, too.
        """
        super().__init__(scope, construct_id)
        security_group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=vpc,
            description=f"Interface endpoint of {called}",
            allow_all_outbound=False,
        )
        self._endpoint = ec2.InterfaceVpcEndpoint(
            self,
            "Endpoint",
            vpc=vpc,
            subnets=subnets,
            service=ec2.InterfaceVpcEndpointAwsService(service),
            security_groups=[security_group],
            open=False,  # each consumer is allowed by `allow_from`
        )
        for statement in statements:
            self._endpoint.add_to_policy(statement)

    def allow_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Allow connections from `security_group`."""
        security_group.connections.allow_to_default_port(self._endpoint)
