"""DatabaseFunction construct: a function in the database's subnets, with a role and a log group of its own."""

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from packages.target import FUNCTION
from settings import names

NETWORK_INTERFACE_ACTIONS = (
    # What Lambda does with the function's role to connect it to the VPC. AWS offers no narrower resource.
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


class DatabaseFunction(Construct):
    """A function in the network's subnets whose role may only write its log, until more is granted.

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
        code: lambda_.Code,
        description: str,
        handler: str,
        timeout_seconds: int,
        memory_mb: int,
        reserved_concurrency: int,
        variables: Mapping[str, str],
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        security_groups: Sequence[ec2.ISecurityGroup],
        encryption_key: kms.IKey | None,
    ) -> None:
        """Build the function `name`, which runs `handler` of `code` in `subnets` of `vpc` and in `security_groups`.

        At most `reserved_concurrency` of its runs are at work at once. `encryption_key` encrypts its log, else
        CloudWatch's own does."""
        super().__init__(scope, construct_id)
        self.log_group = logs.LogGroup(
            self,
            "LogGroup",
            log_group_name=names.function_log(name),
            encryption_key=encryption_key,
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.role = self._role(name, self.log_group)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            description=description,
            runtime=getattr(lambda_.Runtime, f"PYTHON_{FUNCTION.python.replace('.', '_')}"),
            architecture=lambda_.Architecture.ARM_64,
            code=code,
            handler=handler,
            timeout=cdk.Duration.seconds(timeout_seconds),
            memory_size=memory_mb,
            reserved_concurrent_executions=reserved_concurrency,
            environment={
                # Bounds name resolution, which Python can't: glibc's default is 10 s or more.
                "RES_OPTIONS": "timeout:1 attempts:2",
                **variables,
            },
            role=self.role,
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            vpc=vpc,
            vpc_subnets=subnets,
            security_groups=list(security_groups),
        )

    def _role(self, name: str, log_group: logs.ILogGroup) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        role.add_to_policy(iam.PolicyStatement(actions=list(NETWORK_INTERFACE_ACTIONS), resources=["*"]))
        # They are Lambda's to use, before the function runs. Its code, and whoever gets hold of its credentials, which
        # carry this key wherever they are used, shall not have them.
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-best-practice
        role.add_to_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=list(NETWORK_INTERFACE_ACTIONS),
                resources=["*"],
                conditions={"ArnEquals": {"lambda:SourceFunctionArn": self._arn(name)}},
            )
        )
        return role

    def _arn(self, name: str) -> str:
        """The function's ARN, without a reference to it: the function depends on its role."""
        return cdk.Stack.of(self).format_arn(
            service="lambda",
            resource="function",
            resource_name=name,
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
