"""RunMetrics construct: metrics filtered from the runs' log lines; the function calls no metrics API."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from settings import names

OUTCOMES = ("done", "partial", "duplicate", "superseded", "overlapping", "dry_run", "failed")
"""The outcomes in the log lines of runs (lambda/mysql_jobs/report.py); to Lambda, all but `failed` are successes."""
WORKED = ("done", "partial")
"""The outcomes of successful runs."""
MEASURES = {
    "connect": ("connect_ms", cloudwatch.Unit.MILLISECONDS),
    "destroy": ("destroy_ms", cloudwatch.Unit.MILLISECONDS),
    "attempts": ("attempts", cloudwatch.Unit.COUNT),
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
        self._log_group = log_group
        run = logs.FilterPattern.string_value("$.message", "=", "run")
        worked = logs.FilterPattern.any(
            *(logs.FilterPattern.string_value("$.outcome", "=", outcome) for outcome in WORKED)
        )
        to_the_end = logs.FilterPattern.string_value("$.outcome", "!=", "partial")
        self._filter("runs", run, "1", cloudwatch.Unit.COUNT, {"job": "$.job", "outcome": "$.outcome"})
        self._filter("worked", logs.FilterPattern.all(run, worked), "1", cloudwatch.Unit.COUNT)
        self._filter("duration", logs.FilterPattern.all(run, to_the_end), "$.duration_ms", cloudwatch.Unit.MILLISECONDS)
        for name, (field, unit) in MEASURES.items():
            self._filter(name, run, f"$.{field}", unit)

    def runs(self, outcome: str) -> cloudwatch.Metric:
        """Return the number of runs in five minutes that ended with `outcome`, one of `OUTCOMES`."""
        if outcome not in OUTCOMES:
            raise ValueError(f"{outcome!r} is no outcome: write one of {', '.join(OUTCOMES)}")
        return cloudwatch.Metric(
            namespace=self._namespace,
            metric_name="runs",
            dimensions_map={"job": self._job, "outcome": outcome},
            statistic="Sum",
            label=f"{self._job} {outcome}",
        )

    def worked(self) -> cloudwatch.Metric:
        """Return the number of successful runs in five minutes."""
        return self._metric("worked", "Sum", cloudwatch.Unit.COUNT)

    def duration(self) -> cloudwatch.Metric:
        """Return the longest run in five minutes, without those cut at a checkpoint: they use all their time."""
        return self._metric("duration", "Maximum", cloudwatch.Unit.MILLISECONDS)

    def measure(self, name: str) -> cloudwatch.Metric:
        """Return the highest value of one of `MEASURES` in five minutes."""
        _field, unit = MEASURES[name]
        return self._metric(name, "Maximum", unit)

    def _metric(self, name: str, statistic: str, unit: cloudwatch.Unit) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=self._namespace,
            metric_name=name,
            dimensions_map={"job": self._job},
            statistic=statistic,
            unit=unit,
            label=f"{self._job} {name}",
        )

    def _filter(
        self,
        name: str,
        pattern: logs.IFilterPattern,
        value: str,
        unit: cloudwatch.Unit,
        dimensions: dict[str, str] | None = None,
    ) -> None:
        # A line without the field (a run that never connected has no connect_ms) makes no data point. Filters with
        # dimensions can't have a default value, so a metric has no data while there are no runs.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
        logs.MetricFilter(
            self,
            name.title(),
            log_group=self._log_group,
            filter_pattern=pattern,
            metric_namespace=self._namespace,
            metric_name=name,
            metric_value=value,
            unit=unit,
            dimensions=dimensions or {"job": "$.job"},
        )
