"""Network stack: a new VPC, or an existing one."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from settings.checks import SUBNETS
from settings.environment import NetworkSettings
from settings.uses import Uses
from stacks.network.gateways import add_gateways

ISOLATED, WITH_EGRESS, PUBLIC = SUBNETS

RETENTION = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


class Network(cdk.Stack):
    """The network of an environment. A new VPC is isolated: no NAT, no internet, but for jobs that use it.

    Attributes:
        vpc: the VPC.
        subnets: the subnets that everything is in.
        egress_subnets: those that jobs are in which use the internet.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: NetworkSettings,
        all_uses: Sequence[Uses],
        encryption_key: str | None,
    ) -> None:
        """Build the VPC that `settings` describe, or refer to the existing one that they name.

        `all_uses` are what the jobs use besides their database. `encryption_key` is the ARN of the key that encrypts
        the flow logs, else CloudWatch's own does.
        """
        super().__init__(scope, construct_id)
        self._zones = [f"{self.region}{letter}" for letter in settings.zones]
        self.vpc: ec2.IVpc
        if settings.cidr is not None:
            self.vpc = self._isolated_vpc(settings.cidr, egress=settings.egress == "nat")
            self._record_traffic(self.vpc, settings.flow_log_days, encryption_key)
        elif settings.vpc_id is not None:
            self.vpc = self._existing_vpc(settings.vpc_id)
        else:
            raise AssertionError("settings/checks.py asks for a cidr or a vpc_id")
        self.subnets = ec2.SubnetSelection(
            subnet_type=ec2.SubnetType.PRIVATE_ISOLATED
            if self.vpc.isolated_subnets
            else ec2.SubnetType.PRIVATE_WITH_EGRESS
        )
        self.egress_subnets = self._with_egress(settings, needed=any(uses.internet for uses in all_uses))
        if settings.cidr is not None:
            private = [self.subnets, self.egress_subnets] if settings.egress == "nat" else [self.subnets]
            add_gateways(self, vpc=self.vpc, subnets=private, all_uses=all_uses)

    def subnets_of(self, uses: Uses) -> ec2.SubnetSelection:
        """Return the subnets that a job with these `uses` is in: those with a way out only if it needs that."""
        return self.egress_subnets if uses.internet else self.subnets

    @property
    def availability_zones(self) -> list[str]:
        """The zones of the settings: to ask AWS for them, synth would need credentials."""
        return self._zones

    def _with_egress(self, settings: NetworkSettings, *, needed: bool) -> ec2.SubnetSelection:
        if needed and not self.vpc.private_subnets:
            cdk.Annotations.of(self).add_error(
                f"{settings.vpc_id} has no private subnets with egress, which jobs are in that use the internet: tag "
                "them aws-cdk:subnet-type = Private, take the VPC out of cdk.context.json, and run `npx cdk synth` "
                "once with credentials"
            )
            return self.subnets  # the CDK's own error would name a type of its own
        return ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)

    def _isolated_vpc(self, cidr: str, *, egress: bool) -> ec2.Vpc:
        isolated = ec2.SubnetConfiguration(
            name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=ISOLATED
        )
        # After it, so that it has the same addresses with and without them.
        outwards = [
            ec2.SubnetConfiguration(
                name="Egress", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=WITH_EGRESS
            ),
            ec2.SubnetConfiguration(
                name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=PUBLIC, map_public_ip_on_launch=False
            ),
        ]
        return ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(cidr),
            availability_zones=self._zones,
            # One: a zone that fails takes the internet from all of them, and the next run catches up.
            nat_gateways=1 if egress else 0,
            subnet_configuration=[isolated, *outwards] if egress else [isolated],
            restrict_default_security_group=True,
        )

    def _existing_vpc(self, vpc_id: str) -> ec2.IVpc:
        vpc = ec2.Vpc.from_lookup(self, "Vpc", vpc_id=vpc_id)
        if vpc.vpc_id != vpc_id:  # the CDK's placeholder, vpc-12345: it was not looked up yet
            # Not raised: the CLI looks it up after a first synthesis that has reported it as missing.
            # https://docs.aws.amazon.com/cdk/v2/guide/context.html
            cdk.Annotations.of(self).add_error(
                f"cdk.context.json does not know {vpc_id}: run `npx cdk synth` once with credentials of the account "
                f"{self.account}, and commit cdk.context.json"
            )
        return vpc

    def _record_traffic(self, vpc: ec2.IVpc, days: int, encryption_key: str | None) -> None:
        log_group = logs.LogGroup(
            self,
            "FlowLogGroup",
            encryption_key=kms.Key.from_key_arn(self, "Key", encryption_key) if encryption_key else None,
            retention=RETENTION[days],
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        role = iam.Role(
            self,
            "FlowLogRole",
            # Only for this account's flow logs: https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
            assumed_by=iam.ServicePrincipal(
                "vpc-flow-logs.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            ),
        )
        vpc.add_flow_log("FlowLog", destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group, role))
