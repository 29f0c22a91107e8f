"""The alarms of an environment's jobs and database, and the dashboard that shows both."""

from __future__ import annotations

from collections.abc import Sequence

from settings.environment import EnvironmentSettings
from stacks.database.database import Database
from stacks.jobs.jobs import Jobs, MoreJobs
from stacks.watching.dashboard import Dashboard
from stacks.watching.database_alarms import DatabaseAlarms
from stacks.watching.job_alarms import JobAlarms
from stacks.watching.watched_server import watched
from stacks.watching.watcher_alarm import add_watcher_alarm


def watch(*, settings: EnvironmentSettings, jobs: Jobs, more_jobs: Sequence[MoreJobs], database: Database) -> None:
    """Add the alarms of each job to its stack, and those of `database` and the dashboard of all to `jobs`."""
    topic = database.alarm_topic.topic_arn
    stacks: list[Jobs | MoreJobs] = [jobs, *more_jobs]
    by_name = {
        job.settings.name: JobAlarms(stack, f"Alarms-{job.settings.name}", job=job, topic=topic)
        for stack in stacks
        for job in stack.scheduled_jobs
    }
    proxy = jobs.proxy.proxy.db_proxy_name if jobs.proxy is not None else None
    server = watched(settings, database.server.dimensions)
    database_alarms = DatabaseAlarms(
        jobs,
        "DatabaseAlarms",
        environment=settings.name,
        server=server if settings.watches_database else None,
        proxy=proxy,
        topic=topic,
        runs=sum(job.concurrency for job in settings.jobs),
        borrow_timeout_seconds=settings.proxy.borrow_timeout_seconds,
    )
    watcher_alarms = (
        [add_watcher_alarm(jobs, "WatcherAlarm", environment=settings.name, topic=topic)] if settings.jobs else []
    )
    Dashboard(
        jobs,
        "Dashboard",
        settings=settings,
        job_alarms=[by_name[job.name] for job in settings.jobs],
        server=server,
        proxy=proxy,
        other_alarms=[*watcher_alarms, *database_alarms.alarms],
    )
