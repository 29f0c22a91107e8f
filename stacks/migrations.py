"""Migrations construct: brings the database to what the jobs need, at every deploy that changes the code."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import triggers
from constructs import Construct

from stacks.database import MASTER_USER, Database
from stacks.database_function import DatabaseFunction
from stacks.job_variables import rights_variable
from stacks.network import Network
from stacks.settings import JobSettings

TIMEOUT_SECONDS = 600


class Migrations(Construct):
    """The function with the master secret, run by CloudFormation; a failing migration stops the deploy.

    Attributes:
        trigger: what must not start before the migrations ran depends on this.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        jobs: Sequence[JobSettings],
        network: Network,
        database: Database,
    ) -> None:
        """Migrate `database` and give its jobs' user what `jobs` need."""
        super().__init__(scope, construct_id)
        security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=network.vpc, description="The migrations", allow_all_outbound=False
        )
        migrate = DatabaseFunction(
            self,
            "Migrate",
            name=f"{environment}-migrate",
            description="Applies the migrations and makes the jobs' database user",
            handler="migrate.lambda_handler",
            timeout_seconds=TIMEOUT_SECONDS,
            memory_mb=256,
            reserved_concurrency=1,
            variables={
                **database.migration_variables(),
                "DATABASE_USER": MASTER_USER,
                "DATABASE_AUTH": "secret",
                "DATABASE_SECRET": database.master_secret.secret_arn,
                "RIGHTS": rights_variable(job.rights for job in jobs),
                **database.login_variables("JOBS"),
            },
            network=network,
            security_group=security_group,
        )
        database.allow_migrations_from(security_group)
        database.grant_migrations_login(migrate.role)
        self.trigger = triggers.Trigger(
            self, "Trigger", handler=migrate.function, timeout=cdk.Duration.seconds(TIMEOUT_SECONDS)
        )
        # Otherwise a first deploy would run it before the way to the database and the right to its secret are there.
        self.trigger.execute_after(security_group, migrate)
