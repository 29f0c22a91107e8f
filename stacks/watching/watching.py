"""The alarms of an environment's jobs and database, and the dashboard that shows both."""

from constructs import Construct

from settings.environment import EnvironmentSettings
from settings.instance_class import read_instance_class
from stacks.database.database import Database
from stacks.jobs.jobs import Jobs
from stacks.watching.dashboard import Dashboard
from stacks.watching.database_alarms import DatabaseAlarms
from stacks.watching.job_alarms import JobAlarms


def watch(scope: Construct, *, settings: EnvironmentSettings, jobs: Jobs, database: Database) -> None:
    """Add the alarms and the dashboard of `jobs` and `database` to `scope`."""
    job_alarms = [
        JobAlarms(scope, f"Alarms-{job.settings.name}", job=job, topic=database.alarm_topic)
        for job in jobs.scheduled_jobs
    ]
    proxy = jobs.proxy.proxy if jobs.proxy is not None else None
    instance_class = read_instance_class(settings.database.instance_class)
    database_alarms = DatabaseAlarms(
        scope,
        "DatabaseAlarms",
        environment=settings.name,
        database=database,
        proxy=proxy,
        instance_class=instance_class,
        storage_gb=settings.database.storage_gb,
        runs=sum(job.concurrency for job in settings.jobs),
        borrow_timeout_seconds=settings.proxy.borrow_timeout_seconds,
    )
    Dashboard(
        scope,
        "Dashboard",
        environment=settings.name,
        job_alarms=job_alarms,
        database=database,
        proxy=proxy,
        database_alarms=database_alarms,
        instance_class=instance_class,
    )
