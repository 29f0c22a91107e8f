"""Dashboard construct: the page for a person on call, from the alarms down to the database.

Its source is written here, as CloudWatch documents it: the CDK makes an object, and a call, of each metric in a graph.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from settings import names
from settings.environment import EnvironmentSettings
from settings.missed_runs import silence
from stacks.jobs.metric import Metric
from stacks.jobs.run_metrics import OUTCOMES
from stacks.jobs.scheduled_job import ScheduledJob
from stacks.watching.database_alarms import proxy_metric, server_metric
from stacks.watching.job_alarms import NEAR_TIMEOUT, JobAlarms, spoken
from stacks.watching.watched_server import WatchedServer

WIDTH = 24
"""The width of the page, in CloudWatch's units."""
ALARMS_PER_WIDGET = 100
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html"""
LOG_GROUPS_PER_QUERY = 50
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""

JOBS_WITH_ROWS = 80
"""A job with a row of its own is 2 widgets and 15 metrics, and CloudWatch allows a page 500 and 2,500. It is 5 KB at
worst, too, of the 1 MB that a template has, and that of the first stack has all rows.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""
WORST = 20
"""How many of more jobs a graph shows: the worst. A query may look at 10,000 metrics, and a job has 7 by outcome.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-limits.html"""

GREEN, BLUE, GREY, LIGHT_GREY = "#2ca02c", "#1f77b4", "#7f7f7f", "#c7c7c7"
ORANGE, PURPLE, RED = "#ff7f0e", "#9467bd", "#d62728"
COLOURS = {
    "done": GREEN,
    "partial": BLUE,
    "duplicate": GREY,
    "superseded": LIGHT_GREY,
    "overlapping": ORANGE,
    "dry_run": PURPLE,
    "failed": RED,
}

LAST_FAILED = (
    "fields @timestamp, job, error, duration_ms, attempts, scheduled_time, leaked.0, request_id",
    # Of a run that Lambda killed, the platform's own report is the only record.
    '(message = "run" and level = "ERROR") or record.status = "timeout" or record.errorType = "Runtime.ExitError"',
    "sort @timestamp desc",
    "limit 30",
)


Widget = dict[str, Any]
Row = list[Widget]
T = TypeVar("T")


