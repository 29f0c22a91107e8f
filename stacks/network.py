"""Network stack: an isolated VPC."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from stacks.settings import NetworkSettings


class Network(cdk.Stack):
    """Subnets without a way out: no NAT, no internet.

    Attributes:
        vpc: the VPC; all its subnets are isolated.
        secrets_manager: the one way to an AWS service, for who must read a password: the migrations and, with
            auth = "secret", the jobs. It costs about 7 USD a month and zone.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: NetworkSettings) -> None:
        """Build the network that `settings` describe."""
        super().__init__(scope, construct_id)
        self._zones = [f"{self.region}{letter}" for letter in settings.zones]
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(settings.cidr),
            availability_zones=self._zones,
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=26)
            ],
            restrict_default_security_group=True,
        )
        self.secrets_manager = self.vpc.add_interface_endpoint(
            "SecretsManager",
            service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
            security_groups=[self._endpoint_security_group()],
            open=False,  # each consumer opens its own way
        )

        cdk.Validations.of(self.vpc).acknowledge(
            cdk.Acknowledgment(
                id="CloudFormation-Validate::W3010",
                reason="The zones are a setting: a template that asked AWS for them would differ between accounts",
            )
        )

    @property
    def availability_zones(self) -> list[str]:
        """The settings' zones: to ask AWS for them would take credentials at synth."""
        return self._zones

    def _endpoint_security_group(self) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self,
            "SecretsManagerSecurityGroup",
            vpc=self.vpc,
            description="Interface endpoint of Secrets Manager",
            allow_all_outbound=False,
        )
