"""DatabaseProxy construct: RDS Proxy between the jobs and the database; docs/proxy.md says when it helps."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from settings import names

PORT = 3306
"""The port of RDS Proxy for MySQL, whatever the instance's is."""
SHARE_PERCENT = 90
"""The share of the instance's connections that it may use: the rest is for the migrations and for people."""


class DatabaseProxy(Construct):
    """A proxy for one database user: with its IAM token all the way, or with its secret.

    Attributes:
        proxy: the proxy.
        login: ARN of the proxy's user, for rds-db:connect, as other stacks can use it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        borrow_timeout_seconds: int,
        longest_run_seconds: int,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        instance: rds.DatabaseInstance,
        user: str,
        secret: secretsmanager.ISecret | None,
    ) -> None:
        """Build the proxy for runs of `user` that take `longest_run_seconds` at most."""
        super().__init__(scope, construct_id)
        log_group = logs.LogGroup(
            self,
            "LogGroup",
            log_group_name=names.proxy_log(environment),  # otherwise RDS creates it, and keeps it for ever
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "rds.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(self).account}},
            ),
        )
        if secret is None:
            # The CDK gives a proxy with end-to-end IAM no right; with a secret, the right to read it.
            # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-iam-setup.html
            instance.grant_connect(role, user)
        self.proxy = rds.DatabaseProxy(
            self,
            "Proxy",
            db_proxy_name=names.database(environment),
            proxy_target=rds.ProxyTarget.from_instance(instance),
            vpc=vpc,
            vpc_subnets=subnets,
            security_groups=[
                ec2.SecurityGroup(self, "SecurityGroup", vpc=vpc, description="The proxy", allow_all_outbound=False)
            ],
            role=role,
            default_auth_scheme=rds.DefaultAuthScheme.IAM_AUTH if secret is None else rds.DefaultAuthScheme.NONE,
            secrets=None if secret is None else [secret],
            # MySQL 8.4's own; the proxy's default, mysql_native_password, is gone there.
            client_password_auth_type=None
            if secret is None
            else rds.ClientPasswordAuthType.MYSQL_CACHING_SHA2_PASSWORD,
            require_tls=True,
            borrow_timeout=cdk.Duration.seconds(borrow_timeout_seconds),
            idle_client_timeout=cdk.Duration.seconds(max(60, longest_run_seconds)),  # default 30 minutes
            max_connections_percent=SHARE_PERCENT,
            init_query=init_query(longest_run_seconds),
        )
        self.proxy.node.add_dependency(log_group, role)
        # Split here: the proxy's `grant_connect` would do it in the jobs' stack, where the ARN is an output of
        # another stack, which Fn::Split does not accept (cfn-lint, E1022).
        proxy_id = cdk.Fn.select(6, cdk.Fn.split(":", self.proxy.db_proxy_arn))
        login = cdk.CfnOutput(
            self,
            "Login",
            value=cdk.Stack.of(self).format_arn(
                service="rds-db",
                resource="dbuser",
                resource_name=f"{proxy_id}/{user}",
                arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
            ),
        )
        self.login = cdk.Fn.get_stack_output(cdk.Stack.of(self).stack_name, login.logical_id)
        target_group = self.proxy.node.find_child("ProxyTargetGroup")
        if isinstance(target_group, rds.CfnDBProxyTargetGroup):
            # The environment's tags: newer schemas of CloudFormation allow them here, the CDK's check (F3002) does not.
            target_group.add_property_deletion_override("Tags")


def init_query(seconds: int) -> str:
    """Return the limits that a run sets itself without a proxy (lambda/mysql_jobs/session.py): through one, that pins.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-pinning.html
    """
    limits = {
        "max_execution_time": seconds * 1000,  # ms
        "innodb_lock_wait_timeout": seconds,
        "lock_wait_timeout": seconds,
        "net_write_timeout": seconds,
        "net_read_timeout": seconds,
    }
    return "SET " + ", ".join(f"{name} = {value}" for name, value in limits.items())
