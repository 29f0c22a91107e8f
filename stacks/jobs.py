"""Jobs stack: the migrations, then the jobs."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from stacks.database import Database
from stacks.migrations import Migrations
from stacks.network import Network
from stacks.scheduled_job import ScheduledJob
from stacks.settings import JobSettings


class Jobs(cdk.Stack):
    """All that runs: the migrations at deploy, each job on its schedule.

    Attributes:
        scheduled_jobs: the jobs, in the order of the settings.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        settings: Sequence[JobSettings],
        network: Network,
        database: Database,
    ) -> None:
        """Build the jobs that `settings` describe."""
        super().__init__(scope, construct_id)
        migrations = Migrations(
            self,
            "Migrations",
            environment=environment,
            jobs=settings,
            network=network,
            database=database,
        )
        # One group for all jobs: the database's own group holds 60 rules at most.
        security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=network.vpc, description="The jobs", allow_all_outbound=False
        )
        security_group.connections.allow_to_default_port(database.instance)
        if database.jobs_secret is not None:
            security_group.connections.allow_to_default_port(network.secrets_manager)
        self.scheduled_jobs = [
            ScheduledJob(
                self,
                f"Job-{job.name}",
                environment=environment,
                settings=job,
                database=database,
                vpc=network.vpc,
                security_group=security_group,
            )
            for job in settings
        ]
        migrations.trigger.execute_before(*self.scheduled_jobs)
