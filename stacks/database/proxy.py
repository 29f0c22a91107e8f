"""DatabaseProxy construct: RDS Proxy between the jobs and the database; docs/proxy.md says when it helps."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from settings import names
from stacks.database.database import Database
from stacks.database.login import JOBS_USER
from stacks.network.network import Network

PORT = 3306
"""The port of RDS Proxy for MySQL, whatever the instance's is."""
SHARE_PERCENT = 90
"""The share of the instance's connections that it may use: the rest is for the migrations and for people."""


class DatabaseProxy(Construct):
    """A proxy for the jobs' user: with its IAM token all the way, or with its secret.

    It is in the stack that uses it. CloudFormation waits until a proxy's target is available, and that asks for a login
    as the only user that the proxy knows: one that the migrations make. And what is turned off is only deleted when
    nothing uses it any more.
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-troubleshooting.html
    https://github.com/aws/aws-cdk/issues/8919

    Attributes:
        proxy: the proxy.
        target: makes it connect to the server, which has to have the jobs' user by then.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        borrow_timeout_seconds: int,
        longest_run_seconds: int,
        network: Network,
        database: Database,
        encryption_key: kms.IKey | None,
    ) -> None:
        """Build the proxy of `database` for runs that take `longest_run_seconds` at most."""
        super().__init__(scope, construct_id)
        self._database = database
        secret = database.jobs_secret
        log_group = logs.LogGroup(
            self,
            "LogGroup",
            log_group_name=names.proxy_log(environment),  # otherwise RDS creates it, and keeps it for ever
            encryption_key=encryption_key,
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
            database.server.grant_connect(role, JOBS_USER)
        security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=network.vpc, description="The proxy", allow_all_outbound=False
        )
        self.proxy = rds.DatabaseProxy(
            self,
            "Proxy",
            db_proxy_name=names.database(environment),
            proxy_target=database.server.proxy_target(self, security_group),
            vpc=network.vpc,
            vpc_subnets=network.subnets,
            security_groups=[security_group],
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
        self.target = self._target()
        # With the rules that let it reach the server.
        self.target.node.add_dependency(security_group, *database.server.ways_in())

    def job_variables(self) -> dict[str, str]:
        """Return the environment variables that tell a job where the proxy is, and how to log in."""
        return {
            "DATABASE_HOST": self.proxy.endpoint,
            "DATABASE_PORT": str(PORT),
            **self._database.schema_variables(),
            "DATABASE_ENDPOINT": "proxy",
            **self._database.login_variables("DATABASE"),
        }

    def grant_jobs_login(self, role: iam.IRole) -> None:
        """Grant `role` the login as the jobs' user."""
        if self._database.jobs_secret is None:
            self.proxy.grant_connect(role, JOBS_USER)
        else:
            self._database.grant_jobs_login(role)

    def allow_jobs_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Allow the connections that jobs in `security_group` need."""
        security_group.connections.allow_to(self.proxy, ec2.Port.tcp(PORT))
        self._database.allow_login_from(security_group)

    def _target(self) -> rds.CfnDBProxyTargetGroup:
        target = self.proxy.node.find_child("ProxyTargetGroup")
        if not isinstance(target, rds.CfnDBProxyTargetGroup):
            raise AssertionError("a proxy has one target group")
        # The environment's tags: newer schemas of CloudFormation allow them here, the CDK's check (F3002) does not.
        target.add_property_deletion_override("Tags")
        return target


def init_query(seconds: int) -> str:
    """Return the limits that a run sets itself without a proxy (lambda/mysql_jobs/opening.py): through one, that pins.

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
