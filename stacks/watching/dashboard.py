"""Dashboard construct: the page for a person on call, from the alarms down to the database."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_rds as rds
from constructs import Construct

from settings import names
from settings.instance_class import InstanceClass
from stacks.database.database import Database
from stacks.jobs.run_metrics import OUTCOMES
from stacks.jobs.scheduled_job import ScheduledJob
from stacks.watching.database_alarms import DatabaseAlarms, proxy_metric
from stacks.watching.job_alarms import NEAR_TIMEOUT, JobAlarms, spoken

WIDTH = 24
"""The width of the page, in CloudWatch's units."""
ALARMS_PER_WIDGET = 100
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html"""
LOG_GROUPS_PER_QUERY = 50
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""

COLOURS = {
    "done": cloudwatch.Color.GREEN,
    "partial": cloudwatch.Color.BLUE,
    "duplicate": cloudwatch.Color.GREY,
    "superseded": "#c7c7c7",
    "overlapping": cloudwatch.Color.ORANGE,
    "dry_run": cloudwatch.Color.PURPLE,
    "failed": cloudwatch.Color.RED,
}

LAST_FAILED = (
    "fields @timestamp, job, error, duration_ms, attempts, scheduled_time, leaked.0, request_id",
    # Of a run that Lambda killed, the platform's own report is the only record.
    '(message = "run" and level = "ERROR") or record.status = "timeout" or record.errorType = "Runtime.ExitError"',
    "sort @timestamp desc",
    "limit 30",
)


class Dashboard(Construct):
    """One page per environment, named <environment>-mysql-jobs.

    A job has a row of its own; graphs that compare jobs show all of them. So 100 jobs are some 230
    widgets and 1,500 metrics, and CloudWatch allows 500 and 2,500.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        job_alarms: Sequence[JobAlarms],
        database: Database,
        proxy: rds.DatabaseProxy | None,
        database_alarms: DatabaseAlarms,
        instance_class: InstanceClass,
    ) -> None:
        """Build the page for the jobs that `job_alarms` watch, and for their `database`."""
        super().__init__(scope, construct_id)
        alarms = [*database_alarms.alarms, *(alarm for each in job_alarms for alarm in each.alarms)]
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=names.database(environment),
            default_interval=cdk.Duration.days(1),
            widgets=[
                *_alarm_states(alarms),
                *(_jobs(job_alarms) if job_alarms else []),  # CloudWatch refuses a graph without metrics
                _heading("How is the database?"),
                *_database(database, proxy, instance_class),
            ],
        )


Row = list[cloudwatch.IWidget]
T = TypeVar("T")


def _alarm_states(alarms: Sequence[cloudwatch.Alarm]) -> list[Row]:
    return [
        [
            cloudwatch.AlarmStatusWidget(
                title="Alarms, the latest change first",
                alarms=list(some),
                sort_by=cloudwatch.AlarmStatusWidgetSortBy.STATE_UPDATED_TIMESTAMP,
                width=WIDTH,
                height=4,
            )
        ]
        for some in _batches(alarms, ALARMS_PER_WIDGET)
    ]


def _heading(text: str) -> Row:
    return [cloudwatch.TextWidget(markdown=f"## {text}", width=WIDTH, height=1)]


def _jobs(job_alarms: Sequence[JobAlarms]) -> list[Row]:
    jobs = [alarms.job for alarms in job_alarms]
    return [
        _heading("Are the jobs running?"),
        *(_job_row(each) for each in job_alarms),
        _heading("How long do they take?"),
        _how_long(jobs),
        _heading("What fails?"),
        _what_fails(jobs),
        *_last_failed(jobs),
    ]


def _job_row(alarms: JobAlarms) -> Row:
    job = alarms.job
    runs = [job.metrics.runs(outcome).with_(label=outcome, color=COLOURS[outcome]) for outcome in OUTCOMES]
    return [
        cloudwatch.TextWidget(markdown=_description(alarms), width=9, height=5),
        cloudwatch.GraphWidget(
            title=f"{job.settings.name}: what runs came to", left=runs, stacked=True, width=15, height=5
        ),
    ]


def _description(alarms: JobAlarms) -> str:
    job, settings = alarms.job, alarms.job.settings
    missed = (
        "**no alarm for missed runs**: CloudWatch can't look back further than 7 days"
        if alarms.silence is None
        else f"missed after {spoken(alarms.silence.length)}"
    )
    return "\n\n".join(
        (
            f"**{settings.name}**: {settings.module.description}",
            f"`{settings.schedule}` {settings.time_zone} · timeout {settings.timeout_seconds} s · {missed}",
            " · ".join(f"[{text}]({url})" for text, url in _links(job).items()),
        )
    )


def _links(job: ScheduledJob) -> dict[str, str]:
    stack = cdk.Stack.of(job)
    console = f"https://{stack.region}.console.aws.amazon.com"
    log_group = names.function_log(job.name).replace("/", "$252F")  # the console's own way to escape it
    queue = f"https://sqs.{stack.region}.amazonaws.com/{stack.account}/{names.dead_letters(job.name)}"
    queue = queue.replace(":", "%3A").replace("/", "%2F")
    return {
        "function": f"{console}/lambda/home?region={stack.region}#/functions/{job.name}",
        "schedule": f"{console}/scheduler/home?region={stack.region}#schedules/default/{job.name}",
        "log": f"{console}/cloudwatch/home?region={stack.region}#logsV2:log-groups/log-group/{log_group}",
        "dead letters": f"{console}/sqs/v3/home?region={stack.region}#/queues/{queue}",
    }