class Dashboard(Construct):
    """One page per environment, named <environment>-mysql-jobs.

    A job has a row of its own, and graphs that compare jobs show all of them. Of more than 80 jobs they show the
    worst, by queries over all, and only alarms of no job are listed: a link leads to those that ring.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        job_alarms: Sequence[JobAlarms],
        server: WatchedServer,
        proxy: str | None,
        other_alarms: Sequence[str],
    ) -> None:
        """Build the page for the jobs that `job_alarms` watch, for `server` and the proxy of that name.

        `other_alarms` by name are those that are of no job.
        """
        super().__init__(scope, construct_id)
        many = len(job_alarms) > JOBS_WITH_ROWS
        alarms = [*other_alarms, *(alarm for each in job_alarms for alarm in each.alarms if not many)]
        jobs = _many_jobs if many else _jobs
        rows = [
            *_alarm_states(alarms, settings),
            *(jobs(job_alarms, settings) if job_alarms else []),  # CloudWatch refuses a graph without metrics
            _heading("How is the database?"),
            *_database(server, proxy),
        ]
        body = {"start": "-P1D", "widgets": list(_placed(rows, region=settings.region))}
        cloudwatch.CfnDashboard(
            Construct(self, "Dashboard"),
            "Resource",
            dashboard_name=names.database(settings.name),
            dashboard_body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        )


def _placed(rows: Sequence[Row], *, region: str) -> Iterator[Widget]:
    """The widgets with their places: from left to right, a row below the other."""
    y = 0
    for row in rows:
        x = 0
        for widget in row:
            regional = {"region": region} if widget["type"] in ("log", "metric") else {}
            yield {**widget, "x": x, "y": y, "properties": {**widget["properties"], **regional}}
            x += widget["width"]
        y += max(widget["height"] for widget in row)


def _widget(kind: str, *, width: int, height: int, **properties: Any) -> Widget:
    return {"type": kind, "width": width, "height": height, "properties": properties}


def _text(markdown: str, *, width: int = WIDTH, height: int) -> Widget:
    return _widget("text", width=width, height=height, markdown=markdown)


def _alarm_states(alarms: Sequence[str], settings: EnvironmentSettings) -> list[Row]:
    prefix = f"arn:aws:cloudwatch:{settings.region}:{settings.account}:alarm:"
    return [
        [
            _widget(
                "alarm",
                width=WIDTH,
                height=4,
                title="Alarms, the latest change first",
                alarms=[f"{prefix}{alarm}" for alarm in some],
                sortBy="stateUpdatedTimestamp",
            )
        ]
        for some in _batches(alarms, ALARMS_PER_WIDGET)
    ]


def _heading(text: str) -> Row:
    return [_text(f"## {text}", height=1)]


def _jobs(job_alarms: Sequence[JobAlarms], settings: EnvironmentSettings) -> list[Row]:
    jobs = [alarms.job for alarms in job_alarms]
    return [
        _heading("Are the jobs running?"),
        *(_job_row(each, settings) for each in job_alarms),
        _heading("How long do they take?"),
        _how_long(jobs),
        _heading("How far behind are they?"),
        _how_far_behind(settings),
        _heading("What fails?"),
        _what_fails(jobs),
        *_last_failed(jobs),
    ]


def _many_jobs(job_alarms: Sequence[JobAlarms], settings: EnvironmentSettings) -> list[Row]:
    region, worst = settings.region, _Worst(names.metrics(settings.name))
    console = f"https://{region}.console.aws.amazon.com"
    ringing = f"#alarmsV2:?~(alarmStateFilter~'ALARM~search~'{settings.name}-)"
    links = {
        "alarms that ring": f"{console}/cloudwatch/home?region={region}{ringing}",
        "functions": f"{console}/lambda/home?region={region}#/functions",
        "schedules": f"{console}/scheduler/home?region={region}#schedules",
    }
    return [
        _heading("Are the jobs running?"),
        [
            _text(f"**{len(job_alarms)} jobs**\n\n{_linked(links)}", width=9, height=6),
            _graph("What runs came to", [worst.query("SUM(runs)", by="outcome")], width=15),
        ],
        _heading("How long do they take?"),
        [
            worst.graph("Longest run, ms", "MAX(duration_ms)", width=8),
            worst.graph("Longest connect, ms", "MAX(connect_ms)", width=8),
            worst.graph("Longest destroy, ms", "MAX(destroy_ms)", width=8),
        ],
        _heading("How far behind are they?"),
        _how_far_behind(settings),
        _heading("What fails?"),
        [
            worst.graph("Failed runs, retries included", "SUM(runs)", outcome="failed", width=12),
            worst.graph("Most attempts to connect", "MAX(attempts)", width=12),
        ],
        *_last_failed([alarms.job for alarms in job_alarms]),
    ]


@dataclass(frozen=True)
class _Worst:
    """The worst jobs of a namespace, by a query over all.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
    """

    namespace: str

    def graph(self, title: str, what: str, *, width: int, outcome: str | None = None) -> Widget:
        """Return a graph of those with the highest `what`, like MAX(duration), of runs with this `outcome`."""
        return _graph(f"{title}: the {WORST} highest", [self.query(what, by="job", outcome=outcome)], width=width)

    def query(self, what: str, *, by: str, outcome: str | None = None) -> list[Any]:
        """Return the source of a line for each job, or each outcome, by `what` it is of."""
        dimensions = "job, outcome" if "runs" in what else "job"
        only = "" if outcome is None else f"WHERE outcome = '{outcome}' "
        order = f"ORDER BY {what.partition('(')[0]}() DESC LIMIT {WORST}"
        source = f'FROM SCHEMA("{self.namespace}", {dimensions})'
        return [{"expression": f"SELECT {what} {source} {only}GROUP BY {by} {order}"}]


def _job_row(alarms: JobAlarms, settings: EnvironmentSettings) -> Row:
    job = alarms.job
    runs = [job.metrics.runs(outcome).on_graph(label=outcome, color=COLOURS[outcome]) for outcome in OUTCOMES]
    return [
        _text(_description(alarms, settings), width=9, height=5),
        _widget(
            "metric",
            width=15,
            height=5,
            view="timeSeries",
            title=f"{job.settings.name}: what runs came to",
            metrics=runs,
            stacked=True,
            yAxis={},
        ),
    ]


def _description(alarms: JobAlarms, environment: EnvironmentSettings) -> str:
    job, settings = alarms.job, alarms.job.settings
    missed = f"missed after {spoken(silence(settings))}" if settings.enabled else "**switched off** in its file"
    return "\n\n".join(
        (
            f"**{settings.name}**: {settings.job_module.description}",
            f"`{settings.schedule}` {settings.time_zone} · timeout {settings.timeout_seconds} s · {missed}",
            _linked(_links(job, environment)),
        )
    )


def _linked(links: Mapping[str, str]) -> str:
    return " · ".join(f"[{text}]({url})" for text, url in links.items())


def _links(job: ScheduledJob, environment: EnvironmentSettings) -> Mapping[str, str]:
    region = environment.region
    console = f"https://{region}.console.aws.amazon.com"
    log_group = names.function_log(job.name).replace("/", "$252F")  # the console's own way to escape it
    queue = f"https://sqs.{region}.amazonaws.com/{environment.account}/{names.dead_letters(job.name)}"
    queue = queue.replace(":", "%3A").replace("/", "%2F")
    return {
        "function": f"{console}/lambda/home?region={region}#/functions/{job.name}",
        "schedule": f"{console}/scheduler/home?region={region}#schedules/default/{job.name}",
        "log": f"{console}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{log_group}",
        "dead letters": f"{console}/sqs/v3/home?region={region}#/queues/{queue}",
    }


def _how_long(jobs: Sequence[ScheduledJob]) -> Row:
    return [
        _graph(
            "Longest run, % of the timeout",
            [line for job in jobs for line in _share_of_timeout(job)],
            width=8,
            lines=[_line(100, RED, "killed"), _line(100 * NEAR_TIMEOUT, ORANGE, "alarm")],
        ),
        _graph("Longest connect, ms", [job.metrics.measure("connect_ms").on_graph() for job in jobs], width=8),
        _graph("Longest destroy, ms", [job.metrics.measure("destroy_ms").on_graph() for job in jobs], width=8),
    ]


def _how_far_behind(environment: EnvironmentSettings) -> Row:
    # A query, and no line for each job: the body of the page is a part of a template, which has 1 MB at most.
    worst = _Worst(names.metrics(environment.name))
    return [
        worst.graph("Lag, s", "MAX(lag_seconds)", width=8),
        worst.graph("Catching up", "MAX(catching_up)", width=8),
        worst.graph("Stuck", "MAX(stuck)", width=8),
    ]


def _share_of_timeout(job: ScheduledJob) -> list[list[Any]]:
    milliseconds = f"{job.settings.name}_ms"
    expression = f"100 * {milliseconds} / {job.settings.timeout_seconds * 1000}"
    return [
        [{"label": job.settings.name, "expression": expression}],
        # Lambda's own measure includes runs that were killed.
        job.duration().on_graph(id=milliseconds, visible=False),
    ]


def _what_fails(jobs: Sequence[ScheduledJob]) -> Row:
    return [
        _graph("Failed runs, retries included", [_named(job, job.errors()) for job in jobs]),
        _graph("Most attempts to connect", [job.metrics.measure("attempts").on_graph() for job in jobs]),
        _graph("Throttles", [_named(job, job.throttles()) for job in jobs]),
        _graph("Dead letters", [_named(job, job.dead_letters_waiting()) for job in jobs]),
    ]


def _named(job: ScheduledJob, metric: Metric) -> list[Any]:
    return metric.on_graph(label=job.settings.name)


def _last_failed(jobs: Sequence[ScheduledJob]) -> list[Row]:
    fields, condition, *rest = LAST_FAILED
    query = "\n| ".join([fields, f"filter {condition}", *rest])
    return [
        [
            _widget(
                "log",
                width=WIDTH,
                height=6,
                view="table",
                title="The last runs that failed or leaked something",
                query=" | ".join([*(f"SOURCE '{names.function_log(job.name)}'" for job in some), query]),
            )
        ]
        for some in _batches(jobs, LOG_GROUPS_PER_QUERY)
    ]


def _database(server: WatchedServer, proxy: str | None) -> list[Row]:
    connections = server_metric(server, "DatabaseConnections", "Maximum")
    storage = server_metric(server, "FreeStorageSpace", "Minimum")
    rows: list[Row] = [
        [
            _graph("Connections", [connections.on_graph()], lines=[_line(server.max_connections, RED)]),
            _graph("CPU, %", [server_metric(server, "CPUUtilization").on_graph()], lines=[_line(100, RED)]),
            *([_graph("Free storage, bytes", [storage.on_graph()])] if server.has_storage else []),
            _graph("Freeable memory, bytes", [server_metric(server, "FreeableMemory").on_graph()]),
        ]
    ]
    if server.instance_class is not None and server.instance_class.burstable:
        rows.append([_graph("CPU credits", [server_metric(server, "CPUCreditBalance", "Maximum").on_graph()])])
    if proxy is not None:
        rows.append(_proxy(proxy))
    return rows


def _proxy(proxy: str) -> Row:
    return [
        _graph("Proxy: connections of clients", [proxy_metric(proxy, "ClientConnections", "Sum").on_graph()]),
        _graph(
            "Proxy: connections to the database",
            [
                proxy_metric(proxy, "DatabaseConnections", "Sum").on_graph(),
                proxy_metric(proxy, "DatabaseConnectionsCurrentlySessionPinned", "Sum").on_graph(),
                proxy_metric(proxy, "MaxDatabaseConnectionsAllowed", "Sum").on_graph(),
            ],
        ),
        _graph(
            "Proxy: wait for a connection, µs",
            [proxy_metric(proxy, "DatabaseConnectionsBorrowLatency", "Average").on_graph()],
        ),
        _graph(
            "Proxy: refused",
            [
                proxy_metric(proxy, "ClientConnectionsSetupFailedAuth", "Sum").on_graph(),
                proxy_metric(proxy, "DatabaseConnectionsSetupFailed", "Sum").on_graph(),
            ],
        ),
    ]


def _graph(title: str, metrics: Sequence[list[Any]], *, width: int = 6, lines: Sequence[dict[str, Any]] = ()) -> Widget:
    annotations = {"annotations": {"horizontal": list(lines)}} if lines else {}
    return _widget(
        "metric",
        width=width,
        height=6,
        view="timeSeries",
        title=title,
        metrics=metrics,
        **annotations,
        yAxis={"left": {"min": 0, "showUnits": False}},
    )


def _line(value: float, colour: str, label: str | None = None) -> dict[str, Any]:
    return {"value": value, "color": colour, **({"label": label} if label else {}), "yAxis": "left"}


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
