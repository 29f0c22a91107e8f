"""Database stack: RDS MySQL, and what leads to it."""

import json
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.alarm_topic import AlarmTopic
from stacks.database_proxy import PORT as PROXY_PORT
from stacks.database_proxy import DatabaseProxy
from stacks.network import Network
from stacks.parameter_group import parameter_group
from stacks.secrets_endpoint import SecretsEndpoint
from stacks.settings import DatabaseSettings, EnvironmentSettings, ProxySettings

MASTER_USER = "admin"
JOBS_USER = "jobs"
"""Made by the migrations; the jobs log in as this user."""

ENGINE = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.VER_8_4_10)
"""Where an instance starts; RDS applies later minor versions by itself."""

LOGS = ("error", "slowquery")

EVENTS = (
    # What a person on call wants to know of the instance. Not: backups, changes that were asked for, and the weekly
    # rotation of the master password. https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html
    "availability",
    "deletion",
    "failover",
    "failure",
    "low storage",
    "maintenance",
    "notification",
    "recovery",
)

INHERITED = ("DBName", "KmsKeyId", "MasterUsername", "StorageEncrypted")
"""A snapshot brings them with it, and CloudFormation refuses them beside one.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html"""


class Database(cdk.Stack):
    """A private MySQL that only accepts TLS.

    Attributes:
        instance: the RDS instance.
        proxy: between the jobs and the instance, or None.
        master_secret: made and rotated by RDS; only the migrations read it.
        jobs_secret: the password of the jobs' user with auth = "secret", else None.
        alarm_topic: tells the people on call; gets RDS's events already.
        name: the schema that the jobs work in.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: EnvironmentSettings, network: Network) -> None:
        """Build the database that `settings` describe in `network`."""
        super().__init__(scope, construct_id, termination_protection=settings.database.deletion_protection)
        self.name = settings.database.name
        self._network = network
        # CloudFormation can't replace what has a name of its own, as the new one can't be made beside the old one. So a
        # setting that asks for another instance fails to deploy, and takes no data with it.
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
        self._identifier = f"{settings.name}-mysql-jobs"
        self._key = kms.Key.from_key_arn(self, "Key", settings.encryption_key) if settings.encryption_key else None
        self.instance = self._instance(settings.database)
        self.master_secret = _given(self.instance.secret)
        self.jobs_secret = self._jobs_secret() if settings.database.auth == "secret" else None
        self._endpoint = self._secrets_endpoint() if settings.network.secrets_endpoint else None
        longest_run = max(job.timeout_seconds for job in settings.jobs)
        self._proxy = self._database_proxy(settings.proxy, longest_run) if settings.proxy.enabled else None
        self.proxy = self._proxy.proxy if self._proxy is not None else None
        topic = AlarmTopic(self, "Alarms", name=f"{settings.name}-alarms", email=settings.alarms.email)
        self.alarm_topic = topic.topic
        self._tell_of_events(topic)

    def job_variables(self) -> dict[str, str]:
        """The environment variables that tell a job where the database is, and how to log in."""
        if self.proxy is None:
            return {**self.migration_variables(), **self.login_variables("DATABASE")}
        return {
            "DATABASE_HOST": self.proxy.endpoint,
            "DATABASE_PORT": str(PROXY_PORT),
            "DATABASE_NAME": self.name,
            "DATABASE_ENDPOINT": "proxy",
            **self.login_variables("DATABASE"),
        }

    def migration_variables(self) -> dict[str, str]:
        """The environment variables that tell the migrations where the instance is: they never use the proxy."""
        return {
            "DATABASE_HOST": self.instance.db_instance_endpoint_address,
            "DATABASE_PORT": self.instance.db_instance_endpoint_port,
            "DATABASE_NAME": self.name,
            "DATABASE_ENDPOINT": "instance",
        }

    def login_variables(self, prefix: str) -> dict[str, str]:
        """The environment variables <prefix>_… that tell a function how the jobs' user logs in."""
        if self.jobs_secret is None:
            return {f"{prefix}_USER": JOBS_USER, f"{prefix}_AUTH": "iam"}
        return {
            f"{prefix}_USER": JOBS_USER,
            f"{prefix}_AUTH": "secret",
            f"{prefix}_SECRET": self.jobs_secret.secret_arn,
        }

    def grant_jobs_login(self, role: iam.IRole) -> None:
        """Let `role` log in as the jobs' user."""
        if self.jobs_secret is not None:
            self._grant_read(self.jobs_secret, role)
        elif self._proxy is not None:
            role.add_to_principal_policy(iam.PolicyStatement(actions=["rds-db:connect"], resources=[self._proxy.login]))
        else:
            self.instance.grant_connect(role, JOBS_USER)

    def grant_migrations_login(self, role: iam.IRole) -> None:
        """Let `role` log in as the master user, and read what the jobs' user shall have for a password."""
        self._grant_read(self.master_secret, role)
        if self.jobs_secret is not None:
            self._grant_read(self.jobs_secret, role)

    def _grant_read(self, secret: secretsmanager.ISecret, role: iam.IRole) -> None:
        # Not `grant_read`, which grants DescribeSecret, too: nobody asks for that.
        role.add_to_principal_policy(
            iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[secret.secret_arn])
        )
        if self._key is not None:
            # The CDK would grant this in the key's own policy, which is not ours to change.
            # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
            role.add_to_principal_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt"],
                    resources=[self._key.key_arn],
                    conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{self.region}.amazonaws.com"}},
                )
            )

    # Ways are opened from the consumer's side; from this one, the two stacks would depend on each other.

    def allow_jobs_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Open the ways that jobs in `security_group` need."""
        if self.proxy is None:
            security_group.connections.allow_to_default_port(self.instance)
        else:
            security_group.connections.allow_to(self.proxy, ec2.Port.tcp(PROXY_PORT))
        if self.jobs_secret is not None:
            self._allow_secrets_from(security_group)

    def allow_migrations_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Open the ways that the migrations in `security_group` need."""
        security_group.connections.allow_to_default_port(self.instance)
        self._allow_secrets_from(security_group)

    def _allow_secrets_from(self, security_group: ec2.ISecurityGroup) -> None:
        if self._endpoint is not None:
            self._endpoint.allow_from(security_group)
        else:
            # The VPC has a way of its own, an endpoint or a NAT, whose addresses nobody here knows.
            security_group.connections.allow_to_any_ipv4(ec2.Port.tcp(443), "Secrets Manager")

    def _instance(self, settings: DatabaseSettings) -> rds.DatabaseInstance:
        instance = rds.DatabaseInstance(
            self,
            "Instance",
            instance_identifier=self._identifier,
            engine=ENGINE,
            parameter_group=parameter_group(self, "Parameters", engine=ENGINE),
            vpc=self._network.vpc,
            vpc_subnets=self._network.subnets,
            security_groups=[
                ec2.SecurityGroup(
                    self,
                    "SecurityGroup",
                    vpc=self._network.vpc,
                    description="The database",
                    allow_all_outbound=False,
                )
            ],
            port=settings.port,
            instance_type=ec2.InstanceType(settings.instance_class),
            multi_az=settings.multi_az,
            storage_type=rds.StorageType.GP3,
            allocated_storage=settings.storage_gb,
            max_allocated_storage=settings.max_storage_gb,
            iops=settings.storage_iops,
            storage_throughput=settings.storage_mbps,
            storage_encrypted=True,
            storage_encryption_key=self._key,
            database_name=settings.name,
            credentials=rds.Credentials.from_username(MASTER_USER, encryption_key=self._key),
            manage_master_user_password=True,
            iam_authentication=True,
            ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1,
            cloudwatch_logs_exports=list(LOGS),
            monitoring_interval=cdk.Duration.seconds(settings.monitoring_seconds),
            monitoring_role=self._monitoring_role() if settings.monitoring_seconds else None,
            **self._insights(settings),
            backup_retention=cdk.Duration.days(settings.backup_days),
            copy_tags_to_snapshot=True,
            deletion_protection=settings.deletion_protection,
            removal_policy=cdk.RemovalPolicy.SNAPSHOT,
            # The windows of backups and of maintenance are RDS's choice: it knows when the region's night is.
            auto_minor_version_upgrade=True,
            # 8.4 leaves standard support in 2029; staying longer shall be a decision, not a bill.
            engine_lifecycle_support=rds.EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED,
        )
        instance.node.add_dependency(*self._log_groups())
        if settings.snapshot is not None:
            _start_from(settings.snapshot, instance)
        return instance

    def _insights(self, settings: DatabaseSettings) -> dict[str, Any]:
        match settings.insights:
            case "off":
                return {"enable_performance_insights": False}
            case "standard":
                mode, retention = rds.DatabaseInsightsMode.STANDARD, rds.PerformanceInsightRetention.DEFAULT
            case "advanced":
                mode, retention = rds.DatabaseInsightsMode.ADVANCED, rds.PerformanceInsightRetention.MONTHS_15
        return {
            "enable_performance_insights": True,
            "database_insights_mode": mode,
            "performance_insight_retention": retention,
            "performance_insight_encryption_key": self._key,
        }

    def _monitoring_role(self) -> iam.Role:
        policy = iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonRDSEnhancedMonitoringRole")
        return iam.Role(
            self,
            "MonitoringRole",
            assumed_by=iam.ServicePrincipal(
                "monitoring.rds.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            ),
            managed_policies=[policy],
        )

    def _log_groups(self) -> list[logs.LogGroup]:
        """Where RDS exports the logs to: without these it would make groups of its own, and keep them for ever."""
        return [
            logs.LogGroup(
                self,
                f"{log.title()}Log",
                log_group_name=f"/aws/rds/instance/{self._identifier}/{log}",
                retention=logs.RetentionDays.THREE_MONTHS,
                removal_policy=cdk.RemovalPolicy.DESTROY,
            )
            for log in LOGS
        ]

    def _jobs_secret(self) -> secretsmanager.Secret:
        return secretsmanager.Secret(
            self,
            "JobsSecret",
            description="Login of the jobs' database user",
            encryption_key=self._key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"username": JOBS_USER}),
                generate_string_key="password",
                password_length=40,
                exclude_punctuation=True,
            ),
        )

    def _secrets_endpoint(self) -> SecretsEndpoint:
        return SecretsEndpoint(
            self,
            "SecretsEndpoint",
            vpc=self._network.vpc,
            subnets=self._network.subnets,
            secrets=[secret for secret in (self.master_secret, self.jobs_secret) if secret is not None],
        )

    def _database_proxy(self, settings: ProxySettings, longest_run_seconds: int) -> DatabaseProxy:
        return DatabaseProxy(
            self,
            "Proxy",
            name=self._identifier,
            borrow_timeout_seconds=settings.borrow_timeout_seconds,
            longest_run_seconds=longest_run_seconds,
            vpc=self._network.vpc,
            subnets=self._network.subnets,
            instance=self.instance,
            user=JOBS_USER,
            secret=self.jobs_secret,
        )

    def _tell_of_events(self, topic: AlarmTopic) -> None:
        events = rds.CfnEventSubscription(
            self,
            "Events",
            sns_topic_arn=topic.topic.topic_arn,
            source_type="db-instance",
            source_ids=[self.instance.instance_identifier],
            event_categories=list(EVENTS),
        )
        events.node.add_dependency(topic.policy)  # RDS refuses a topic that it may not publish to


def _start_from(snapshot: str, instance: rds.DatabaseInstance) -> None:
    """Make the instance from `snapshot`: the same construct, so nothing else notices."""
    resource = instance.node.default_child
    if not isinstance(resource, rds.CfnDBInstance):
        raise AssertionError("an instance is one resource")
    resource.db_snapshot_identifier = snapshot
    for name in INHERITED:
        resource.add_property_deletion_override(name)


def _given(secret: secretsmanager.ISecret | None) -> secretsmanager.ISecret:
    if secret is None:
        raise AssertionError("manage_master_user_password=True makes RDS provide a secret")
    return secret
