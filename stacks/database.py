"""Database stack: RDS MySQL."""

import json

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.settings import DatabaseSettings

MASTER_USER = "admin"
JOBS_USER = "jobs"
"""Made by the migrations; the jobs log in as this user."""

ENGINE = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.VER_8_4_10)
"""Where an instance starts; RDS applies later minor versions by itself."""

PARAMETERS = {
    # Nobody reads or forges what travels. "1": scanners take "ON" for off.
    "require_secure_transport": "1",
    # Sessions state limits of their own; these are for whoever connects without them.
    "wait_timeout": "300",  # default 8 h: what a client that vanished holds until then
    "innodb_lock_wait_timeout": "20",
    "lock_wait_timeout": "60",  # metadata locks; default a year
    # A connection that is cut during its handshake counts here; at 100, the default, the host would be locked out.
    "max_connect_errors": "1000000",
}


class Database(cdk.Stack):
    """A private MySQL that only accepts TLS.

    Attributes:
        instance: the RDS instance; open a way to it from the consumer's side.
        master_secret: made and rotated by RDS; only the migrations read it.
        jobs_secret: the password of the jobs' user with auth = "secret", else None.
        name: the schema that the jobs work in.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: DatabaseSettings, vpc: ec2.IVpc) -> None:
        """Build the database that `settings` describe in the isolated subnets of `vpc`."""
        super().__init__(scope, construct_id)
        self.name = settings.name
        self.instance = rds.DatabaseInstance(
            self,
            "Instance",
            engine=ENGINE,
            parameter_group=rds.ParameterGroup(
                self, "Parameters", engine=ENGINE, description="Limits of the server", parameters=PARAMETERS
            ),
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_groups=[self._security_group(vpc)],
            port=settings.port,
            instance_type=ec2.InstanceType(settings.instance_class),
            multi_az=settings.multi_az,
            storage_type=rds.StorageType.GP3,
            allocated_storage=settings.storage_gb,
            max_allocated_storage=settings.max_storage_gb,
            storage_encrypted=True,
            database_name=settings.name,
            credentials=rds.Credentials.from_username(MASTER_USER),
            manage_master_user_password=True,
            iam_authentication=True,
            ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1,
            cloudwatch_logs_exports=["error", "slowquery"],
            backup_retention=cdk.Duration.days(settings.backup_days),
            copy_tags_to_snapshot=True,
            deletion_protection=settings.deletion_protection,
            removal_policy=cdk.RemovalPolicy.SNAPSHOT,
            auto_minor_version_upgrade=True,
            # 8.4 leaves standard support in 2029; staying longer shall be a decision, not a bill.
            engine_lifecycle_support=rds.EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED,
        )
        self.master_secret = _given(self.instance.secret)
        self.jobs_secret = self._jobs_secret() if settings.auth == "secret" else None

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
        if self.jobs_secret is None:
            # A role's own policy; `grant_connect` needs the instance's resource id all the same.
            self.instance.grant_connect(role, JOBS_USER)
        else:
            self.jobs_secret.grant_read(role)

    def _security_group(self, vpc: ec2.IVpc) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(self, "SecurityGroup", vpc=vpc, description="The database", allow_all_outbound=False)

    def _jobs_secret(self) -> secretsmanager.Secret:
        return secretsmanager.Secret(
            self,
            "JobsSecret",
            description="Login of the jobs' database user",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"username": JOBS_USER}),
                generate_string_key="password",
                password_length=40,
                exclude_punctuation=True,
            ),
        )


def _given(secret: secretsmanager.ISecret | None) -> secretsmanager.ISecret:
    if secret is None:
        raise AssertionError("manage_master_user_password=True makes RDS provide a secret")
    return secret
