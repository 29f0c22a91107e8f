"""Database stack: RDS MySQL, and the network access and the logins that lead to it."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from settings import names
from settings.environment import EnvironmentSettings
from stacks.database.alarm_topic import AlarmTopic
from stacks.database.clients import let_clients_in
from stacks.database.events import tell_of_events
from stacks.database.instance import add_instance
from stacks.database.login import Login
from stacks.network.network import Network
from stacks.network.secrets_endpoint import SecretsEndpoint


class Database(cdk.Stack):
    """A private MySQL that only accepts TLS.

    Attributes:
        instance: the RDS instance.
        port: where it listens. Not the instance's own attribute: where the value of an output changes, the templates
            of the stacks that use it don't, and the CDK CLI skips them.
        master_secret: made and rotated by RDS; only the migrations read it.
        login: how the jobs' users log in.
        alarm_topic: notifies the people on call; RDS publishes its events to it.
        name: the schema that the jobs work in.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: EnvironmentSettings, network: Network) -> None:
        """Build the database that `settings` describe in `network`."""
        super().__init__(scope, construct_id, termination_protection=settings.database.deletion_protection)
        self.name = settings.database.name
        self.port = settings.database.port
        self._network = network
        key = kms.Key.from_key_arn(self, "Key", settings.encryption_key) if settings.encryption_key else None
        self.instance = add_instance(
            self, environment=settings.name, settings=settings.database, network=network, encryption_key=key
        )
        let_clients_in(self, "Clients", instance=self.instance, port=self.port, clients=settings.database.clients)
        self.master_secret = _given(self.instance.secret)
        self.login = Login(
            self,
            "Login",
            environment=settings.name,
            auth=settings.database.auth,
            jobs=[job.name for job in settings.jobs],
            encryption_key=key,
        )
        self._endpoint = self._secrets_endpoint() if settings.network.secrets_endpoint else None
        topic = AlarmTopic(self, "Alarms", name=names.alarm_topic(settings.name), email=settings.alarms.email)
        self.alarm_topic = topic.topic
        tell_of_events(self, "Events", instance=self.instance, topic=topic)

    def job_variables(self, job: str) -> dict[str, str]:
        """Return the environment variables that tell a job where the instance is, and how to log in."""
        return {**self.migration_variables(), **self.login.variables(job)}

    def migration_variables(self) -> dict[str, str]:
        """Return the environment variables that tell the migrations where the instance is."""
        return {
            "DATABASE_HOST": self.instance.db_instance_endpoint_address,
            "DATABASE_PORT": str(self.port),
            "DATABASE_NAME": self.name,
            "DATABASE_ENDPOINT": "instance",
        }

    def grant_job_login(self, role: iam.IRole, job: str) -> None:
        """Grant `role` the login as a job's user."""
        if self.login.auth == "iam":
            self.instance.grant_connect(role, self.login.user_of(job))
        else:
            self.login.grant_read(role, [self.login.secret_of(job)])

    def grant_migrations_login(self, role: iam.IRole) -> None:
        """Grant `role` the login as the master user, and reading the passwords for the jobs' users."""
        self.login.grant_read(role, [self.master_secret.secret_arn, *self.login.all_secrets()])

    # The rules of security groups are made in the consumer's stack: here, the two stacks would depend on each other.

    def allow_jobs_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Allow the connections that jobs in `security_group` need."""
        self._allow_from(security_group)
        self.allow_login_from(security_group)

    def allow_login_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Allow the connections that a login as a job's user needs besides the one to the database."""
        if self.login.auth == "secret":
            self._allow_secrets_from(security_group)

    def allow_migrations_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Allow the connections that the migrations in `security_group` need."""
        self._allow_from(security_group)
        self._allow_secrets_from(security_group)

    def _allow_from(self, security_group: ec2.ISecurityGroup) -> None:
        # The text is part of the rule's logical id, and what the CDK writes for a port that it does not know. With
        # another, an update from 0.1.0 would add the rule a second time before it deletes the first: AWS refuses that.
        port = ec2.Port(
            protocol=ec2.Protocol.TCP,
            from_port=self.port,
            to_port=self.port,
            string_representation="{IndirectPort}",
        )
        security_group.connections.allow_to(self.instance, port)

    def _allow_secrets_from(self, security_group: ec2.ISecurityGroup) -> None:
        if self._endpoint is not None:
            self._endpoint.allow_from(security_group)
        else:
            # Through an endpoint or a NAT that the VPC has already, whose addresses are not known here.
            security_group.connections.allow_to_any_ipv4(ec2.Port.tcp(443), "Secrets Manager")

    def _secrets_endpoint(self) -> SecretsEndpoint:
        return SecretsEndpoint(
            self,
            "SecretsEndpoint",
            vpc=self._network.vpc,
            subnets=self._network.subnets,
            secrets=[self.master_secret.secret_arn, *self.login.secrets_in_use()],
        )


def _given(secret: secretsmanager.ISecret | None) -> secretsmanager.ISecret:
    if secret is None:
        raise AssertionError("manage_master_user_password=True makes RDS provide a secret")
    return secret
