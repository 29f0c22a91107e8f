"""DatabaseFunction construct: a function beside the database, with a role and a log group of its own."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.function_code import function_code
from stacks.network import Network

NETWORK_INTERFACE_ACTIONS = (
    # What Lambda does in the role's name to give the function an address in the VPC. AWS knows no narrower resource.
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


class DatabaseFunction(Construct):
    """A function in the network's subnets that may do nothing but log until more is granted.

    Attributes:
        function: the function.
        role: its own role.
        log_group: where it logs.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        description: str,
        handler: str,
        timeout_seconds: int,
        memory_mb: int,
        reserved_concurrency: int,
        variables: Mapping[str, str],
        network: Network,
        security_group: ec2.ISecurityGroup,
    ) -> None:
        """Build the function `name` that runs `handler` in `security_group`, `reserved_concurrency` times at once."""
        super().__init__(scope, construct_id)
        self.log_group = logs.LogGroup(
            self,
            "LogGroup",
            log_group_name=f"/aws/lambda/{name}",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.role = self._role(self.log_group)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            code=function_code(cdk.Stack.of(self).region),
            handler=handler,
            timeout=cdk.Duration.seconds(timeout_seconds),
            memory_size=memory_mb,
            reserved_concurrent_executions=reserved_concurrency,
            environment={
                # How long resolving a name may take; nothing in Python bounds it. glibc's default is 10 s or more.
                "RES_OPTIONS": "timeout:1 attempts:2",
                **variables,
            },
            role=self.role,
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            vpc=network.vpc,
            vpc_subnets=network.subnets,
            security_groups=[security_group],
        )

    def _role(self, log_group: logs.ILogGroup) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        role.add_to_policy(iam.PolicyStatement(actions=list(NETWORK_INTERFACE_ACTIONS), resources=["*"]))
        return role