def _how_long(jobs: Sequence[ScheduledJob]) -> Row:
    return [
        cloudwatch.GraphWidget(
            title="Longest run, % of the timeout",
            left=[_share_of_timeout(job) for job in jobs],
            left_annotations=[
                cloudwatch.HorizontalAnnotation(value=100, label="killed", color=cloudwatch.Color.RED),
                cloudwatch.HorizontalAnnotation(value=100 * NEAR_TIMEOUT, label="alarm", color=cloudwatch.Color.ORANGE),
            ],
            left_y_axis=cloudwatch.YAxisProps(min=0, show_units=False),
            width=8,
        ),
        _graph("Longest connect, ms", [job.metrics.measure("connect") for job in jobs], width=8),
        _graph("Longest destroy, ms", [job.metrics.measure("destroy") for job in jobs], width=8),
    ]


def _share_of_timeout(job: ScheduledJob) -> cloudwatch.MathExpression:
    milliseconds = f"{job.settings.name}_ms"
    return cloudwatch.MathExpression(
        expression=f"100 * {milliseconds} / {job.settings.timeout_seconds * 1000}",
        # Lambda's own measure includes runs that were killed.
        using_metrics={milliseconds: job.function.metric_duration(statistic="Maximum")},
        label=job.settings.name,
    )


def _what_fails(jobs: Sequence[ScheduledJob]) -> Row:
    return [
        _graph("Failed runs, retries included", [_named(job, job.function.metric_errors()) for job in jobs], width=6),
        _graph("Most attempts to connect", [job.metrics.measure("attempts") for job in jobs], width=6),
        _graph("Throttles", [_named(job, job.function.metric_throttles()) for job in jobs], width=6),
        _graph("Dead letters", [_named(job, _dead_letters(job)) for job in jobs], width=6),
    ]


def _dead_letters(job: ScheduledJob) -> cloudwatch.Metric:
    return job.dead_letters.metric_approximate_number_of_messages_visible(statistic="Maximum")


def _named(job: ScheduledJob, metric: cloudwatch.Metric) -> cloudwatch.Metric:
    return metric.with_(label=job.settings.name)


def _last_failed(jobs: Sequence[ScheduledJob]) -> list[Row]:
    fields, condition, *rest = LAST_FAILED
    return [
        [
            cloudwatch.LogQueryWidget(
                title="The last runs that failed or leaked something",
                log_group_names=[job.log_group.log_group_name for job in some],
                query_lines=[fields, f"filter {condition}", *rest],
                width=WIDTH,
            )
        ]
        for some in _batches(jobs, LOG_GROUPS_PER_QUERY)
    ]


def _database(database: Database, proxy: rds.DatabaseProxy | None, instance_class: InstanceClass) -> list[Row]:
    instance = database.instance
    rows: list[Row] = [
        [
            _graph(
                "Connections",
                [instance.metric_database_connections(statistic="Maximum")],
                limit=instance_class.max_connections,
            ),
            _graph("CPU, %", [instance.metric_cpu_utilization()], limit=100),
            _graph("Free storage, bytes", [instance.metric_free_storage_space(statistic="Minimum")]),
            _graph("Freeable memory, bytes", [instance.metric_freeable_memory()]),
        ]
    ]
    if instance_class.burstable:
        rows.append([_graph("CPU credits", [instance.metric("CPUCreditBalance", statistic="Maximum")])])
    if proxy is not None:
        rows.append(_proxy(proxy))
    return rows


def _proxy(proxy: rds.DatabaseProxy) -> Row:
    return [
        _graph("Proxy: connections of clients", [proxy_metric(proxy, "ClientConnections", "Sum")]),
        _graph(
            "Proxy: connections to the database",
            [
                proxy_metric(proxy, "DatabaseConnections", "Sum"),
                proxy_metric(proxy, "DatabaseConnectionsCurrentlySessionPinned", "Sum"),
                proxy_metric(proxy, "MaxDatabaseConnectionsAllowed", "Sum"),
            ],
        ),
        _graph(
            "Proxy: wait for a connection, µs", [proxy_metric(proxy, "DatabaseConnectionsBorrowLatency", "Average")]
        ),
        _graph(
            "Proxy: refused",
            [
                proxy_metric(proxy, "ClientConnectionsSetupFailedAuth", "Sum"),
                proxy_metric(proxy, "DatabaseConnectionsSetupFailed", "Sum"),
            ],
        ),
    ]


def _graph(
    title: str, metrics: Sequence[cloudwatch.IMetric], *, width: int = 6, limit: int | None = None
) -> cloudwatch.GraphWidget:
    annotations = [] if limit is None else [cloudwatch.HorizontalAnnotation(value=limit, color=cloudwatch.Color.RED)]
    return cloudwatch.GraphWidget(
        title=title,
        left=metrics,
        left_annotations=annotations,
        left_y_axis=cloudwatch.YAxisProps(min=0, show_units=False),
        width=width,
    )


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
