"""Jobs stack: the migrations, then the proxy, then the jobs."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from settings.environment import DEFAULT_TIMEOUT_SECONDS, EnvironmentSettings
from settings.project import Project
from stacks.database.database import Database
from stacks.database.proxy import DatabaseProxy
from stacks.jobs.code import function_code
from stacks.jobs.migrations import Migrations
from stacks.jobs.scheduled_job import ScheduledJob
from stacks.network.network import Network


class Jobs(cdk.Stack):
    """All that runs: the migrations at deploy, each job on its schedule.

    Attributes:
        scheduled_jobs: the jobs, in the order of the settings.
        proxy: between them and the database, or None.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        project: Project,
        network: Network,
        database: Database,
    ) -> None:
        """Build the jobs of `project` that `settings` describe."""
        super().__init__(scope, construct_id)
        code = function_code(project, settings.region)
        key = kms.Key.from_key_arn(self, "Key", settings.encryption_key) if settings.encryption_key else None
        migrations = Migrations(
            self,
            "Migrations",
            environment=settings.name,
            code=code,
            jobs=settings.jobs,
            network=network,
            database=database,
            encryption_key=key,
        )
        self.proxy = self._proxy(settings, network, database, key) if settings.proxy.enabled else None
        way = database if self.proxy is None else self.proxy
        self.scheduled_jobs = self._scheduled_jobs(settings, code, network, way, key) if settings.jobs else []
        migrations.trigger.execute_before(*self.scheduled_jobs)
        if self.proxy is not None:
            migrations.trigger.execute_before(self.proxy.target)
            for job in self.scheduled_jobs:
                job.node.add_dependency(self.proxy.target)

    def _proxy(
        self, settings: EnvironmentSettings, network: Network, database: Database, key: kms.IKey | None
    ) -> DatabaseProxy:
        return DatabaseProxy(
            self,
            "Proxy",
            environment=settings.name,
            borrow_timeout_seconds=settings.proxy.borrow_timeout_seconds,
            longest_run_seconds=max((job.timeout_seconds for job in settings.jobs), default=DEFAULT_TIMEOUT_SECONDS),
            network=network,
            database=database,
            encryption_key=key,
        )

    def _scheduled_jobs(
        self,
        settings: EnvironmentSettings,
        code: lambda_.Code,
        network: Network,
        database: Database | DatabaseProxy,
        key: kms.IKey | None,
    ) -> list[ScheduledJob]:
        # One group for all jobs: the database's own group holds 60 rules at most.
        security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=network.vpc, description="The jobs", allow_all_outbound=False
        )
        database.allow_jobs_from(security_group)
        return [
            ScheduledJob(
                self,
                f"Job-{job.name}",
                environment=settings.name,
                settings=job,
                code=code,
                database=database,
                network=network,
                security_group=security_group,
                encryption_key=key,
            )
            for job in settings.jobs
        ]
