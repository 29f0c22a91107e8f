"""Database stack: a MySQL server, and the network access and the logins that lead to it."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from constructs import Construct

from settings import names
from settings.connection_budget import connection_budget
from settings.environment import AdoptedDatabaseSettings, DatabaseSettings, EnvironmentSettings
from settings.job_users import logins
from settings.rights import to_read
from settings.services import SECRETS
from settings.uses import Uses
from stacks.database.alarm_topic import AlarmTopic
from stacks.database.clients import let_clients_in
from stacks.database.events import tell_of_events
from stacks.database.existing import ExistingServer
from stacks.database.login import Login
from stacks.database.made import MadeServer
from stacks.database.server import Server
from stacks.network.interface_endpoint import InterfaceEndpoint
from stacks.network.network import Network
from stacks.network.rights import of_an_endpoint, together


class Database(cdk.Stack):
    """A MySQL server, made here or found, and what leads to it: nothing else knows which of the two it is.

    Attributes:
        server: the server.
        master_secret: only the migrations read it. Of a server that is made, RDS makes and rotates it.
        login: how the jobs' users log in.
        alarm_topic: notifies the people on call; RDS publishes its events to it.
        name: the schema that the jobs work in.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: EnvironmentSettings, network: Network) -> None:
        """Build the database that `settings` describe in `network`, or refer to the existing one that they name."""
        super().__init__(scope, construct_id, termination_protection=is_protected(settings.database))
        self.name = settings.database.name
        self._network = network
        adopted = isinstance(settings.database, AdoptedDatabaseSettings)
        self._own_schema = {"OWN_SCHEMA": names.own_schema(settings.name)} if adopted else {}
        self._expected = _of_existing(settings) if adopted else {}
        key = kms.Key.from_key_arn(self, "Key", settings.encryption_key) if settings.encryption_key else None
        self.server = _server(self, settings, network, key)
        self.master_secret = self.server.secret
        self.login = Login(
            self,
            "Login",
            environment=settings.name,
            auth=settings.database.auth,
            jobs=logins(settings.jobs),
            encryption_key=key,
            shared=not adopted,
        )
        all_uses = [job.uses for job in settings.jobs]
        self._endpoint = self._secrets_endpoint(all_uses) if settings.network.secrets_endpoint else None
        topic = AlarmTopic(self, "Alarms", name=names.alarm_topic(settings.name), email=settings.alarms.email)
        self.alarm_topic = topic.topic
        if settings.watches_database:
            tell_of_events(self, "Events", dimensions=self.server.dimensions, topic=topic)

    @property
    def instance(self) -> rds.DatabaseInstance:
        """The RDS instance that is made.

        Raises:
            TypeError: the server is an existing one, of which nothing may be changed.
        """
        if not isinstance(self.server, MadeServer):
            raise TypeError("[database.existing] names a server that is others': there is no instance here")
        return self.server.instance

    def job_variables(self, job: str) -> dict[str, str]:
        """Return the environment variables that tell a job where the server is, and how to log in."""
        return {**self._server_variables(), **self.login.variables(job)}

    def migration_variables(self) -> dict[str, str]:
        """Return the environment variables that tell the migrations where the server is, and what it must have."""
        return {**self._server_variables(), **self._expected}

    def schema_variables(self) -> dict[str, str]:
        """Return the environment variables that name the jobs' schema, and ours where that is another."""
        return {"DATABASE_NAME": self.name, **self._own_schema}

    def grant_job_login(self, role: iam.IRole, job: str) -> None:
        """Grant `role` the login as a job's user."""
        if self.login.auth == "iam":
            self.server.grant_connect(role, self.login.user_of(job))
        else:
            self.login.grant_read(role, [self.login.secret_of(job)])

    def grant_migrations_login(self, role: iam.IRole) -> None:
        """Grant `role` the login as the master user, and reading the passwords for the jobs' users."""
        self.server.grant_secret(role)
        if self.login.auth == "secret":
            self.login.grant_read(role, self.login.all_secrets())

    # The rules of security groups are made in the consumer's stack: here, the two stacks would depend on each other.

    def allow_jobs_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Allow the connections that jobs in `security_group` need."""
        self.server.allow_from(security_group)
        self.allow_login_from(security_group)

    def allow_login_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Allow the connections that a login as a job's user needs besides the one to the database."""
        if self.login.auth == "secret":
            self.allow_secrets_from(security_group)

    def allow_migrations_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Allow the connections that the migrations in `security_group` need."""
        self.server.allow_from(security_group)
        self.allow_secrets_from(security_group)

    def allow_secrets_from(self, security_group: ec2.ISecurityGroup) -> None:
        """Allow the connections to Secrets Manager."""
        if self._endpoint is not None:
            self._endpoint.allow_from(security_group)
        else:
            # Through an endpoint or a NAT that the VPC has already, whose addresses are not known here.
            security_group.connections.allow_to_any_ipv4(ec2.Port.tcp(443), "Secrets Manager")

    def _server_variables(self) -> dict[str, str]:
        return {
            "DATABASE_HOST": self.server.host,
            "DATABASE_PORT": str(self.server.port),
            **self.schema_variables(),
            "DATABASE_ENDPOINT": "instance",
        }

    def _secrets_endpoint(self, all_uses: Sequence[Uses]) -> InterfaceEndpoint:
        logins = to_read([self.master_secret.secret_arn, *self.login.secrets_in_use()])
        secrets = together(all_uses, self).get(SECRETS, [])
        return InterfaceEndpoint(
            self,
            "SecretsEndpoint",
            service=SECRETS,
            called="Secrets Manager",
            vpc=self._network.vpc,
            subnets=self._network.subnets,
            statements=of_an_endpoint([logins, *secrets], self),
        )


def is_protected(settings: DatabaseSettings | AdoptedDatabaseSettings) -> bool:
    """Return whether the stack is protected: not that of an existing server, as it holds nothing that can be lost."""
    return isinstance(settings, DatabaseSettings) and settings.deletion_protection


def _of_existing(settings: EnvironmentSettings) -> dict[str, str]:
    budget = connection_budget(database=settings.database, proxy=settings.proxy, jobs=settings.jobs)
    return {"DATABASE_ORIGIN": "existing", "CONNECTIONS_NEEDED": str(budget.opened)}


def _server(stack: cdk.Stack, settings: EnvironmentSettings, network: Network, key: kms.IKey | None) -> Server:
    match settings.database:
        case DatabaseSettings() as made:
            server = MadeServer(stack, environment=settings.name, settings=made, network=network, encryption_key=key)
            let_clients_in(stack, "Clients", instance=server.instance, port=server.port, clients=made.clients)
            return server
        case AdoptedDatabaseSettings() as adopted:
            return ExistingServer(stack, environment=settings.name, settings=adopted.existing)
