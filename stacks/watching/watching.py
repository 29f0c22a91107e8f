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
    topic = database.alarm_topic.topic_arn
    job_alarms = [JobAlarms(scope, f"Alarms-{job.settings.name}", job=job, topic=topic) for job in jobs.scheduled_jobs]
    instance = database.instance.instance_identifier
    proxy = jobs.proxy.proxy.db_proxy_name if jobs.proxy is not None else None
    instance_class = read_instance_class(settings.database.instance_class)
    database_alarms = DatabaseAlarms(
        scope,
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
        scope,
        "Dashboard",
        settings=settings,
        job_alarms=job_alarms,
        instance=instance,
        proxy=proxy,
        database_alarms=database_alarms,
        instance_class=instance_class,
    )
