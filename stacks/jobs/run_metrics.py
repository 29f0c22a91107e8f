"""RunMetrics construct: metrics filtered from the runs' log lines; the function calls no metrics API."""

from aws_cdk import aws_logs as logs
from constructs import Construct

from settings import names
from stacks.jobs.metric import PERIOD_SECONDS, Metric

OUTCOMES = ("done", "partial", "duplicate", "superseded", "overlapping", "dry_run", "failed")
"""The outcomes in the log lines of runs (lambda/mysql_jobs/report.py); to Lambda, all but `failed` are successes."""
WORKED = ("done", "partial")
"""The outcomes of successful runs."""
MEASURES = {
    "connect": ("connect_ms", "Milliseconds"),
    "destroy": ("destroy_ms", "Milliseconds"),
    "attempts": ("attempts", "Count"),
}
"""Measures of each run: the field of the log line, and its unit."""


class RunMetrics(Construct):
    """The metrics of one job's runs, in the namespace mysql-jobs/<environment>, by `job`; runs also by `outcome`."""

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: str, job: str, log_group: logs.ILogGroup
    ) -> None:
        """Filter the runs of `job` out of `log_group`."""
        super().__init__(scope, construct_id)
        self._namespace = names.metrics(environment)
        self._job = job
        self._log_group_name = log_group.log_group_name
        run = '$.message = "run"'
        worked = " || ".join(f'($.outcome = "{outcome}")' for outcome in WORKED)
        self._filter("runs", run, "1", "Count", dimensions=("job", "outcome"))
        self._filter("worked", f"({run}) && ({worked})", "1", "Count")
        self._filter("duration", f'({run}) && ($.outcome != "partial")', "$.duration_ms", "Milliseconds")
        for name, (field, unit) in MEASURES.items():
            self._filter(name, run, f"$.{field}", unit)

    def runs(self, outcome: str) -> Metric:
        """Return the number of runs in five minutes that ended with `outcome`, one of `OUTCOMES`."""
        if outcome not in OUTCOMES:
            raise ValueError(f"{outcome!r} is no outcome: write one of {', '.join(OUTCOMES)}")
        return self._metric("runs", "Sum", outcome=outcome)

    def worked(self, *, period_seconds: int) -> Metric:
        """Return the number of successful runs in each period."""
        return self._metric("worked", "Sum", "Count", period_seconds=period_seconds)

    def duration(self) -> Metric:
        """Return the longest run in five minutes, without those cut at a checkpoint: they use all their time."""
        return self._metric("duration", "Maximum", "Milliseconds")

    def measure(self, name: str) -> Metric:
        """Return the highest value of one of `MEASURES` in five minutes."""
        _field, unit = MEASURES[name]
        return self._metric(name, "Maximum", unit)

    def _metric(
        self,
        name: str,
        statistic: str,
        unit: str | None = None,
        *,
        period_seconds: int = PERIOD_SECONDS,
        **dimensions: str,
    ) -> Metric:
        return Metric(
            namespace=self._namespace,
            name=name,
            dimensions={"job": self._job, **dimensions},
            statistic=statistic,
            unit=unit,
            label=f"{self._job} {name}",
            period_seconds=period_seconds,
        )

    def _filter(
        self, name: str, pattern: str, value: str, unit: str, *, dimensions: tuple[str, ...] = ("job",)
    ) -> None:
        # A line without the field (a run that never connected has no connect_ms) makes no data point. Filters with
        # dimensions can't have a default value, so a metric has no data while there are no runs.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
        logs.CfnMetricFilter(
            Construct(self, name.title()),  # as with the CDK's own: its path decides the logical id
            "Resource",
            log_group_name=self._log_group_name,
            filter_pattern=f"{{ {pattern} }}",
            metric_transformations=[
                logs.CfnMetricFilter.MetricTransformationProperty(
                    metric_namespace=self._namespace,
                    metric_name=name,
                    metric_value=value,
                    unit=unit,
                    dimensions=[
                        logs.CfnMetricFilter.DimensionProperty(key=each, value=f"$.{each}") for each in dimensions
                    ],
                )
            ],
        )
