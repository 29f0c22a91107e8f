"""The Jobs stacks: in the first the migrations, then the proxy, then jobs; in the others more jobs."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from settings.environment import DEFAULT_TIMEOUT_SECONDS, EnvironmentSettings, JobSettings
from settings.job_users import fits_variable, job_user, rights_text
from settings.project import Project
from stacks.database.database import Database
from stacks.database.proxy import DatabaseProxy
from stacks.jobs.code import function_code
from stacks.jobs.migrations import Migrations
from stacks.jobs.schedule_role import let_start, schedule_role
from stacks.jobs.scheduled_job import ScheduledJob
from stacks.network.network import Network


class Jobs(cdk.Stack):
    """All that runs: the migrations at deploy, each job on its schedule.

    Attributes:
        scheduled_jobs: the jobs in this stack, in the order of the settings.
        proxy: between all jobs and the database, or None.
        way: what all jobs connect to: the proxy, or the database itself.
        security_group: what all jobs are in; None if there are none.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        jobs: Sequence[JobSettings],
        project: Project,
        network: Network,
        database: Database,
    ) -> None:
        """Build the migrations and the proxy for all jobs of `project` that `settings` describe, and these `jobs`."""
        super().__init__(scope, construct_id)
        code = _code(project, settings)
        key = _key(self, settings)
        rights = rights_text(
            job_user(job, environment=settings.name, proxy=settings.proxy.enabled) for job in settings.jobs
        )
        migrations = Migrations(
            self,
            "Migrations",
            environment=settings.name,
            code=code if fits_variable(rights) else _code(project, settings, rights=rights),
            rights=rights,
            network=network,
            database=database,
            encryption_key=key,
        )
        self.proxy = self._proxy(settings, network, database, key) if settings.proxy.enabled else None
        self.way: Database | DatabaseProxy = database if self.proxy is None else self.proxy
        self.security_group = self._security_group(network) if settings.jobs else None
        self.scheduled_jobs = _scheduled_jobs(
            self, environment=settings.name, jobs=jobs, code=code, network=network, first=self, key=key
        )
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

    def _security_group(self, network: Network) -> ec2.SecurityGroup:
        # One group for all jobs: the database's own group holds 60 rules at most.
        # https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups
        security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=network.vpc, description="The jobs", allow_all_outbound=False
        )
        self.way.allow_jobs_from(security_group)
        return security_group


class MoreJobs(cdk.Stack):
    """Jobs that the first stack has no room for: nothing but jobs, deployed after it, and beside others of its kind.

    Attributes:
        scheduled_jobs: the jobs in this stack, in the order of the settings.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        jobs: Sequence[JobSettings],
        project: Project,
        network: Network,
        first: Jobs,
    ) -> None:
        """Build these `jobs` of `project`; there may be none any more."""
        super().__init__(scope, construct_id)
        self.add_stack_dependency(first)  # the migrations
        if not jobs:
            # A stack needs a resource. The CDK CLI would delete one without, and show it as a difference ever after.
            cdk.CfnWaitConditionHandle(self, "Nothing")
        self.scheduled_jobs = _scheduled_jobs(
            self,
            environment=settings.name,
            jobs=jobs,
            code=_code(project, settings),
            network=network,
            first=first,
            key=_key(self, settings) if jobs else None,
        )


def _code(project: Project, settings: EnvironmentSettings, *, rights: str | None = None) -> lambda_.AssetCode:
    return function_code(project, settings.region, rights=rights, certificates=settings.certificates)


def _key(stack: cdk.Stack, settings: EnvironmentSettings) -> kms.IKey | None:
    return kms.Key.from_key_arn(stack, "Key", settings.encryption_key) if settings.encryption_key else None


def _scheduled_jobs(
    stack: cdk.Stack,
    *,
    environment: str,
    jobs: Sequence[JobSettings],
    code: lambda_.Code,
    network: Network,
    first: Jobs,
    key: kms.IKey | None,
) -> list[ScheduledJob]:
    """Add `jobs` to `stack`, with one role that starts them."""
    if not jobs or first.security_group is None:
        return []
    role = schedule_role(stack, "ScheduleRole")
    scheduled_jobs = [
        ScheduledJob(
            stack,
            f"Job-{job.name}",
            environment=environment,
            settings=job,
            code=code,
            database=first.way,
            network=network,
            security_group=first.security_group,
            schedule_role=role,
            encryption_key=key,
        )
        for job in jobs
    ]
    let_start(role, scheduled_jobs, encryption_key=key)
    return scheduled_jobs
