"""The alarms of an environment's jobs and database, and the dashboard that shows both."""

from __future__ import annotations

from collections.abc import Sequence

from settings.environment import EnvironmentSettings
from settings.instance_class import read_instance_class
from stacks.database.database import Database
from stacks.jobs.jobs import Jobs, MoreJobs
from stacks.watching.dashboard import Dashboard
from stacks.watching.database_alarms import DatabaseAlarms
from stacks.watching.job_alarms import JobAlarms


def watch(*, settings: EnvironmentSettings, jobs: Jobs, more_jobs: Sequence[MoreJobs], database: Database) -> None:
    """Add the alarms of each job to its stack, and those of `database` and the dashboard of all to `jobs`."""
    topic = database.alarm_topic.topic_arn
    stacks: list[Jobs | MoreJobs] = [jobs, *more_jobs]
    by_name = {
        job.settings.name: JobAlarms(stack, f"Alarms-{job.settings.name}", job=job, topic=topic)
        for stack in stacks
        for job in stack.scheduled_jobs
    }
    instance = database.instance.instance_identifier
    proxy = jobs.proxy.proxy.db_proxy_name if jobs.proxy is not None else None
    instance_class = read_instance_class(settings.database.instance_class)
    database_alarms = DatabaseAlarms(
        jobs,
        "DatabaseAlarms",
        environment=settings.name,
        instance=instance,
        proxy=proxy,
        topic=topic,
        instance_class=instance_class,
        storage_gb=settings.database.storage_gb,
        runs=sum(job.concurrency for job in settings.jobs),
        borrow_timeout_seconds=settings.proxy.borrow_timeout_seconds,
    )
    Dashboard(
        jobs,
        "Dashboard",
        settings=settings,
        job_alarms=[by_name[job.name] for job in settings.jobs],
        instance=instance,
        proxy=proxy,
        database_alarms=database_alarms,
        instance_class=instance_class,
    )
