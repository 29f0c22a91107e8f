"""Migrations construct: updates tables and rights in the database, at every deploy that changes the function."""

import json

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import triggers
from constructs import Construct

from settings import names
from settings.job_users import RIGHTS_FILE, fits_variable
from stacks.database.database import Database
from stacks.database.login import MASTER_USER
from stacks.jobs.function import DatabaseFunction
from stacks.network.network import Network

TIMEOUT_SECONDS = 600


class Migrations(Construct):
    """The function with the master secret, invoked by CloudFormation; a migration that fails stops the deploy.

    Attributes:
        trigger: what must not be deployed before the migrations were applied depends on it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        code: lambda_.Code,
        rights: str,
        network: Network,
        database: Database,
        encryption_key: kms.IKey | None,
    ) -> None:
        """Build the function that migrates `database` and makes its jobs' users, with these `rights`.

        Where they don't fit a variable, they are in `code`. `encryption_key` encrypts its log, else CloudWatch's own.
        """
        super().__init__(scope, construct_id)
        security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=network.vpc, description="The migrations", allow_all_outbound=False
        )
        migrate = DatabaseFunction(
            self,
            "Migrate",
            name=names.function(environment, names.MIGRATE),
            code=code,
            description="Applies the migrations and makes the jobs' database users",
            handler="mysql_jobs.migrate.lambda_handler",
            timeout_seconds=TIMEOUT_SECONDS,
            memory_mb=256,
            reserved_concurrency=1,
            variables={
                **database.migration_variables(),
                "DATABASE_USER": MASTER_USER,
                "DATABASE_AUTH": "secret",
                "DATABASE_SECRET": database.master_secret.secret_arn,
                "RIGHTS": rights if fits_variable(rights) else RIGHTS_FILE,
                **database.login.migration_variables(),
            },
            vpc=network.vpc,
            subnets=network.subnets,
            security_groups=[security_group],
            encryption_key=encryption_key,
        )
        if not fits_variable(rights):
            # For the reader, and for review/table_rights.py: what is in the zip, no template shows.
            _resource(migrate.function).add_metadata(RIGHTS_FILE, json.loads(rights))
        database.allow_migrations_from(security_group)
        database.grant_migrations_login(migrate.role)
        self.trigger = triggers.Trigger(
            self, "Trigger", handler=migrate.function, timeout=cdk.Duration.seconds(TIMEOUT_SECONDS)
        )
        # Otherwise a first deploy would invoke it before it can reach the database and read its secret.
        self.trigger.execute_after(security_group, migrate)


def _resource(function: lambda_.Function) -> cdk.CfnResource:
    resource = function.node.default_child
    if not isinstance(resource, cdk.CfnResource):
        raise AssertionError("a function is one resource")
    return resource
