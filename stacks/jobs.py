"""Jobs stack: the migrations, then the jobs; and what tells how they and their database are."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.dashboard import Dashboard
from stacks.database import Database
from stacks.database_alarms import DatabaseAlarms
from stacks.instance_class import read_instance_class
from stacks.job_alarms import JobAlarms
from stacks.migrations import Migrations
from stacks.network import Network
from stacks.scheduled_job import ScheduledJob
from stacks.settings import EnvironmentSettings


class Jobs(cdk.Stack):
    """All that runs: the migrations at deploy, each job on its schedule.

    Attributes:
        scheduled_jobs: the jobs, in the order of the settings.
        job_alarms: what watches them, in the same order.
        database_alarms: what watches the database.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        network: Network,
        database: Database,
    ) -> None:
        """Build the jobs that `settings` describe."""
        super().__init__(scope, construct_id)
        migrations = Migrations(
            self,
            "Migrations",
            environment=settings.name,
            jobs=settings.jobs,
            network=network,
            database=database,
        )
        self.scheduled_jobs = self._scheduled_jobs(settings, network, database)
        migrations.trigger.execute_before(*self.scheduled_jobs)
        self.job_alarms = [
            JobAlarms(self, f"Alarms-{job.settings.name}", job=job, topic=database.alarm_topic)
            for job in self.scheduled_jobs
        ]
        instance_class = read_instance_class(settings.database.instance_class)
        self.database_alarms = DatabaseAlarms(
            self,
            "DatabaseAlarms",
            environment=settings.name,
            database=database,
            instance_class=instance_class,
            storage_gb=settings.database.storage_gb,
            runs=sum(job.concurrency for job in settings.jobs),
            borrow_timeout_seconds=settings.proxy.borrow_timeout_seconds,
        )
        Dashboard(
            self,
            "Dashboard",
            environment=settings.name,
            job_alarms=self.job_alarms,
            database=database,
            database_alarms=self.database_alarms,
            instance_class=instance_class,
        )

    def _scheduled_jobs(
        self, settings: EnvironmentSettings, network: Network, database: Database
    ) -> list[ScheduledJob]:
        # One group for all jobs: the database's own group holds 60 rules at most.
        security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=network.vpc, description="The jobs", allow_all_outbound=False
        )
        database.allow_jobs_from(security_group)
        key = kms.Key.from_key_arn(self, "Key", settings.encryption_key) if settings.encryption_key else None
        return [
            ScheduledJob(
                self,
                f"Job-{job.name}",
                environment=settings.name,
                settings=job,
                database=database,
                network=network,
                security_group=security_group,
                encryption_key=key,
            )
            for job in settings.jobs
        ]
