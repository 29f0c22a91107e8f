"""The metrics of a job: its runs' log lines carry some of them, those of the watcher the others.

CloudWatch takes them out of what a function logs: nothing is made for them here, and no function calls an API for them.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format.html
"""

from __future__ import annotations

from dataclasses import dataclass

from settings import names
from stacks.jobs.metric import PERIOD_SECONDS, Metric

OUTCOMES = ("done", "partial", "duplicate", "superseded", "overlapping", "dry_run", "failed")
"""The outcomes in the log lines of runs (lambda/mysql_jobs/report.py); to Lambda, all but `failed` are successes."""
RUNS = "runs"
"""One for each run, by job and outcome."""
MEASURES = {
    "duration_ms": "Milliseconds",  # not of those cut at a checkpoint: they use all their time
    "connect_ms": "Milliseconds",
    "destroy_ms": "Milliseconds",
    "attempts": "Count",
    "stuck": "Count",
}
"""What a run measures: the field of its log line, and its unit."""
WATCHED = {"lag_seconds": "Seconds", "missed": "Count", "catching_up": "Count"}
"""What the watcher measures of each job (lambda/mysql_jobs/watch.py), and its unit."""


@dataclass(frozen=True, kw_only=True)
class RunMetrics:
    """The metrics of one job, in the namespace mysql-jobs/<environment>, by `job`; runs also by `outcome`."""

    environment: str
    job: str

    def runs(self, outcome: str) -> Metric:
        """Return the number of runs in five minutes that ended with `outcome`, one of `OUTCOMES`."""
        if outcome not in OUTCOMES:
            raise ValueError(f"{outcome!r} is no outcome: write one of {', '.join(OUTCOMES)}")
        return self._metric(RUNS, "Sum", None, outcome=outcome)

    def measure(self, name: str) -> Metric:
        """Return the highest value of one of `MEASURES` in five minutes."""
        return self._metric(name, "Maximum", MEASURES[name])

    def watched(self, name: str) -> Metric:
        """Return the highest value of one of `WATCHED` in five minutes."""
        return self._metric(name, "Maximum", WATCHED[name])

    def _metric(self, name: str, statistic: str, unit: str | None, **dimensions: str) -> Metric:
        return Metric(
            namespace=names.metrics(self.environment),
            name=name,
            dimensions={"job": self.job, **dimensions},
            statistic=statistic,
            unit=unit,
            label=f"{self.job} {name}",
            period_seconds=PERIOD_SECONDS,
        )


def watches(environment: str) -> Metric:
    """Return how often the watcher looked at the jobs in five minutes."""
    return Metric(
        namespace=names.metrics(environment),
        name="watched",  # how many jobs it looked at, which may be none: what counts is that it did
        dimensions={"job": names.WATCH},
        statistic="SampleCount",
        unit="Count",
        label="watched",
        period_seconds=PERIOD_SECONDS,
    )
