"""The Jobs stacks: in the first the migrations, then the proxy, then the watcher and jobs; in the others more jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from packages.locks import PackageSet
from settings.environment import DEFAULT_TIMEOUT_SECONDS, EnvironmentSettings, JobSettings
from settings.job_users import RIGHTS_FILE, JobUser, fits_variable, job_user, rights_text, watcher_user
from settings.project import Project
from settings.watched_jobs import WATCHED_FILE, watched_text
from stacks.database.database import Database
from stacks.database.proxy import DatabaseProxy
from stacks.jobs.code import function_code
from stacks.jobs.continuation import event_bus
from stacks.jobs.migrations import Migrations
from stacks.jobs.schedule_role import let_start, schedule_role
from stacks.jobs.scheduled_job import ScheduledJob
from stacks.jobs.watcher import Watcher
from stacks.jobs.ways import Ways, interface_endpoints
from stacks.network.network import Network


class Jobs(cdk.Stack):
    """All that runs: the migrations at deploy, each job on its schedule, and what watches the jobs.

    Attributes:
        scheduled_jobs: the jobs in this stack, in the order of the settings.
        proxy: between all jobs and the database, or None.
        way: what all jobs, and what watches them, connect to: the proxy, or the database itself.
        security_group: what all these are in; None if there are no jobs.
        endpoints: of AWS services that jobs use, in whatever stack, by what AWS calls each.
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
        rights = rights_text(_users(settings))
        # What doesn't fit a variable is in the zip of those that are told it, one for both.
        texts = {RIGHTS_FILE: rights, WATCHED_FILE: watched_text(settings.jobs)}
        files = {name: text for name, text in texts.items() if not fits_variable(text)}
        told = _code(project, settings, files=files) if files else code
        migrations = Migrations(
            self,
            "Migrations",
            environment=settings.name,
            code=told,
            rights=rights,
            network=network,
            database=database,
            encryption_key=key,
        )
        self.proxy = self._proxy(settings, network, database, key) if settings.proxy.enabled else None
        self.way: Database | DatabaseProxy = database if self.proxy is None else self.proxy
        self.security_group = self._security_group(network) if settings.jobs else None
        self.endpoints = interface_endpoints(
            self, all_uses=[job.uses for job in settings.jobs], settings=settings.network, network=network
        )
        watcher = self._watcher(settings, told, network, key)
        self.scheduled_jobs = _scheduled_jobs(
            self,
            settings=settings,
            number=1,
            jobs=jobs,
            codes=_codes(project, settings, jobs, plain=code),
            network=network,
            database=database,
            first=self,
            key=key,
        )
        at_work = [*watcher, *self.scheduled_jobs]
        migrations.trigger.execute_before(*at_work)
        if self.proxy is not None:
            migrations.trigger.execute_before(self.proxy.target)
            for each in at_work:
                each.node.add_dependency(self.proxy.target)

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

    def _watcher(
        self, settings: EnvironmentSettings, code: lambda_.Code, network: Network, key: kms.IKey | None
    ) -> list[Watcher]:
        """Add what watches all jobs, whatever stack they are in, if there are any."""
        if self.security_group is None:
            return []
        watcher = Watcher(
            self,
            "Watcher",
            environment=settings.name,
            jobs=settings.jobs,
            code=code,
            database=self.way,
            network=network,
            security_group=self.security_group,
            encryption_key=key,
        )
        return [watcher]

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
        number: int,
        jobs: Sequence[JobSettings],
        project: Project,
        network: Network,
        database: Database,
        first: Jobs,
    ) -> None:
        """Build these `jobs` of `project`, in the stack with this number; there may be none any more."""
        super().__init__(scope, construct_id)
        self.add_stack_dependency(first)  # the migrations
        if not jobs:
            # A stack needs a resource. The CDK CLI would delete one without, and show it as a difference ever after.
            cdk.CfnWaitConditionHandle(self, "Nothing")
        self.scheduled_jobs = _scheduled_jobs(
            self,
            settings=settings,
            number=number,
            jobs=jobs,
            codes=_codes(project, settings, jobs),
            network=network,
            database=database,
            first=first,
            key=_key(self, settings) if jobs else None,
        )


def _code(
    project: Project, settings: EnvironmentSettings, *, files: Mapping[str, str] = MappingProxyType({})
) -> lambda_.AssetCode:
    return function_code(project, settings.region, files=files, certificates=settings.certificates)


def _codes(
    project: Project, settings: EnvironmentSettings, jobs: Sequence[JobSettings], *, plain: lambda_.Code | None = None
) -> dict[str, lambda_.Code]:
    """The code of each job, by its name: one for each set of packages; that of jobs without any may be `plain`."""
    codes: dict[PackageSet | None, lambda_.Code] = {} if plain is None else {None: plain}
    found = {}
    for job in jobs:
        packages = project.packages(job.module_name)
        if packages not in codes:
            codes[packages] = function_code(
                project, settings.region, packages=packages, certificates=settings.certificates
            )
        found[job.name] = codes[packages]
    return found


def _users(settings: EnvironmentSettings) -> list[JobUser]:
    environment, proxy = settings.name, settings.proxy.enabled
    watcher = [watcher_user(environment=environment, proxy=proxy)] if settings.jobs else []
    return [*(job_user(job, environment=environment, proxy=proxy) for job in settings.jobs), *watcher]


def _key(stack: cdk.Stack, settings: EnvironmentSettings) -> kms.IKey | None:
    return kms.Key.from_key_arn(stack, "Key", settings.encryption_key) if settings.encryption_key else None


def _scheduled_jobs(
    stack: cdk.Stack,
    *,
    settings: EnvironmentSettings,
    number: int,
    jobs: Sequence[JobSettings],
    codes: Mapping[str, lambda_.Code],
    network: Network,
    database: Database,
    first: Jobs,
    key: kms.IKey | None,
) -> list[ScheduledJob]:
    """Add `jobs` to `stack`, which has this number, with one role that starts them and one bus between their runs."""
    if not jobs or first.security_group is None:
        return []
    role = schedule_role(stack, "ScheduleRole")
    bus = event_bus(stack, "Continuations", environment=settings.name, number=number)
    ways = _ways(stack, settings=settings, jobs=jobs, network=network, database=database, first=first)
    scheduled_jobs = [
        ScheduledJob(
            stack,
            f"Job-{job.name}",
            environment=settings.name,
            settings=job,
            code=codes[job.name],
            database=first.way,
            network=network,
            security_group=first.security_group,
            ways=ways,
            schedule_role=role,
            bus=bus,
            encryption_key=key,
        )
        for job in jobs
    ]
    let_start(role, scheduled_jobs, encryption_key=key)
    return scheduled_jobs


def _ways(
    stack: cdk.Stack,
    *,
    settings: EnvironmentSettings,
    jobs: Sequence[JobSettings],
    network: Network,
    database: Database,
    first: Jobs,
) -> Ways | None:
    """Add the ways out of the network that `jobs` use to `stack`, if they use any."""
    all_uses = [job.uses for job in jobs if job.uses]
    if not all_uses:
        return None
    return Ways(
        stack,
        "Ways",
        all_uses=all_uses,
        settings=settings.network,
        network=network,
        database=database,
        endpoints=first.endpoints,
    )
