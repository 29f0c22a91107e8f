"""RunMetrics construct: metrics filtered from the runs' log lines; the function itself calls no metrics API."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

MEASURES = {
    "duration": ("duration_ms", cloudwatch.Unit.MILLISECONDS),
    "connect": ("connect_ms", cloudwatch.Unit.MILLISECONDS),
    "destroy": ("destroy_ms", cloudwatch.Unit.MILLISECONDS),
    "attempts": ("attempts", cloudwatch.Unit.COUNT),
}
"""What is measured of each run: the field of the log line (lambda/report.py), and its unit."""
OUTCOMES = ("done", "partial", "duplicate", "covered", "overlapping", "dry_run", "failed")
"""What the log line says of a run; all but `failed` are successes to Lambda."""


class RunMetrics(Construct):
    """The metrics of one job's runs, in the namespace mysql-jobs/<environment>, by `job`; runs also by `outcome`."""

    def __init__(
        self, scope: Construct, construct_id: str, *, environment: str, job: str, log_group: logs.ILogGroup
    ) -> None:
        """Filter the runs of `job` out of `log_group`."""
        super().__init__(scope, construct_id)
        self._namespace = f"mysql-jobs/{environment}"
        self._job = job
        self._filter(log_group, "runs", "1", cloudwatch.Unit.COUNT, {"job": "$.job", "outcome": "$.outcome"})
        for name, (field, unit) in MEASURES.items():
            self._filter(log_group, name, f"$.{field}", unit, {"job": "$.job"})

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

    def measure(self, name: str, statistic: str = "Maximum") -> cloudwatch.Metric:
        """One of `MEASURES`, over five minutes."""
        _field, unit = MEASURES[name]
        return cloudwatch.Metric(
            namespace=self._namespace,
            metric_name=name,
            dimensions_map={"job": self._job},
            statistic=statistic,
            unit=unit,
            label=f"{self._job} {name}",
        )

    def _filter(
        self, log_group: logs.ILogGroup, name: str, value: str, unit: cloudwatch.Unit, dimensions: dict[str, str]
    ) -> None:
        # A field that a line lacks (a run that never connected has no connect_ms) makes no data point.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
        logs.MetricFilter(
            self,
            name.title(),
            log_group=log_group,
            filter_pattern=logs.FilterPattern.string_value("$.message", "=", "run"),
            metric_namespace=self._namespace,
            metric_name=name,
            metric_value=value,
            unit=unit,
            dimensions=dimensions,
        )
