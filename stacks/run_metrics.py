"""RunMetrics construct: metrics filtered from the runs' log lines; the function itself calls no metrics API."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

OUTCOMES = ("done", "partial", "duplicate", "covered", "overlapping", "dry_run", "failed")
"""What the log line says of a run (lambda/report.py); all but `failed` are successes to Lambda."""
WORKED = ("done", "partial")
"""The outcomes of runs that did what was due."""
MEASURES = {
    "connect": ("connect_ms", cloudwatch.Unit.MILLISECONDS),
    "destroy": ("destroy_ms", cloudwatch.Unit.MILLISECONDS),
    "attempts": ("attempts", cloudwatch.Unit.COUNT),
}
"""What is measured of each run: the field of the log line, and its unit."""


class RunMetrics(Construct):
    """The metrics of one job's runs, in the namespace mysql-jobs/<environment>, by `job`; runs also by `outcome`."""

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: str, job: str, log_group: logs.ILogGroup
    ) -> None:
        """Filter the runs of `job` out of `log_group`."""
        super().__init__(scope, construct_id)
        self._namespace = f"mysql-jobs/{environment}"
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
        """How many runs ended with `outcome`, one of `OUTCOMES`, in five minutes."""
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
        """How many runs did what was due, in five minutes."""
        return self._metric("worked", "Sum", cloudwatch.Unit.COUNT)

    def duration(self) -> cloudwatch.Metric:
        """The longest run in five minutes; not of those that stopped at a checkpoint: they use what time they have."""
        return self._metric("duration", "Maximum", cloudwatch.Unit.MILLISECONDS)

    def measure(self, name: str) -> cloudwatch.Metric:
        """The highest of one of `MEASURES`, in five minutes."""
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
        # A field that a line lacks (a run that never connected has no connect_ms) makes no data point. A filter with
        # dimensions may have no default value, so a metric has no data while there are no runs.
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
