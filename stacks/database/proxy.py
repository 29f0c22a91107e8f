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
from stacks.network.network import Network

PORT = 3306
"""The port of RDS Proxy for MySQL, whatever the instance's is."""
SHARE_PERCENT = 90
"""The share of the instance's connections that it may use: the rest is for the migrations and for people."""


class DatabaseProxy(Construct):
    """A proxy for the jobs' users: with their IAM tokens all the way, or with their secrets.

    It is in the stack that uses it. CloudFormation waits until a proxy's target is available, and that asks for a login
    as a user that the proxy knows: those that the migrations make. And what is turned off is only deleted when
    nothing uses it any more.
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-troubleshooting.html
    https://github.com/aws/aws-cdk/issues/8919

    Attributes:
        proxy: the proxy.
        target: makes it connect to the server, which has to have the jobs' users by then.
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
        secrets = list(database.login.secrets.values())
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
        # GetSecretValue is all that it needs, though the CDK would grant DescribeSecret, too:
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-iam-setup.html
        if secrets:
            database.login.grant_read(role, database.login.all_secrets())
        else:
            for user in database.login.users_in_use():
                database.server.grant_connect(role, user)
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
            # The CDK would grant it each secret by itself, which outgrows a policy.
            role=role.without_policy_updates(),
            default_auth_scheme=rds.DefaultAuthScheme.NONE if secrets else rds.DefaultAuthScheme.IAM_AUTH,
            secrets=secrets or None,
            # MySQL 8.4's own; the proxy's default, mysql_native_password, is gone there.
            client_password_auth_type=rds.ClientPasswordAuthType.MYSQL_CACHING_SHA2_PASSWORD if secrets else None,
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

    def job_variables(self, job: str) -> dict[str, str]:
        """Return the environment variables that tell a job where the proxy is, and how to log in."""
        return {
            "DATABASE_HOST": self.proxy.endpoint,
            "DATABASE_PORT": str(PORT),
            **self._database.schema_variables(),
            "DATABASE_ENDPOINT": "proxy",
            **self._database.login.variables(job),
        }

    def grant_job_login(self, role: iam.IRole, job: str) -> None:
        """Grant `role` the login as a job's user."""
        login = self._database.login
        if login.auth == "iam":
            self.proxy.grant_connect(role, login.user_of(job))
        else:
            self._database.grant_job_login(role, job)

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
